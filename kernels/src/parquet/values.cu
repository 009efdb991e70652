// Values to the output: a block a tile of any page of any column, so that one launch decodes a partition.
//
// The block finds which of its rows hold values (a prefix count of the validity words), collects the runs of its
// indexes where the page has a dictionary, and then each thread carries values to their rows. Rows without a value
// become zero, rows that are not kept are left out. Every read is checked against the page's length: what is missing raises and is zero.

struct WfTile {
  u32 words[WF_TILE / 32 + 1];   // validity of the tile's rows, by output word
  u32 before[WF_TILE / 32 + 1];  // values before each word, within the tile
};

// Fills `tile` for output rows first to last - 1. Called by all threads; the first warps do the work.
WF_DEVICE void load_validity(const WfPage* page, u64 first, u64 last, WfTile* tile) {
  u32 words = (u32)((last + 31u) / 32u - first / 32u);
  const u32* validity = (const u32*)page->validity;
  for (u32 i = threadIdx.x; i < words; i += blockDim.x) {
    u64 row = (first & ~31ull) + i * 32ull;
    u32 word = page->max_level > 0 && validity != 0 ? validity[row >> 5] : 0xffffffffu;
    if (row < first) word &= 0xffffffffu << (first - row);
    if (row + 32u > last) word &= 0xffffffffu >> (row + 32u - last);
    tile->words[i] = word;
  }
  __syncthreads();  // the words are there
  if (wf_warp_id() == 0) {
    u32 lane = wf_lane_id();
    u32 here = lane < words ? (u32)__popc(tile->words[lane]) : 0;
    u32 sum = wf_warp_scan<WfSum, u32>(here);
    if (lane < words) tile->before[lane] = sum - here;
    // One word more than lanes, where the tile does not start at a word.
    if (lane == 31u && words > 32u) tile->before[32] = sum;
  }
  __syncthreads();  // and counted
}

// The bytes of value `v`, little-endian, up to 16; longer values are copied elsewhere.
WF_DEVICE bool load_value(const WfPage* page, u32 v, u128* value) {
  u32 width = page->source_bytes;
  // Fixed-length arrays put together from differences lie as plain ones do; their scratch served only for that.
  if (page->scratch != 0 && (page->encoding != WF_DELTA_BYTE_ARRAY || page->conversion == WF_STRING)) {
    if (v >= page->value_count) return false;
    *value = width == 16u ? ((const u128*)page->scratch)[v] : (u128)((const u64*)page->scratch)[v];
    return true;
  }
  const u8* data = (const u8*)page->values;
  if (page->encoding == WF_BYTE_STREAM_SPLIT) {
    u32 values = page->value_count;
    if (v >= values || (u64)values * width > page->values_len) return false;
    u128 bytes = 0;
    for (u32 i = 0; i < width; i++) bytes |= (u128)data[(u64)i * values + v] << (8u * i);
    *value = bytes;
    return true;
  }
  if (((u64)v + 1u) * width > page->values_len) return false;
  const u8* at = data + (u64)v * width;
  u64 low = wf_unpack(at, 0, wf_min(width, 8u) * 8u);
  u64 high = width > 8u ? wf_unpack(at + 8, 0, (width - 8u) * 8u) : 0;
  *value = (u128)high << 64 | low;
  return true;
}

// A big-endian number of any length as 128 bits; false if it does not fit into `output` bytes.
WF_DEVICE bool from_big_endian(const u8* bytes, u32 width, u32 output, u128* value) {
  i128 number = width > 0 && (bytes[0] & 128u) != 0 ? -1 : 0;
  i128 sign = number;
  for (u32 i = 0; i < width; i++) {
    if (i + 16u < width && bytes[i] != (u8)sign) return false;
    number = (i128)((u128)number << 8 | bytes[i]);
  }
  *value = (u128)number;
  if (width > 16u && (number < 0) != (sign < 0)) return false;
  return output >= 16u || number == (i128)(output == 8u ? (i64)number : (i64)(i32)number);
}

