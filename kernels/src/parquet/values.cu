// Values to the output: a block a tile of any page of any column, so that one launch decodes a partition.
//
// The block finds which of its rows hold values (a prefix count of the validity words), collects the runs of its
// indexes where the page has a dictionary, and then each thread carries values to their rows: it loads all of its values
// before it stores the first, because a tile's time is that of its loads. Rows without a value become zero, or a code that
// no entry has; rows that are not kept are left out. Every read is checked against the page's length: what is missing
// raises and is zero.

#define WF_TILE_THREADS 256u
// Rows of a tile that a thread carries.
#define WF_ITEMS (WF_TILE / WF_TILE_THREADS)

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
    u32 word = validity != 0 ? validity[row >> 5] : 0xffffffffu;
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

// The value that output row `row` holds, or WF_NO_VALUE. Without levels every row of the tile has one.
#define WF_NO_VALUE 0xffffffffu
WF_DEVICE u32 value_of(const WfPage* page, const WfTile* tile, u64 first, u64 last, u64 row, u32 v0) {
  if (row < first || row >= last) return WF_NO_VALUE;
  if (page->max_level == 0) return v0 + (u32)(row - first);
  u32 word = (u32)(row / 32u - first / 32u), bit = (u32)(row % 32u);
  if ((tile->words[word] >> bit & 1u) == 0) return WF_NO_VALUE;
  return v0 + tile->before[word] + (u32)__popc(tile->words[word] & ((1u << bit) - 1u));
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
  WF_ROLLED for (u32 i = 0; i < width; i++) {
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

// A value in the output's form; false if it does not fit.
WF_DEVICE bool convert(const WfPage* page, u128 raw, u128* value) {
  if (page->conversion == WF_SIGNED) {
    *value = (u128)(page->source_bytes == 4u ? (i128)(i32)(u32)raw : (i128)(i64)(u64)raw);
    return true;
  }
  if (page->conversion == WF_BIG_ENDIAN) return swap_big_endian(raw, page->source_bytes, page->output_bytes, value);
  *value = page->conversion == WF_INT96 ? from_int96(raw) : raw;
  return true;
}

// Whether values lie one after the other as the numbers that they are.
WF_DEVICE bool is_plain_number(const WfPage* page) {
  bool is_number = page->conversion == WF_SAME || page->conversion == WF_SIGNED;
  return page->encoding == WF_PLAIN && page->scratch == 0 && is_number && page->source_bytes <= 8u;
}

WF_DEVICE void store_value(const WfPage* page, u64 row, u128 value) {
  switch (page->output_bytes) {
    case 1: ((u8*)page->output)[row] = (u8)value; break;
    case 2: ((u16*)page->output)[row] = (u16)value; break;
    case 4: ((u32*)page->output)[row] = (u32)value; break;
    case 8: ((u64*)page->output)[row] = (u64)value; break;
    default: ((u128*)page->output)[row] = value;
  }
}

// Entries of a dictionary of `E`: those of a thread's rows of which `there` has the bit, zero for others.
template <typename E, typename T>
WF_DEVICE void load_entries(const WfPage* page, const u32* entries, u32 there, T* values) {
#pragma unroll
  for (u32 i = 0; i < WF_ITEMS; i++) values[i] = (there >> i & 1u) == 0 ? (T)0 : (T)((const E*)page->dictionary)[entries[i]];
}

// The values that a thread carries to its rows of an output of `O`.
template <typename O, typename T>
WF_DEVICE void store_as(const WfPage* page, u64 first, u64 last, const T* values) {
#pragma unroll
  for (u32 i = 0; i < WF_ITEMS; i++) {
    u64 row = first + threadIdx.x + i * WF_TILE_THREADS;
    if (row < last) ((O*)page->output)[row] = (O)values[i];
  }
}
WF_DEVICE void store_values(const WfPage* page, u64 first, u64 last, const u64* values) {
  if (page->output_bytes == 4u) store_as<u32>(page, first, last, values);
  else store_as<u64>(page, first, last, values);
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
  WF_ROLLED for (u32 i = 0; i < page->output_bytes; i++) target[i] = source[i];
}

WF_DEVICE void clear_wide(const WfPage* page, u64 row) {
  u8* target = (u8*)page->output + row * page->output_bytes;
  WF_ROLLED for (u32 i = 0; i < page->output_bytes; i++) target[i] = 0;
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
    WF_ROLLED for (u32 i = 0; i < width; i++) target[i] = data[(u64)i * values + v];
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

// The dictionary's entry that value `v` names; returns what to raise, or 0.
WF_DEVICE u64 find_entry(const WfPage* page, const WfTileRuns* runs, u32 v, u32* entry) {
  if (!wf_run_value(runs, (const u8*)page->values, page->values_len, page->index_width, v, entry)) return WF_TRUNCATED;
  return *entry >= page->dictionary_count ? WF_BAD_DICTIONARY_INDEX : 0;
}

// Carries values of any length.
WF_DEVICE void carry_wide(const WfPage* page, const WfTileRuns* runs, const WfTile* tile, u64 first, u64 last, u32 v0, WfError* error) {
  for (u64 row = first + threadIdx.x; row < last; row += blockDim.x) {
    u32 v = value_of(page, tile, first, last, row, v0), entry = 0;
    bool dictionary = page->encoding == WF_DICTIONARY;
    u64 flag = v != WF_NO_VALUE && dictionary ? find_entry(page, runs, v, &entry) : 0;
    if (flag == 0 && v != WF_NO_VALUE) flag = decode_wide(page, row, v, dictionary, entry);
    if (flag != 0) wf_raise(error, flag, page->item);
    if (flag != 0 || v == WF_NO_VALUE) clear_wide(page, row);
  }
}

// Loads the words of all bits: nothing between the loads waits for one of them.
WF_DEVICE void load_words(const WfBits* bits, u64* low, u64* high) {
#pragma unroll
  for (u32 i = 0; i < WF_ITEMS; i++) low[i] = bits[i].words[0];
#pragma unroll
  for (u32 i = 0; i < WF_ITEMS; i++) high[i] = bits[i].words[wf_needs_both(&bits[i]) ? 1 : 0];
}

// The plain integers and floating-point numbers of a thread's rows.
WF_DEVICE void load_plain(const WfPage* page, const WfTile* tile, u64 first, u64 last, u32 v0, u64* values, WfError* error) {
  const u8* data = (const u8*)page->values;
  u32 width = page->source_bytes;
  WfBits bits[WF_ITEMS];
  u64 low[WF_ITEMS], high[WF_ITEMS], flag = 0;
#pragma unroll
  for (u32 i = 0; i < WF_ITEMS; i++) {
    u64 row = first + threadIdx.x + i * WF_TILE_THREADS;
    u32 v = value_of(page, tile, first, last, row, v0);
    bool there = v != WF_NO_VALUE && ((u64)v + 1u) * width <= page->values_len;
    if (v != WF_NO_VALUE && !there) flag = WF_TRUNCATED;
    // No bits are zero, wherever they lie.
    bits[i] = wf_bits_at(data, there ? (u64)v * width * 8u : 0, there ? width * 8u : 0);
  }
  load_words(bits, low, high);
  bool extends = page->conversion == WF_SIGNED && width == 4u;
#pragma unroll
  for (u32 i = 0; i < WF_ITEMS; i++) {
    values[i] = wf_bits_of(&bits[i], low[i], high[i]);
    if (extends) values[i] = (u64)(i64)(i32)(u32)values[i];
  }
  if (flag != 0) wf_raise(error, flag, page->item);
}

// The dictionary's entries that the values of a thread's rows name. Returns a bit for each row that has one; of others, rows
// without a value get WF_NO_VALUE, and those whose value is missing 0.
WF_DEVICE u32 find_entries(const WfPage* page, const WfTileRuns* runs, const WfTile* tile, u64 first, u64 last, u32 v0, u32* entries, WfError* error) {
  const u8* data = (const u8*)page->values;
  WfBits bits[WF_ITEMS];
  u32 there = 0, nulls = 0;
  u64 low[WF_ITEMS], high[WF_ITEMS], flag = 0;
#pragma unroll
  for (u32 i = 0; i < WF_ITEMS; i++) {
    u64 row = first + threadIdx.x + i * WF_TILE_THREADS;
    u32 v = value_of(page, tile, first, last, row, v0);
    WfRunPlace place = WfRunPlace{0, 0, 0, false};
    if (v != WF_NO_VALUE) {
      place = wf_run_place(runs, page->values_len, page->index_width, v);
      if (place.found) there |= 1u << i;
      else flag = WF_TRUNCATED;
    } else {
      nulls |= 1u << i;
    }
    entries[i] = place.value;
    bits[i] = wf_bits_at(data, place.bit, place.width);
  }
  load_words(bits, low, high);
#pragma unroll
  for (u32 i = 0; i < WF_ITEMS; i++) {
    entries[i] += (u32)wf_bits_of(&bits[i], low[i], high[i]);
    if ((there >> i & 1u) != 0 && entries[i] >= page->dictionary_count) {
      there &= ~(1u << i);
      flag |= WF_BAD_DICTIONARY_INDEX;
    }
    if ((there >> i & 1u) == 0) entries[i] = (nulls >> i & 1u) != 0 ? WF_NO_VALUE : 0u;
  }
  if (flag != 0) wf_raise(error, flag, page->item);
  return there;
}

// Carries entries of a dictionary, their numbers, or plain numbers to an output of 4, 8 or 16 bytes.
WF_DEVICE void carry(const WfPage* page, const WfTileRuns* runs, const WfTile* tile, u64 first, u64 last, u32 v0, WfError* error) {
  u64 values[WF_ITEMS];
  if (page->encoding == WF_DICTIONARY) {
    u32 entries[WF_ITEMS];
    u32 there = find_entries(page, runs, tile, first, last, v0, entries, error);
    if (page->output_bytes > 8u) {
      u128 wide[WF_ITEMS];
      load_entries<u128>(page, entries, there, wide);
      store_as<u128>(page, first, last, wide);
      return;
    }
    if (page->conversion == WF_CODE) {
#pragma unroll
      for (u32 i = 0; i < WF_ITEMS; i++) values[i] = (there >> i & 1u) == 0 ? entries[i] : entries[i] + page->code_base;
    } else if (page->output_bytes == 4u) {
      load_entries<u32>(page, entries, there, values);
    } else {
      load_entries<u64>(page, entries, there, values);
    }
  } else {
    load_plain(page, tile, first, last, v0, values, error);
    if (page->output_bytes > 8u) {
      store_as<i128>(page, first, last, (const i64*)values);
      return;
    }
  }
  store_values(page, first, last, values);
}

// Carries values of any other form, up to 16 bytes.
WF_DEVICE void carry_others(const WfPage* page, const WfTileRuns* runs, const WfTile* tile, u64 first, u64 last, u32 v0, WfError* error) {
  for (u64 row = first + threadIdx.x; row < last; row += blockDim.x) {
    u32 v = value_of(page, tile, first, last, row, v0), entry;
    u128 raw, value = 0;
    u64 flag = 0;
    if (v != WF_NO_VALUE && page->encoding == WF_DICTIONARY) {
      flag = find_entry(page, runs, v, &entry);
      if (flag == 0) value = load_entry(page, entry);
    } else if (v != WF_NO_VALUE) {
      if (!load_value(page, v, &raw)) flag = WF_TRUNCATED;
      else if (!convert(page, raw, &value)) flag = WF_BAD_CAST;
    }
    store_value(page, row, flag == 0 ? value : (u128)0);
    if (flag != 0) wf_raise(error, flag, page->item);
  }
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

// Carries the booleans of a tile: a warp's ballot is a word of the output.
WF_DEVICE void carry_booleans(const WfPage* page, const WfTileRuns* runs, const WfTile* tile, u64 first, u64 last, u32 v0, WfError* error) {
  for (u64 start = first & ~31ull; start < last; start += blockDim.x) {
    u64 row = start + threadIdx.x;
    u32 v = value_of(page, tile, first, last, row, v0);
    bool good = true;
    bool set = v != WF_NO_VALUE && decode_boolean(page, runs, v, &good);
    u32 bits = __ballot_sync(WF_ALL_LANES, set);
    u64 word_row = row - wf_lane_id();
    if (wf_lane_id() == 0 && bits != 0) {
      if (word_row >= first && word_row + 32u <= last) ((u32*)page->output)[word_row >> 5] = bits;
      else atomicOr((u32*)page->output + (word_row >> 5), bits);
    }
    if (!good) wf_raise(error, WF_TRUNCATED, page->item);
  }
}

WF_KERNEL(256) decode_values(const WfPage* pages, const u32* tile_pages, const WfRunStart* starts, const u32* tile_values, WfError* error) {
  __shared__ WfTileRuns runs;
  __shared__ WfTile validity;
  u32 tile = blockIdx.x;
  // A copy, which no store into the output can change.
  const WfPage page = pages[tile_pages[tile]];
  WfTileRows rows = wf_tile_rows(&page, tile);
  if (rows.kept0 == rows.kept1) return;
  u64 first = page.first_row + (rows.kept0 - page.skip), last = first + (rows.kept1 - rows.kept0);
  u32 v0 = tile_values[tile] + (rows.kept0 > rows.row0 ? page.skipped_values : 0u);
  u32 v1 = v0 + (rows.kept1 - rows.kept0);
  if (page.max_level > 0) {
    load_validity(&page, first, last, &validity);
    u32 last_word = (u32)((last - 1u) / 32u - first / 32u);
    v1 = v0 + validity.before[last_word] + (u32)__popc(validity.words[last_word]);
  }
  bool hybrid = page.encoding == WF_DICTIONARY || page.encoding == WF_RUN_LENGTH;
  if (hybrid && v1 > v0) {
    WfRunStart start = starts[page.first_tile + v0 / WF_TILE];
    wf_collect_runs((const u8*)page.values, page.values_len, page.index_width, start, v0, v1, &runs);
  }
  if (page.conversion == WF_BOOLEAN) {
    carry_booleans(&page, &runs, &validity, first, last, v0, error);
  } else if (is_wide(&page) && page.conversion != WF_CODE) {
    carry_wide(&page, &runs, &validity, first, last, v0, error);
  } else if (page.output_bytes < 4u || (page.encoding != WF_DICTIONARY && !is_plain_number(&page))) {
    carry_others(&page, &runs, &validity, first, last, v0, error);
  } else {
    carry(&page, &runs, &validity, first, last, v0, error);
  }
}
