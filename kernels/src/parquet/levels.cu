// Definition levels to validity, and the number of values before each tile.

// Whether a row has a value, as the runs of its tile say.
WF_DEVICE bool has_value(const WfPage* page, const WfTileRuns* runs, u32 row, WfError* error) {
  if (page->max_level == 0) return true;
  u32 level;
  if (!wf_run_value(runs, (const u8*)page->levels, page->levels_len, wf_bit_width(page->max_level), row, &level)) {
    wf_raise(error, WF_TRUNCATED, page->item);
    return false;
  }
  if (level > page->max_level) wf_raise(error, WF_BAD_LEVEL, page->item);
  return level == page->max_level;
}

// A block a tile of a page with levels. Threads take kept rows by output word, so that a warp's ballot is a word of the bitmap: words inside
// the tile are stored, words that another tile shares are OR-ed into a bitmap that was zero. Rows that are not kept are
// counted too, because the values of kept ones stand behind theirs.
WF_KERNEL(256) decode_levels(WfPage* pages, const u32* tile_pages, const WfRunStart* starts, u32* tile_values, WfError* error) {
  __shared__ WfTileRuns runs;
  __shared__ u32 valid_in_tile, valid_before;
  u32 tile = blockIdx.x;
  WfPage* page = pages + tile_pages[tile];
  WfTileRows rows = wf_tile_rows(page, tile);
  bool has_first = page->skip >= rows.row0 && page->skip < rows.row1;
  if (threadIdx.x == 0) valid_in_tile = valid_before = 0;
  if (page->max_level > 0)
    wf_collect_runs((const u8*)page->levels, page->levels_len, wf_bit_width(page->max_level), starts[tile], rows.row0, rows.row1, &runs);
  else __syncthreads();  // the counters are zero
  u64 first = page->first_row + (rows.kept0 - page->skip), last = first + (rows.kept1 - rows.kept0);
  if (rows.kept0 == rows.kept1) last = first & ~31ull;
  u32* validity = (u32*)page->validity;
  for (u64 start = first & ~31ull; start < last; start += blockDim.x) {
    u64 row = start + threadIdx.x;
    bool inside = row >= first && row < last;
    bool valid = inside && has_value(page, &runs, rows.kept0 + (u32)(row - first), error);
    u32 word = __ballot_sync(WF_ALL_LANES, valid);
    u64 word_row = row - wf_lane_id();
    if (wf_lane_id() == 0 && word != 0) {
      atomicAdd(&valid_in_tile, (u32)__popc(word));
      if (validity != 0) {
        if (word_row >= first && word_row + 32u <= last) validity[word_row >> 5] = word;
        else atomicOr(validity + (word_row >> 5), word);
      }
    }
  }
  for (u32 row = rows.row0 + threadIdx.x; row < rows.row1; row += blockDim.x) {
    if (row >= rows.kept0 && row < rows.kept1) continue;
    if (!has_value(page, &runs, row, error)) continue;
    atomicAdd(&valid_in_tile, 1u);
    if (row < rows.kept0) atomicAdd(&valid_before, 1u);
  }
  __syncthreads();  // all rows are counted
  if (threadIdx.x == 0) {
    tile_values[tile] = valid_in_tile;
    if (has_first) page->skipped_values = valid_before;
  }
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