// A big-endian number that was loaded as little-endian bytes, at most 16.
WF_DEVICE bool swap_big_endian(u128 bytes, u32 width, u32 output, u128* value) {
  u8 ordered[16];
  for (u32 i = 0; i < width; i++) ordered[i] = (u8)(bytes >> (8u * i));
  return from_big_endian(ordered, width, output, value);
}

// 12 bytes: nanoseconds of the day, then the Julian day, of which 2440588 is the first of January 1970. Wraps as the
// CPU's reader does.
WF_DEVICE u128 from_int96(u128 bytes) {
  u64 nanoseconds = (u64)bytes;
  i64 days = (i64)(i32)(u32)(bytes >> 64) - 2440588;
  return (u128)((u64)days * 86400000000000ull + nanoseconds);
}

WF_DEVICE bool convert(const WfPage* page, u128 raw, u128* value) {
  if (page->conversion == WF_SIGNED) {
    *value = (u128)(page->source_bytes == 4u ? (i128)(i32)(u32)raw : (i128)(i64)(u64)raw);
    return true;
  }
  if (page->conversion == WF_BIG_ENDIAN) return swap_big_endian(raw, page->source_bytes, page->output_bytes, value);
  *value = page->conversion == WF_INT96 ? from_int96(raw) : raw;
  return true;
}

WF_DEVICE void store_value(const WfPage* page, u64 row, u128 value) {
  switch (page->output_bytes) {
    case 1: ((u8*)page->output)[row] = (u8)value; break;
    case 2: ((u16*)page->output)[row] = (u16)value; break;
    case 4: ((u32*)page->output)[row] = (u32)value; break;
    case 8: ((u64*)page->output)[row] = (u64)value; break;
    case 16: ((u128*)page->output)[row] = value; break;
    default: {
      u8* target = (u8*)page->output + row * page->output_bytes;
      for (u32 i = 0; i < page->output_bytes; i++) target[i] = i < 16u ? (u8)(value >> (8u * i)) : 0;
    }
  }
}

WF_DEVICE u128 load_entry(const WfPage* page, u32 entry) {
  switch (page->output_bytes) {
    case 1: return ((const u8*)page->dictionary)[entry];
    case 2: return ((const u16*)page->dictionary)[entry];
    case 4: return ((const u32*)page->dictionary)[entry];
    case 8: return ((const u64*)page->dictionary)[entry];
    default: return ((const u128*)page->dictionary)[entry];
  }
}

// Values of more than 16 bytes, or of a width that no number has: byte by byte from where they lie.
WF_DEVICE void copy_wide(const WfPage* page, u64 row, const u8* source) {
  u8* target = (u8*)page->output + row * page->output_bytes;
  for (u32 i = 0; i < page->output_bytes; i++) target[i] = source[i];
}

WF_DEVICE bool is_wide(const WfPage* page) {
  return page->source_bytes > 16u || (page->output_bytes & (page->output_bytes - 1u)) != 0 || page->output_bytes > 16u;
}

WF_DEVICE u64 decode_wide(const WfPage* page, u64 row, u32 v, bool dictionary, u32 entry) {
  if (dictionary) {
    copy_wide(page, row, (const u8*)page->dictionary + (u64)entry * page->output_bytes);
    return 0;
  }
  u32 width = page->source_bytes;
  u64 end = ((u64)v + 1u) * width;
  const u8* data = (const u8*)page->values;
  if (page->encoding == WF_BYTE_STREAM_SPLIT) {
    u32 values = page->value_count;
    if ((u64)values * width > page->values_len) return WF_TRUNCATED;
    u8* target = (u8*)page->output + row * page->output_bytes;
    if (page->conversion != WF_SAME) return WF_BAD_SIZE;
    for (u32 i = 0; i < width; i++) target[i] = data[(u64)i * values + v];
    return 0;
  }
  if (end > page->values_len) return WF_TRUNCATED;
  if (page->conversion == WF_BIG_ENDIAN) {
    u128 value = 0;
    bool fits = from_big_endian(data + end - width, width, page->output_bytes, &value);
    store_value(page, row, fits ? value : (u128)0);
    return fits ? 0 : WF_BAD_CAST;
  }
  copy_wide(page, row, data + end - width);
  return 0;
}

