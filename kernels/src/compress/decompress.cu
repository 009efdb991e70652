// Snappy and raw LZ4: a warp a page, one launch for all pages of a partition.
//
// A warp takes a batch of tokens at a time, those that start in the next 32 compressed bytes, which lie in shared
// memory: each lane reads the token that would start at its byte, doubling finds which of them are real, a scan where
// their output goes. Then each lane takes every 32nd byte of the output: a bit mask tells its token, and the token
// where the byte comes from. A byte copied from within the same 128 bytes is traced to one that is not, so that no
// lane waits for another's store; matches read device memory, literals the window. Literals above 128 bytes, and
// what LZ4 spells with more than one further byte, are copied as ranges, 16 bytes a lane at a time.
//
// Expected cost, in warp instructions: 120 a batch, and 35 for every 32 bytes of output and 20 for each turn of
// tracing. Short matches give 40 to 100 bytes a batch, so 3 to 6 instructions a byte, where an H100 issues about 900
// billion a second; and one trip to device memory a batch, some 1,000 cycles in all, which 32 warps an SM overlap.
//
// A block has 2 warps, each with its own page and 1.75 KiB of shared memory. Warps do not meet: all barriers are for
// the lanes of one. Every length is checked before it is used; a malformed page raises, and zeros follow what was
// written before the batch with the error.

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
