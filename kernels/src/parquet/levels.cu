// Definition levels to validity, and the number of values before each tile.

// A block a tile. Threads take rows by output word, so that a warp's ballot is a word of the bitmap: words inside the
// tile are stored, words that another tile shares are OR-ed into a bitmap that was zero.
WF_KERNEL(256) decode_levels(const WfPage* pages, u32 count, const WfRunStart* starts, u32* tile_values, WfError* error) {
  __shared__ WfTileRuns runs;
  __shared__ u32 valid_in_tile;
  u32 tile = blockIdx.x;
  const WfPage* page = pages + wf_page_of(pages, count, tile);
  u32 row0 = (tile - page->first_tile) * WF_TILE, row1 = wf_min(row0 + WF_TILE, page->rows);
  const u8* data = (const u8*)page->levels;
  u32 width = wf_bit_width(page->max_level), bytes = page->levels_len;
  if (page->max_level == 0 && page->validity == 0) {
    if (threadIdx.x == 0) tile_values[tile] = row1 - row0;
    return;
  }
  if (threadIdx.x == 0) valid_in_tile = 0;
  if (page->max_level > 0) wf_collect_runs(data, bytes, width, starts[tile], row0, row1, &runs);
  else __syncthreads();  // the counter is zero
  u64 first = page->first_row + row0, last = page->first_row + row1;
  u32* validity = (u32*)page->validity;
  for (u64 start = first & ~31ull; start < last; start += blockDim.x) {
    u64 row = start + threadIdx.x;
    bool inside = row >= first && row < last;
    u32 level = page->max_level;
    if (inside && page->max_level > 0 &&
        !wf_run_value(&runs, data, bytes, width, (u32)(row - page->first_row), &level)) {
      wf_raise(error, WF_TRUNCATED, page->item);
      level = 0;
    }
    if (level > page->max_level) wf_raise(error, WF_BAD_LEVEL, page->item);
    u32 word = __ballot_sync(WF_ALL_LANES, inside && level == page->max_level);
    u64 word_row = row - wf_lane_id();
    if (wf_lane_id() == 0 && word != 0) {
      atomicAdd(&valid_in_tile, (u32)__popc(word));
      if (validity != 0) {
        if (word_row >= first && word_row + 32u <= last) validity[word_row >> 5] = word;
        else atomicOr(validity + (word_row >> 5), word);
      }
    }
  }
  __syncthreads();  // all rows are counted
  if (threadIdx.x == 0) tile_values[tile] = valid_in_tile;
}

// A warp a page: the counts of its tiles become the number of values before each, within the page.
WF_KERNEL(256) count_values(WfPage* pages, u32 count, u32* tile_values) {
  u32 index = (u32)(wf_grid_thread() / WF_WARP);
  if (index >= count) return;
  WfPage* page = pages + index;
  u32 tiles = wf_tiles(page->rows), before = 0;
  for (u32 start = 0; start < tiles; start += WF_WARP) {
    u32 tile = start + wf_lane_id();
    u32 here = tile < tiles ? tile_values[page->first_tile + tile] : 0;
    u32 sum = wf_warp_scan<WfSum, u32>(here);
    if (tile < tiles) tile_values[page->first_tile + tile] = before + sum - here;
    before += wf_shfl(sum, 31);
  }
  if (wf_lane_id() == 0) page->value_count = before;
}
