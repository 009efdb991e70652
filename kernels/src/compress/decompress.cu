// Snappy and raw LZ4: one launch for all pages of a partition. A block of 8 warps takes one large page, or 8 small ones,
// a warp each.
//
// WORDS

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

// The first `large` of the pages have a block each.
WF_KERNEL(BLOCK_THREADS) decompress(const WfBlob* blobs, u32 count, u32 large, WfError* error) {
  __shared__ Room room;
  if (blockIdx.x < large) {
    decompress_page<BlockPage>(blobs[blockIdx.x], &room.block, error);
    return;
  }
  u64 index = large + (u64)(blockIdx.x - large) * BLOCK_WARPS + wf_warp_id();
  if (index < count) decompress_page<Page>(blobs[index], &room.warps[wf_warp_id()], error);
}
