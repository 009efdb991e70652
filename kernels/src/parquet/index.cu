// First pass over all pages: where levels and values lie, where the runs of each tile start, and which page each tile is of.
//
// Two warps a page, one for the levels and one for the values; a block holds four pages. One lane walks the run
// headers, because each header says where the next one is; the other lanes help to bring the bytes into shared memory,
// of which each warp has a part of its own.

// Long runs are jumped over, so little is loaded at a time until headers turn out to lie close together.
#define FEW_BYTES 128u
#define MANY_BYTES 1024u
// The longest header, and a repeated value after it.
#define HEADER_BYTES 14u

struct RunWindow {
  u32 words[MANY_BYTES / 4];
};

// Notes the run in which each tile of `limit` values starts. Tiles that the stream does not reach start at its end,
// where decoding finds that values are missing. All lanes call.
WF_DEVICE bool index_runs(const u8* data, u32 bytes, u32 width, u32 limit, WfRunStart* starts, RunWindow* window) {
  u32 at = 0, tile = 0, tiles = wf_tiles(limit), wanted = FEW_BYTES, lane = wf_lane_id();
  u64 value = 0;
  bool good = true;
  while (good && value < limit && at < bytes) {
    u32 skew = (u32)((u64)(data + at) & 3u);
    const u32* words = (const u32*)(data + at - skew);
    u32 loaded = (u32)wf_min<u64>(wanted, ((u64)skew + (bytes - at) + 3u) / 4u * 4u);
    __syncwarp();  // the last window is no longer read
    for (u32 i = lane; i < loaded / 4u; i += WF_WARP) window->words[i] = words[i];
    __syncwarp();  // the window is there
    u32 found = 0;
    if (lane == 0) {
      // Where the stream would start if it lay where the window does.
      const u8* moved = (const u8*)((u64)window->words + skew - at);
      u32 first = at, held = loaded - skew;
      bool last = held >= bytes - at;
      while (value < limit && at < bytes && (last || at - first + HEADER_BYTES <= held)) {
        WfRun run;
        good = wf_read_run(moved, bytes, width, at, &run);
        if (!good) break;
        for (; tile < tiles && (u64)tile * WF_TILE < value + run.count; tile++) starts[tile] = WfRunStart{at, (u32)value};
        value += run.count;
        at = run.next;
        found++;
        // A run may end anywhere behind the window.
        if (at - first >= held) break;
      }
    }
    at = wf_shfl(at, 0);
    value = wf_shfl(value, 0);
    good = wf_shfl((u32)good, 0) != 0;
    wanted = wf_shfl(found, 0) >= 4u ? MANY_BYTES : FEW_BYTES;
  }
  if (lane == 0)
    for (; tile < tiles; tile++) starts[tile] = WfRunStart{bytes, (u32)wf_min<u64>(value, limit)};
  return good;
}

WF_KERNEL(256) index_pages(WfPage* pages, u32 count, WfRunStart* level_starts, WfRunStart* value_starts,
                        u32* tile_values, u32* tile_pages, WfError* error) {
  __shared__ RunWindow windows[8];
  u32 warp = (u32)(wf_grid_thread() / WF_WARP), index = warp / 2u;
  if (index >= count) return;
  RunWindow* window = &windows[wf_warp_id()];
  bool leads = wf_lane_id() == 0;
  WfPage* page = pages + index;
  u64 levels, values;
  u32 levels_len, values_len;
  if (!find_sections(page, &levels, &levels_len, &values, &values_len)) {
    if (leads) wf_raise(error, WF_BAD_LENGTH, page->item);
    levels_len = values_len = 0;
  }
  if (warp % 2u == 0) {
    if (leads) {
      page->levels = levels;
      page->levels_len = levels_len;
    }
    u32 tiles = wf_tiles(page->rows);
    for (u32 tile = wf_lane_id(); tile < tiles; tile += WF_WARP) tile_pages[page->first_tile + tile] = index;
    if (!wf_has_levels(page)) {
      for (u32 tile = wf_lane_id(); tile < tiles; tile += WF_WARP)
        tile_values[page->first_tile + tile] = wf_min(WF_TILE, page->rows - tile * WF_TILE);
      if (leads) page->skipped_values = page->skip % WF_TILE;
    }
    if (page->max_level == 0) return;
    u32 width = wf_bit_width(page->max_level);
    if (!index_runs((const u8*)levels, levels_len, width, page->rows, level_starts + page->first_tile, window) && leads)
      wf_raise(error, WF_BAD_RUN, page->item);
    return;
  }
  u32 width = page->encoding == WF_RUN_LENGTH ? 1u : 0u;
  if (page->encoding == WF_DICTIONARY && values_len > 0) {
    width = *(const u8*)values;
    values += 1;
    values_len -= 1;
    if (width > 32u) {
      if (leads) wf_raise(error, WF_BAD_RUN, page->item);
      width = values_len = 0;
    }
  }
  if (leads) {
    page->values = values;
    page->values_len = values_len;
    page->index_width = width;
  }
  if (page->encoding != WF_DICTIONARY && page->encoding != WF_RUN_LENGTH) return;
  if (!index_runs((const u8*)values, values_len, width, page->rows, value_starts + page->first_tile, window) && leads)
    wf_raise(error, WF_BAD_RUN, page->item);
}
