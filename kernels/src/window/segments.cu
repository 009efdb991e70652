// Sorted rows by segments: partitions, or peers. A segment begins at each set bit of a bitmap whose first bit is set and
// whose bits after the last row are not.
//
// A tile is 8192 rows: 256 threads, a word of the bitmap each. `tiles` has the number of segments that begin before each
// tile, `total` that of all.

// Writes the segment of each row, the first row of each segment, and behind those the number of rows. A warp takes its
// 32 words one after the other, so that numbers are written side by side.
WF_KERNEL(256) number_segments(const u32* begins, u64 rows, const u64* tiles, const u64* total, u32* ids, u32* firsts) {
  __shared__ WfBlockScratch<u32> scratch;
  u64 word = wf_grid_thread();
  u32 mine = word * 32u < rows ? begins[word] : 0u, all;
  u32 before = (u32)tiles[blockIdx.x] + wf_block_exclusive_sum<u32>((u32)__popc(mine), &scratch, &all);
  u64 first_row = (word - wf_lane_id()) * 32u;
  for (u32 i = 0; i < WF_WARP; i++) {
    u32 bits = wf_shfl(mine, i), start = wf_shfl(before, i);
    u64 row = first_row + i * 32u + wf_lane_id();
    if (row >= rows) continue;
    u32 here = bits >> wf_lane_id() & 1u, id = start + (u32)__popc(bits & wf_lanes_below()) + here - 1u;
    ids[row] = id;
    if (here != 0) firsts[id] = (u32)row;
  }
  if (word == 0) firsts[*total] = (u32)rows;
}

// Where each row stands in an order of rows.
WF_KERNEL(256) invert_order(const u32* order, u64 rows, u32* places) {
  u64 at = wf_grid_thread();
  if (at < rows) places[order[at]] = (u32)at;
}
