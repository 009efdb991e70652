// First pass over all pages: where levels and values lie, and where the runs of each tile start.
//
// Two warps a page, one for the levels and one for the values; a block holds four pages. One lane walks the run
// headers, because each header says where the next one is; nothing is shared between threads.

// Notes the run in which each tile of `limit` values starts. Tiles that the stream does not reach start at its end,
// where decoding finds that values are missing.
WF_DEVICE bool index_runs(const u8* data, u32 bytes, u32 width, u32 limit, WfRunStart* starts) {
  u32 at = 0, tile = 0, tiles = wf_tiles(limit);
  u64 value = 0;
  bool good = true;
  WfRun run;
  while (value < limit && at < bytes) {
    good = wf_read_run(data, bytes, width, at, &run);
    if (!good) break;
    for (; tile < tiles && (u64)tile * WF_TILE < value + run.count; tile++) starts[tile] = WfRunStart{at, (u32)value};
    value += run.count;
    at = run.next;
  }
  for (; tile < tiles; tile++) starts[tile] = WfRunStart{bytes, (u32)wf_min<u64>(value, limit)};
  return good;
}

WF_KERNEL(256) index_pages(WfPage* pages, u32 count, WfRunStart* level_starts, WfRunStart* value_starts, WfError* error) {
  u32 warp = (u32)(wf_grid_thread() / WF_WARP), index = warp / 2u;
  if (index >= count || wf_lane_id() != 0) return;
  WfPage* page = pages + index;
  u64 levels, values;
  u32 levels_len, values_len;
  if (!find_sections(page, &levels, &levels_len, &values, &values_len)) {
    wf_raise(error, WF_BAD_LENGTH, page->item);
    levels_len = values_len = 0;
  }
  if (warp % 2u == 0) {
    page->levels = levels;
    page->levels_len = levels_len;
    if (page->max_level == 0) return;
    u32 width = wf_bit_width(page->max_level);
    if (!index_runs((const u8*)levels, levels_len, width, page->rows, level_starts + page->first_tile))
      wf_raise(error, WF_BAD_RUN, page->item);
    return;
  }
  u32 width = page->encoding == WF_RUN_LENGTH ? 1u : 0u;
  if (page->encoding == WF_DICTIONARY && values_len > 0) {
    width = *(const u8*)values;
    values += 1;
    values_len -= 1;
    if (width > 32u) {
      wf_raise(error, WF_BAD_RUN, page->item);
      width = values_len = 0;
    }
  }
  page->values = values;
  page->values_len = values_len;
  page->index_width = width;
  if (page->encoding != WF_DICTIONARY && page->encoding != WF_RUN_LENGTH) return;
  if (!index_runs((const u8*)values, values_len, width, page->rows, value_starts + page->first_tile))
    wf_raise(error, WF_BAD_RUN, page->item);
}
