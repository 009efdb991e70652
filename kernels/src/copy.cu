// Words of pinned host memory to the device, by one block.
WF_KERNEL(256) copy_words(const u64* from, u64 words, u64* to) {
  for (u64 at = threadIdx.x; at < words; at += blockDim.x) to[at] = from[at];
}
