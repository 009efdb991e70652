// A page while a warp decompresses it: where it stands, and the window of compressed bytes in shared memory.

#define WINDOW_BYTES 1024u  // held in shared memory: a ring, a byte lies at its address modulo the size
#define GROUP_BYTES 128u    // output written together: 4 bytes a lane
#define ROUNDS 4u           // GROUP_BYTES by warps
#define ENTRIES 64u         // most literals and matches of a batch, by the sizes that they have at least

// What a warp keeps in shared memory.
struct Shared {
  __align__(16) u32 window[WINDOW_BYTES / 4u + 4u];  // the first word again at the end
  i32 entries[ENTRIES];
  i32 origins[GROUP_BYTES];
  __align__(4) u8 marks[GROUP_BYTES];  // zeros between groups
  u8 starts[WF_WARP];
};

struct Page {
  static const u32 MEMBERS = WF_WARP;  // threads that share it
  static const u32 WINDOW = WINDOW_BYTES;
  static const u32 LITERAL_MAX = 128;  // of a batch; longer literals are copied as ranges
  typedef uint4 Part;                  // what each of them loads at once: half of the window together
  static __device__ __forceinline__ u32 member() { return wf_lane_id(); }
  static __device__ __forceinline__ void meet() { __syncwarp(); }

  const u8* source;
  u8* target;
  u32 source_bytes;
  u32 target_bytes;
  u32 in;   // compressed bytes that are done
  u32 out;  // and plain bytes that are written
  u64 held;    // address of the first byte in the window, a multiple of half its size; 0: none is
  Part ahead;  // the lane's part of the half that follows the window, on its way from memory
  Shared* shared;
};

// 4 bytes at a multiple of 4; zeros where no compressed bytes are.
template <class P> WF_DEVICE u32 source_word(const P* page, u64 address) {
  u64 start = (u64)page->source;
  return address + 4u > start && address < start + page->source_bytes ? *(const u32*)address : 0;
}

// A part at a multiple of its size; zeros where no compressed bytes are.
template <class P> WF_DEVICE void load_part(const P* page, u64 address, u32* part) { *part = source_word(page, address); }
template <class P> WF_DEVICE void load_part(const P* page, u64 address, uint4* part) {
  u64 start = (u64)page->source;
  *part = address >= start && address + 16u <= start + page->source_bytes
              ? *(const uint4*)address
              : make_uint4(source_word(page, address), source_word(page, address + 4u),
                           source_word(page, address + 8u), source_word(page, address + 12u));
}

WF_DEVICE u32 first_word(u32 part) { return part; }
WF_DEVICE u32 first_word(uint4 part) { return part.x; }

template <class P> WF_DEVICE void put_part(P* page, u64 address, typename P::Part part) {
  u32* window = page->shared->window;
  u32 word = (u32)address % P::WINDOW / 4u;
  *(typename P::Part*)&window[word] = part;
  if (word == 0) window[P::WINDOW / 4u] = first_word(part);
}

// Moves the window so that `in` lies in its first half. The half after it is asked for in the same call and arrives
// while those who share the page work on this one.
template <class P> WF_DEVICE void move_window(P* page) {
  const u32 half = P::WINDOW / 2u;
  u64 address = (u64)page->source + page->in, mine = sizeof(typename P::Part) * P::member();
  u64 distance = address - page->held;
  if (page->held != 0 && distance < half) return;
  P::meet();  // nobody reads the old bytes any more
  if (page->held != 0 && distance < P::WINDOW) {
    put_part(page, page->held + mine, page->ahead);
    page->held += half;
  } else {
    page->held = address & ~(u64)(half - 1u);
    typename P::Part first, second;
    load_part(page, page->held + mine, &first);
    load_part(page, page->held + half + mine, &second);
    put_part(page, page->held + mine, first);
    put_part(page, page->held + half + mine, second);
  }
  load_part(page, page->held + P::WINDOW + mine, &page->ahead);
  P::meet();  // the parts of all are there
}

// Where a compressed byte lies in the window, which must hold it.
template <class P> WF_DEVICE u32 window_place(const P* page, u32 in) {
  return ((u32)(u64)page->source + in) & (P::WINDOW - 1u);
}
template <class P> WF_DEVICE u32 window_byte(const P* page, u32 in) {
  return ((const u8*)page->shared->window)[window_place(page, in)];
}
// 4 bytes, the first one lowest.
template <class P> WF_DEVICE u32 window_u32(const P* page, u32 in) {
  u32 place = window_place(page, in);
  const u32* words = page->shared->window + place / 4u;
  return __funnelshift_r(words[0], words[1], place % 4u * 8u);
}
