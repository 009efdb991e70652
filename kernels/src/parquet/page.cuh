// What all kernels of Parquet decoding share: the page descriptor, and the hybrid of run-length and bit-packed values
// that Parquet calls RLE. Layouts agree with page.rs; constants come from there.
//
// A page is cut into tiles of WF_TILE rows; tiles are numbered through all pages of a launch, those of pages with levels
// first. Rows count nulls, values do not.
struct WfPage {
  u64 section;           // the uncompressed page body
  u64 output;            // element 0 of the column's values
  u64 validity;          // the column's bitmap, or 0
  u64 dictionary;        // dictionary entries in the output's form, or room for strings put together, or 0
  u64 scratch;           // room for the page's values in a form that tiles can read, or 0
  u64 first_row;         // output row of the first row that is kept
  u32 section_bytes;
  u32 rows;
  u32 level_bytes;       // length of the levels, or WF_LEVELS_PREFIXED
  u32 max_level;         // level of a value that is there; 0: every value is
  u32 dictionary_count;  // entries, or bytes of room
  u32 first_tile;
  u32 encoding;
  u32 conversion;
  u32 source_bytes;      // width of a value in the page
  u32 output_bytes;      // width of a value in the output
  u32 item;              // what the error word reports
  u32 code_base;         // added to a dictionary index that is kept as a code
  u32 skip;              // rows before the first one that is kept
  u32 kept;              // rows that are kept, one after the other
  // Filled by index_pages:
  u64 levels;
  u64 values;
  u32 levels_len;
  u32 values_len;
  u32 index_width;
  u32 value_count;       // values in the page; filled by count_values
  u32 skipped_values;    // values before the first kept row in its tile; filled by decode_levels where there are levels
  u32 unused;
};

// The rows of a page that one tile holds, and those of them that are kept.
struct WfTileRows {
  u32 row0, row1, kept0, kept1;
};

// Where a run starts: its header's byte, and the number of values before it.
struct WfRunStart {
  u32 byte;
  u32 value;
};

WF_DEVICE u32 wf_tiles(u32 rows) { return (rows + WF_TILE - 1u) / WF_TILE; }
WF_DEVICE WfTileRows wf_tile_rows(const WfPage* page, u32 tile) {
  u32 row0 = (tile - page->first_tile) * WF_TILE, row1 = wf_min(row0 + WF_TILE, page->rows);
  u32 kept0 = wf_min(wf_max(page->skip, row0), row1);
  return WfTileRows{row0, row1, kept0, wf_max(wf_min(page->skip + page->kept, row1), kept0)};
}
// Whether decode_levels has something to find out.
WF_DEVICE bool wf_has_levels(const WfPage* page) { return page->max_level > 0 || page->validity != 0; }
WF_DEVICE u32 wf_bit_width(u32 largest) { return 32u - (u32)__clz((i32)largest); }

// Finds the sections of a page. False, with an empty page left, if the lengths contradict each other.
WF_DEVICE bool find_sections(const WfPage* page, u64* levels, u32* levels_len, u64* values, u32* values_len) {
  u32 bytes = page->section_bytes, before = 0, length = 0;
  *levels = *values = page->section;
  *levels_len = *values_len = 0;
  if (page->max_level > 0) {
    if (page->level_bytes == WF_LEVELS_PREFIXED) {
      if (bytes < 4u) return page->rows == 0;
      length = wf_load_u32((const u8*)page->section);
      before = 4;
    } else {
      length = page->level_bytes;
    }
    if (length > bytes - before) return false;
  }
  *levels = page->section + before;
  *levels_len = length;
  *values = page->section + before + length;
  *values_len = bytes - before - length;
  if (page->encoding == WF_RUN_LENGTH) {
    if (*values_len < 4u) return *values_len == 0;
    u32 runs = wf_load_u32((const u8*)*values);
    if (runs > *values_len - 4u) return false;
    *values += 4;
    *values_len = runs;
  }
  return true;
}

// One run: what its header says. Packed values lie at `payload`; a repeated one is `value`.
struct WfRun {
  u64 count;
  u32 payload;
  u32 next;              // byte after the run
  u32 value;
  bool packed;
};

