// Snappy and raw LZ4: one launch for all pages of a partition. A block of 16 warps takes one large page, or up to 16
// small ones, a warp each.
//
// A warp takes a batch of tokens at a time, those that start in the next 64 compressed bytes, which lie in shared
// memory: each lane looks where a token would end that started at one of its two bytes, and doubling finds which are
// real. Then each lane reads one whole token, and a scan tells where its output goes. For the output each lane takes
// every 32nd byte: marks at the tokens' first bytes, counted by a ballot, tell its token, and the token where the byte
// comes from. A byte copied from within the same 128 is traced to one that is not, so that no lane waits for another's
// store: literals come from the window, all else from device memory, in one trip for the 128. Literals of many bytes,
// and what LZ4 spells with more than one further byte, are copied as ranges, 16 bytes a lane at a time.
//
// A block does the same with 2,048 compressed bytes and groups of 4,096 bytes of output; see the files of that name. It
// meets at a barrier some 7 times a batch and 3 times a group, and twice for each turn of tracing between its warps.
//
// Expected cost, in warp instructions as the compiler emits them for sm_90. A warp alone: 265 a batch, 35 for every 32
// bytes of output, 45 for every 128, and 20 for each turn of tracing. Words of 7 bytes make 25 tokens and 180 bytes a
// batch: 3.3 a byte. Numbers of 3 random bytes and 5 zeros make 21 tokens and 85 bytes: 6 a byte. An H100 issues some
// 900 billion a second, so 150 to 270 GB/s is the bound. One batch alone takes about 1,500 cycles; 32 warps an SM hide
// that. Each warp of a block: 650 a batch, 270 for its 256 bytes of output, 70 for each turn of tracing. That makes 4 a
// byte for such words and 7 for such numbers, but on one page 16 warps work at a time.
//
// 64 registers and 35 KB of shared memory a block: two on an SM, whichever kind. Pages of a warp each do not meet: their
// barriers are for the lanes of one. Every length is checked before it is used; a malformed page raises, and zeros
// follow what was written before the batch with the error.

struct WfBlob {
  u64 source;
  u64 target;
  u32 source_bytes;
  u32 target_bytes;
  u32 codec;
  u32 item;
};

template <class P> WF_DEVICE void decompress_page(const WfBlob& blob, decltype(P::shared) shared, WfError* error) {
  P page = {};
  page.source = (const u8*)blob.source;
  page.target = (u8*)blob.target;
  page.source_bytes = blob.source_bytes;
  page.target_bytes = blob.target_bytes;
  page.shared = shared;
  bool good = false;
  // Places in a page are signed.
  if ((blob.source_bytes | blob.target_bytes) >> 31 == 0) {
    if (blob.codec == WF_CODEC_SNAPPY) good = snappy(&page);
    else if (blob.codec == WF_CODEC_LZ4) good = copy_tokens<Lz4>(&page);
    else good = long_literal(&page, blob.source_bytes);
  }
  if (good && page.out == blob.target_bytes) return;
  if (P::member() == 0) wf_raise(error, good ? WF_BAD_SIZE : WF_BAD_COMPRESSION, blob.item);
  for (u64 i = page.out + P::member(); i < blob.target_bytes; i += P::MEMBERS) page.target[i] = 0;
}

union Room {
  Shared warps[BLOCK_WARPS];
  BlockShared block;
};

// The first `large` of the pages have a block each, and then `small` have one together, at most one a warp.
WF_KERNEL(BLOCK_THREADS) decompress(const WfBlob* blobs, u32 count, u32 large, u32 small, WfError* error) {
  __shared__ Room room;
  if (blockIdx.x < large) {
    decompress_page<BlockPage>(blobs[blockIdx.x], &room.block, error);
    return;
  }
  u64 index = large + (u64)(blockIdx.x - large) * small + wf_warp_id();
  if (wf_warp_id() < small && index < count) decompress_page<Page>(blobs[index], &room.warps[wf_warp_id()], error);
}
