// A page while a warp decompresses it: where it stands, and the window of compressed bytes in shared memory.

#define WINDOW_BYTES 1024u  // held in shared memory: a ring, a byte lies at its address modulo the size
#define HALF_BYTES 512u     // loaded at once: 16 bytes a lane
#define GROUP_BYTES 128u    // output written together: 4 bytes a lane
#define ROUNDS 4u           // GROUP_BYTES by warps
#define WINDOW_WORDS (WINDOW_BYTES / 4u)
#define ENTRIES 64u         // most literals and matches of a batch, by the sizes that they have at least

// What a warp keeps in shared memory.
struct Shared {
  __align__(16) u32 window[WINDOW_WORDS + 4u];  // the first word again at the end
  i32 entries[ENTRIES];
  i32 origins[GROUP_BYTES];
  __align__(4) u8 marks[GROUP_BYTES];  // zeros between groups
  u8 starts[WF_WARP];
};

struct Page {
  static const u32 MEMBERS = WF_WARP;  // threads that share it
  static const u32 LITERAL_MAX = 128;  // of a batch; longer literals are copied as ranges
  static __device__ __forceinline__ u32 member() { return wf_lane_id(); }
  static __device__ __forceinline__ void meet() { __syncwarp(); }

  const u8* source;
  u8* target;
  u32 source_bytes;
  u32 target_bytes;
  u32 in;   // compressed bytes that are done
  u32 out;  // and plain bytes that are written
  u64 held;     // address of the first byte in the window, a multiple of HALF_BYTES; 0: none is
  uint4 ahead;  // the lane's part of the half that follows the window, on its way from memory
  Shared* shared;
};

// 4 bytes at a multiple of 4; zeros where no compressed bytes are.
template <class P> WF_DEVICE u32 source_word(const P* page, u64 address) {
  u64 start = (u64)page->source;
  return address + 4u > start && address < start + page->source_bytes ? *(const u32*)address : 0;
}

// 16 bytes at a multiple of 16; zeros where no compressed bytes are.
WF_DEVICE uint4 source_part(const Page* page, u64 address) {
  u64 start = (u64)page->source;
  if (address >= start && address + 16u <= start + page->source_bytes) return *(const uint4*)address;
  return make_uint4(source_word(page, address), source_word(page, address + 4u), source_word(page, address + 8u),
                    source_word(page, address + 12u));
}

WF_DEVICE void put_part(Page* page, u64 address, uint4 part) {
  u32* window = page->shared->window;
  u32 word = (u32)address % WINDOW_BYTES / 4u;
  *(uint4*)&window[word] = part;
  if (word == 0) window[WINDOW_WORDS] = part.x;
}

// Moves the window so that it holds the bytes from `in` on, 512 of them at least. The half after it is asked for in
// the same call and arrives while the warp works on this one.
WF_DEVICE void move_window(Page* page) {
  u64 address = (u64)page->source + page->in, mine = 16u * wf_lane_id();
  u64 distance = address - page->held;
  if (page->held != 0 && distance < HALF_BYTES) return;
  __syncwarp();  // no lane reads the old bytes any more
  if (page->held != 0 && distance < WINDOW_BYTES) {
    put_part(page, page->held + mine, page->ahead);
    page->held += HALF_BYTES;
  } else {
    page->held = address & ~(u64)(HALF_BYTES - 1u);
    uint4 first = source_part(page, page->held + mine), second = source_part(page, page->held + HALF_BYTES + mine);
    put_part(page, page->held + mine, first);
    put_part(page, page->held + HALF_BYTES + mine, second);
  }
  page->ahead = source_part(page, page->held + WINDOW_BYTES + mine);
  __syncwarp();  // the parts of all lanes are there
}

// Where a compressed byte lies in the window, which must hold it.
WF_DEVICE u32 window_place(const Page* page, u32 in) { return ((u32)(u64)page->source + in) & (WINDOW_BYTES - 1u); }
WF_DEVICE u32 window_byte(const Page* page, u32 in) {
  return ((const u8*)page->shared->window)[window_place(page, in)];
}
// 4 bytes, the first one lowest.
WF_DEVICE u32 window_u32(const Page* page, u32 in) {
  u32 place = window_place(page, in);
  const u32* words = page->shared->window + place / 4u;
  return __funnelshift_r(words[0], words[1], place % 4u * 8u);
}