// Reads the header at `at`. False if it is malformed; a packed run may be cut off by the end of the stream.
WF_DEVICE bool wf_read_run(const u8* data, u32 bytes, u32 width, u32 at, WfRun* run) {
  u64 header, place = at;
  if (!wf_read_varint(data, &place, bytes, &header) || header >> 40 != 0) return false;
  run->payload = (u32)place;
  run->packed = (header & 1u) != 0;
  if (run->packed) {
    u64 groups = header >> 1;
    run->count = groups * 8u;
    run->next = (u32)wf_min<u64>(place + groups * width, bytes);
    run->value = 0;
    return true;
  }
  u32 value_bytes = (width + 7u) / 8u;
  if (value_bytes > bytes - (u32)place) return false;
  run->count = header >> 1;
  run->next = (u32)place + value_bytes;
  u32 value = 0;
  for (u32 i = 0; i < value_bytes; i++) value |= (u32)data[place + i] << (8u * i);
  run->value = value;
  return true;
}

// The runs that hold the values of one tile, in shared memory. A run of length one is the shortest, so there are no
// more runs than values.
struct WfTileRuns {
  u32 first[WF_TILE + 1];    // first value of each run, ascending
  u32 payload[WF_TILE + 1];  // its packed bytes, or the value itself
  u32 packed[(WF_TILE + 32) / 32];
  u32 count;
};

// Collects the runs that cover values v0 to v1 - 1, from the start known for v0's tile. Called by all threads of a
// block; one of them walks the headers, because each says where the next one is.
WF_DEVICE void wf_collect_runs(const u8* data, u32 bytes, u32 width, WfRunStart start, u32 v0, u32 v1, WfTileRuns* runs) {
  if (threadIdx.x == 0) {
    u32 at = start.byte, found = 0, flags = 0;
    u64 value = start.value;
    WfRun run;
    while (value < v1 && at < bytes && wf_read_run(data, bytes, width, at, &run)) {
      if (value + run.count > v0 && run.count > 0) {
        runs->first[found] = (u32)value;
        runs->payload[found] = run.packed ? run.payload : run.value;
        flags |= (run.packed ? 1u : 0u) << (found % 32u);
        found++;
        if (found % 32u == 0) {
          runs->packed[found / 32u - 1u] = flags;
          flags = 0;
        }
      }
      value += run.count;
      at = run.next;
    }
    runs->packed[found / 32u] = flags;
    // Where the values end: anything from here on is missing.
    runs->first[found] = (u32)wf_min<u64>(value, 0xffffffffull);
    runs->count = found;
  }
  __syncthreads();  // the list is there
}

// Where a value of the tile lies: it is `value` plus the `width` bits behind `bit`, which are none where it is repeated.
struct WfRunPlace {
  u64 bit;
  u32 width;
  u32 value;
  bool found;
};
WF_DEVICE WfRunPlace wf_run_place(const WfTileRuns* runs, u32 bytes, u32 width, u32 v) {
  WfRunPlace place = WfRunPlace{0, 0, 0, false};
  u32 count = runs->count;
  if (count == 0 || v < runs->first[0] || v >= runs->first[count]) return place;
  u32 run = (u32)wf_last_at_most<u32>(runs->first, count, v);
  u32 payload = runs->payload[run];
  place.found = true;
  if ((runs->packed[run / 32u] >> (run % 32u) & 1u) == 0) {
    place.value = payload;
    return place;
  }
  u64 bit = (u64)(v - runs->first[run]) * width;
  place.found = payload + (bit + width + 7u) / 8u <= bytes;
  place.bit = place.found ? (u64)payload * 8u + bit : 0;
  place.width = place.found ? width : 0u;
  return place;
}

// Value `v` of the tile. False if the stream does not hold it.
WF_DEVICE bool wf_run_value(const WfTileRuns* runs, const u8* data, u32 bytes, u32 width, u32 v, u32* value) {
  WfRunPlace place = wf_run_place(runs, bytes, width, v);
  *value = place.value + (u32)wf_unpack(data, place.bit, place.width);
  return place.found;
}
