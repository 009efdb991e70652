// A page while a block decompresses it: the same as a warp's, but for a larger window, which moves by half its size at
// places that are multiples of that.

#define BLOCK_THREADS (BLOCK_WARPS * WF_WARP)
#define RANGE_BYTES 128u                              // compressed bytes that a warp looks at: 4 a thread
#define BATCH_BYTES (RANGE_BYTES * BLOCK_WARPS)       // tokens that start in so many are a batch
#define RING_BYTES (2u * BATCH_BYTES)                 // held in shared memory; a byte lies at its address modulo the size
#define RING_WORDS (RING_BYTES / 4u)
#define BLOCK_ENTRIES (BATCH_BYTES / 2u + 4u)         // literals and matches take 2 bytes each, but for the last token's
#define OWN_BYTES 8u                                  // output written together: a thread's,
#define SECTION_BYTES (OWN_BYTES * WF_WARP)           // a warp's,
#define BLOCK_GROUP_BYTES (SECTION_BYTES * BLOCK_WARPS)  // and a block's
#define MARK_WORDS (BLOCK_GROUP_BYTES / 32u)

// What the warps of a block tell each other about their tokens.
struct WarpTokens {
  u32 size;     // see token_size
  u32 long_at;  // where the first long token starts; NOWHERE if there is none
};

struct BlockShared {
  __align__(16) u32 ring[RING_WORDS + 4u];  // the first word again at the end
  __align__(8) u16 exits[BATCH_BYTES];
  i32 entries[BLOCK_ENTRIES];
  __align__(8) u32 starts[BLOCK_ENTRIES];  // of the pieces in the batch's output; after the last, where that ends
  i32 origins[BLOCK_GROUP_BYTES / 32u * 33u];
  u32 marks[MARK_WORDS];  // a bit a byte; zeros between groups
  WarpTokens warps[BLOCK_WARPS];
  u32 next;  // where the batch's last token ends
};

struct BlockPage {
  static const u32 MEMBERS = BLOCK_THREADS;
  static const u32 LITERAL_MAX = 269;  // what LZ4 spells with one further byte below 255
  static __device__ __forceinline__ u32 member() { return threadIdx.x; }
  static __device__ __forceinline__ void meet() { __syncthreads(); }

  const u8* source;
  u8* target;
  u32 source_bytes;
  u32 target_bytes;
  u32 in;   // compressed bytes that are done
  u32 out;  // and plain bytes that are written
  u64 held;   // address of the first byte in the ring, a multiple of BATCH_BYTES; 0: none is
  u32 ahead;  // the thread's word of the half that follows the ring, on its way from memory
  BlockShared* shared;
};

WF_DEVICE void put_word(BlockPage* page, u64 address, u32 value) {
  u32 word = (u32)address % RING_BYTES / 4u;
  page->shared->ring[word] = value;
  if (word == 0) page->shared->ring[RING_WORDS] = value;
}

// Moves the ring so that `in` lies in its first half. The half after it is asked for in the same call and arrives while
// the block works on this one.
WF_DEVICE void move_window(BlockPage* page) {
  u64 address = (u64)page->source + page->in, mine = 4u * threadIdx.x;
  u64 distance = address - page->held;
  if (page->held != 0 && distance < BATCH_BYTES) return;
  __syncthreads();  // no thread reads the old bytes any more
  if (page->held != 0 && distance < RING_BYTES) {
    put_word(page, page->held + mine, page->ahead);
    page->held += BATCH_BYTES;
  } else {
    page->held = address & ~(u64)(BATCH_BYTES - 1u);
    u32 first = source_word(page, page->held + mine), second = source_word(page, page->held + BATCH_BYTES + mine);
    put_word(page, page->held + mine, first);
    put_word(page, page->held + BATCH_BYTES + mine, second);
  }
  page->ahead = source_word(page, page->held + RING_BYTES + mine);
  __syncthreads();  // the words of all threads are there
}

WF_DEVICE u32 window_place(const BlockPage* page, u32 in) { return ((u32)(u64)page->source + in) & (RING_BYTES - 1u); }
WF_DEVICE u32 window_byte(const BlockPage* page, u32 in) {
  return ((const u8*)page->shared->ring)[window_place(page, in)];
}
WF_DEVICE u32 window_u32(const BlockPage* page, u32 in) {
  u32 place = window_place(page, in);
  const u32* words = page->shared->ring + place / 4u;
  return __funnelshift_r(words[0], words[1], place % 4u * 8u);
}
