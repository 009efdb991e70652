// Snappy and raw LZ4: a warp a page, one launch for all pages of a partition.
//
// A warp takes a batch of tokens at a time, those that start in the next 64 compressed bytes, which lie in shared
// memory: each lane looks where a token would end that started at one of its two bytes, and doubling finds which are
// real. Then each lane reads one whole token, and a scan tells where its output goes. For the output each lane takes
// every 32nd byte: marks at the tokens' first bytes, counted by a ballot, tell its token, and the token where the byte
// comes from. A byte copied from within the same 128 is traced to one that is not, so that no lane waits for another's
// store: literals come from the window, all else from device memory, in one trip for the 128. Literals of many bytes,
// and what LZ4 spells with more than one further byte, are copied as ranges, 16 bytes a lane at a time.
//
// Expected cost, in warp instructions as the compiler emits them for sm_90: 265 a batch, 35 for every 32 bytes of output,
// 45 for every 128, and 20 for each turn of tracing. Words of 7 bytes make 25 tokens and 180 bytes a batch: 25
// instructions a token, 3.3 a byte. Numbers of 3 random bytes and 5 zeros make 21 tokens and 85 bytes: 25 a token, 6 a
// byte. An H100 issues some 900 billion a second, so 150 to 270 GB/s is the bound. One batch alone takes about 1,500
// cycles; 36 warps an SM hide that.
//
// A block has 2 warps, each with its own page and 2 KB of shared memory. Warps do not meet: all barriers are for the
// lanes of one. Every length is checked before it is used; a malformed page raises, and zeros follow what was written
// before the batch with the error.

struct WfBlob {
  u64 source;
  u64 target;
  u32 source_bytes;
  u32 target_bytes;
  u32 codec;
  u32 item;
};

WF_KERNEL(64) decompress(const WfBlob* blobs, u32 count, WfError* error) {
  __shared__ Shared shared[2];
  u32 index = (u32)(wf_grid_thread() / WF_WARP);
  if (index >= count) return;
  WfBlob blob = blobs[index];
  Page page = {(const u8*)blob.source, (u8*)blob.target, blob.source_bytes, blob.target_bytes, 0, 0, 0,
               make_uint4(0, 0, 0, 0), &shared[wf_warp_id()]};
  ((u32*)page.shared->marks)[wf_lane_id()] = 0;
  bool good = false;
  // Places in a page are signed.
  if ((blob.source_bytes | blob.target_bytes) >> 31 == 0) {
    if (blob.codec == WF_CODEC_SNAPPY) good = snappy(&page);
    else if (blob.codec == WF_CODEC_LZ4) good = copy_tokens<Lz4>(&page);
    else good = long_literal(&page, blob.source_bytes);
  }
  if (good && page.out == blob.target_bytes) return;
  if (wf_lane_id() == 0) wf_raise(error, good ? WF_BAD_SIZE : WF_BAD_COMPRESSION, blob.item);
  for (u64 i = page.out + wf_lane_id(); i < blob.target_bytes; i += WF_WARP) page.target[i] = 0;
}