// Carries value `v` to `row`; returns what to raise, or 0.
WF_DEVICE u64 decode_value(const WfPage* page, const WfTileRuns* runs, u64 row, u32 v) {
  u128 value = 0;
  if (page->encoding == WF_DICTIONARY) {
    u32 entry;
    if (!wf_run_value(runs, (const u8*)page->values, page->values_len, page->index_width, v, &entry)) return WF_TRUNCATED;
    if (entry >= page->dictionary_count) return WF_BAD_DICTIONARY_INDEX;
    if (page->conversion == WF_CODE) value = (u128)(entry + page->code_base);
    else if (is_wide(page)) return decode_wide(page, row, v, true, entry);
    else value = load_entry(page, entry);
  } else {
    if (is_wide(page)) return decode_wide(page, row, v, false, 0);
    u128 raw;
    if (!load_value(page, v, &raw)) return WF_TRUNCATED;
    if (!convert(page, raw, &value)) return WF_BAD_CAST;
  }
  store_value(page, row, value);
  return 0;
}

WF_DEVICE bool decode_boolean(const WfPage* page, const WfTileRuns* runs, u32 v, bool* good) {
  const u8* data = (const u8*)page->values;
  u32 bit = 0;
  if (page->encoding == WF_RUN_LENGTH) {
    *good = wf_run_value(runs, data, page->values_len, 1, v, &bit);
    return bit != 0;
  }
  *good = v / 8u < page->values_len;
  return *good && (data[v / 8u] >> (v % 8u) & 1u) != 0;
}

WF_KERNEL(256) decode_values(const WfPage* pages, u32 count, const WfRunStart* starts, const u32* tile_values, WfError* error) {
  __shared__ WfTileRuns runs;
  __shared__ WfTile validity;
  u32 tile = blockIdx.x;
  const WfPage* page = pages + wf_page_of(pages, count, tile);
  WfTileRows rows = wf_tile_rows(page, tile);
  if (rows.kept0 == rows.kept1) return;
  u64 first = page->first_row + (rows.kept0 - page->skip), last = first + (rows.kept1 - rows.kept0);
  u32 v0 = tile_values[tile] + (rows.kept0 > rows.row0 ? page->skipped_values : 0u);
  load_validity(page, first, last, &validity);
  u32 last_word = (u32)((last - 1u) / 32u - first / 32u);
  u32 v1 = v0 + validity.before[last_word] + (u32)__popc(validity.words[last_word]);
  bool hybrid = page->encoding == WF_DICTIONARY || page->encoding == WF_RUN_LENGTH;
  if (hybrid && v1 > v0) {
    WfRunStart start = starts[page->first_tile + v0 / WF_TILE];
    wf_collect_runs((const u8*)page->values, page->values_len, page->index_width, start, v0, v1, &runs);
  }
  bool boolean = page->conversion == WF_BOOLEAN;
  for (u64 start = first & ~31ull; start < last; start += blockDim.x) {
    u64 row = start + threadIdx.x;
    u32 word = (u32)(row / 32u - first / 32u), bit = (u32)(row % 32u);
    bool inside = row >= first && row < last;
    bool valid = inside && (validity.words[word] >> bit & 1u) != 0;
    u32 v = valid ? v0 + validity.before[word] + (u32)__popc(validity.words[word] & ((1u << bit) - 1u)) : 0;
    u64 flag = 0;
    if (boolean) {
      bool good = true;
      bool set = valid && decode_boolean(page, &runs, v, &good);
      u32 bits = __ballot_sync(WF_ALL_LANES, set);
      u64 word_row = row - bit;
      if (bit == 0 && bits != 0) {
        if (word_row >= first && word_row + 32u <= last) ((u32*)page->output)[word_row >> 5] = bits;
        else atomicOr((u32*)page->output + (word_row >> 5), bits);
      }
      flag = good ? 0 : WF_TRUNCATED;
    } else if (valid) {
      flag = decode_value(page, &runs, row, v);
      if (flag != 0) store_value(page, row, 0);
    } else if (inside) {
      store_value(page, row, 0);
    }
    if (flag != 0) wf_raise(error, flag, page->item);
  }
}
