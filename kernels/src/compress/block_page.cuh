// A page while a block decompresses it: the same as a warp's, but for a larger window, which moves by half its size at
// places that are multiples of that.

#define BLOCK_THREADS (BLOCK_WARPS * WF_WARP)
#define RANGE_BYTES 128u                              // compressed bytes that a warp looks at: 4 a thread
#define BATCH_BYTES (RANGE_BYTES * BLOCK_WARPS)       // tokens that start in so many are a batch
#define RING_BYTES (2u * BATCH_BYTES)                 // held in shared memory; a byte lies at its address modulo the size
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
  __align__(16) u32 window[RING_BYTES / 4u + 4u];  // the first word again at the end
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
  static const u32 WINDOW = RING_BYTES;
  static const u32 LITERAL_MAX = 269;  // what LZ4 spells with one further byte below 255
  typedef u32 Part;
  static __device__ __forceinline__ u32 member() { return threadIdx.x; }
  static __device__ __forceinline__ void meet() { __syncthreads(); }

  const u8* source;
  u8* target;
  u32 source_bytes;
  u32 target_bytes;
  u32 in;   // compressed bytes that are done
  u32 out;  // and plain bytes that are written
  u64 held;    // as a warp's page has it
  Part ahead;
  BlockShared* shared;
};
