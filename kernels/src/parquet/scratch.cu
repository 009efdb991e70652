// Encodings by differences, whose values do not lie at fixed places. A warp a page turns them into values that do, in
// the page's scratch: string references of 16 bytes, or numbers of 8.

// The header of a sequence of differences, and where its blocks start.
struct Delta {
  u64 at;            // byte of the next block
  u32 miniblocks;    // in a block
  u32 miniblock;     // values in one
  u64 total;         // values in all
  u64 first;
};

WF_DEVICE bool read_delta_header(const u8* data, u32 bytes, Delta* delta) {
  u64 block, miniblocks, first;
  delta->at = 0;
  if (!wf_read_varint(data, &delta->at, bytes, &block) || !wf_read_varint(data, &delta->at, bytes, &miniblocks) ||
      !wf_read_varint(data, &delta->at, bytes, &delta->total) || !wf_read_varint(data, &delta->at, bytes, &first))
    return false;
  if (block == 0 || block > (1u << 24) || miniblocks == 0 || miniblocks > 4096u || block % miniblocks != 0) return false;
  delta->miniblocks = (u32)miniblocks;
  delta->miniblock = (u32)(block / miniblocks);
  delta->first = (u64)wf_unzigzag(first);
  return delta->miniblock % WF_WARP == 0;
}

// Walks the blocks of a sequence of `count` values, which all lanes do alike. `take` receives 32 differences at a
// time, the lane's own among them, and the index of the value that the first of them leads to.
template <class Take> WF_DEVICE bool walk_delta(const u8* data, u32 bytes, Delta* delta, u64 count, Take take) {
  u64 value = 1;
  while (value < count) {
    u64 least, widths;
    if (!wf_read_varint(data, &delta->at, bytes, &least)) return false;
    widths = delta->at;
    if (widths + delta->miniblocks > bytes) return false;
    delta->at += delta->miniblocks;
    for (u32 m = 0; m < delta->miniblocks && value < count; m++) {
      u32 width = data[widths + m];
      u64 length = (u64)delta->miniblock * width / 8u;
      if (width > 64u || length > bytes - delta->at) return false;
      for (u32 i = 0; i < delta->miniblock && value < count; i += WF_WARP, value += WF_WARP) {
        u64 packed = wf_unpack(data + delta->at, (u64)(i + wf_lane_id()) * width, width);
        take(value, packed + (u64)wf_unzigzag(least));
      }
      delta->at += length;
    }
  }
  return true;
}

WF_DEVICE bool delta_numbers(const WfPage* page) {
  const u8* data = (const u8*)page->values;
  u64* numbers = (u64*)page->scratch;
  u32 count = page->value_count, lane = wf_lane_id();
  Delta delta;
  if (count == 0) return true;
  if (!read_delta_header(data, page->values_len, &delta) || delta.total < count) return false;
  u64 last = delta.first;
  if (lane == 0) numbers[0] = last;
  return walk_delta(data, page->values_len, &delta, count, [&](u64 value, u64 difference) {
    u64 number = last + wf_warp_scan<WfSum, u64>(difference);
    if (value + lane < count) numbers[value + lane] = number;
    last = wf_shfl(number, 31);
  });
}

// Leaves `reserved` as it is: strings put together keep a length there, others have it zeroed before.
WF_DEVICE void set_rest(WfStringRef* ref, const u8* address, u32 bytes) {
  ref->address = (u64)address;
  ref->bytes = bytes;
}

// Lengths as differences, then all bytes, after the first `skipped`: one walk finds where the bytes start, another writes the references.
WF_DEVICE bool delta_strings_at(const WfPage* page, u32 skipped) {
  const u8* data = (const u8*)page->values + skipped;
  WfStringRef* refs = (WfStringRef*)page->scratch;
  u32 count = page->value_count, bytes = page->values_len - skipped, lane = wf_lane_id();
  Delta delta;
  if (count == 0) return true;
  if (!read_delta_header(data, bytes, &delta) || delta.total != count) return false;
  u64 blocks = delta.at;
  if (!walk_delta(data, bytes, &delta, count, [](u64, u64) {})) return false;
  u64 start = delta.at, length = delta.first;
  bool good = length <= bytes - start;
  if (!good) return false;
  if (lane == 0) set_rest(refs, data + start, (u32)length);
  start += length;
  delta.at = blocks;
  walk_delta(data, bytes, &delta, count, [&](u64 value, u64 difference) {
    u64 mine = length + wf_warp_scan<WfSum, u64>(difference);
    length = wf_shfl(mine, 31);
    bool inside = value + lane < count;
    bool fits = !inside || mine <= bytes;
    u64 end = start + wf_warp_scan<WfSum, u64>(inside && fits ? mine : 0);
    start = wf_shfl(end, 31);
    fits = fits && end <= bytes;
    if (inside) set_rest(refs + value + lane, fits ? data + end - mine : data, fits ? (u32)mine : 0);
    good = good && __all_sync(WF_ALL_LANES, fits);
  });
  return good;
}

// Strings that share a beginning with the one before: the lengths of the beginnings, then the rest as strings with
// lengths as differences. They are put together one after the other, in the room that the page brings, because each
// needs the one before; all lanes copy. What they need first lies in the references: the beginning's length in
// `reserved`, the rest's place and length in the others.
WF_DEVICE bool delta_byte_arrays(WfPage* page) {
  const u8* data = (const u8*)page->values;
  WfStringRef* refs = (WfStringRef*)page->scratch;
  u32 count = page->value_count, bytes = page->values_len, lane = wf_lane_id(), room = page->dictionary_count;
  Delta delta;
  if (count == 0) return true;
  if (!read_delta_header(data, bytes, &delta) || delta.total != count) return false;
  u64 shared = delta.first;
  if (lane == 0) refs[0].reserved = (u32)shared;
  bool good = shared == 0;
  good = walk_delta(data, bytes, &delta, count, [&](u64 value, u64 difference) {
    u64 mine = shared + wf_warp_scan<WfSum, u64>(difference);
    shared = wf_shfl(mine, 31);
    if (value + lane < count) refs[value + lane].reserved = (u32)wf_min<u64>(mine, 0xffffffffull);
  }) && good;
  if (!good || !delta_strings_at(page, (u32)delta.at)) return false;
  u8* text = (u8*)page->dictionary;
  u32 at = 0, last = 0;
  __syncwarp();  // the references of all lanes are there
  for (u32 start = 0; start < count; start += WF_WARP) {
    WfStringRef mine = start + lane < count ? refs[start + lane] : WfStringRef{0, 0, 0};
    __syncwarp();  // and read, before they are replaced
    for (u32 i = 0; i < WF_WARP && start + i < count; i++) {
      u32 prefix = wf_shfl(mine.reserved, i), rest = wf_shfl(mine.bytes, i);
      const u8* source = (const u8*)wf_shfl(mine.address, i);
      if (prefix > last || (u64)at + prefix + rest > room) return false;
      u8* target = text + at;
      for (u32 k = lane; k < prefix; k += WF_WARP) target[k] = target[(i64)k - last];
      for (u32 k = lane; k < rest; k += WF_WARP) target[prefix + k] = source[k];
      __syncwarp();  // the next string may start with this one
      last = prefix + rest;
      if (lane == 0) refs[start + i] = WfStringRef{(u64)target, last, 0};
      at += last;
      if (page->conversion != WF_STRING && last != page->source_bytes) return false;
    }
  }
  if (page->conversion != WF_STRING && lane == 0) {
    // Fixed-length values now lie as plain ones do.
    page->values = page->dictionary;
    page->values_len = at;
  }
  return true;
}

// The room that a page of such strings takes: all beginnings, and all bytes of the page at most. A warp a page; other
// pages take none.
WF_KERNEL(128) measure_delta_byte_arrays(const WfPage* pages, u32 count, u64* sizes, WfError* error) {
  u32 index = (u32)(wf_grid_thread() / WF_WARP);
  if (index >= count) return;
  const WfPage* page = pages + index;
  u64 levels, values, sum = 0;
  u32 levels_len, bytes;
  bool good = true;
  if (page->encoding == WF_DELTA_BYTE_ARRAY) {
    good = find_sections(page, &levels, &levels_len, &values, &bytes);
    Delta delta;
    // A page of nulls only may have no values section at all.
    if (good && bytes > 0) {
      const u8* data = (const u8*)values;
      good = read_delta_header(data, bytes, &delta) && delta.total <= page->rows && delta.first == 0;
      u64 shared = 0;
      good = good && walk_delta(data, bytes, &delta, delta.total, [&](u64 value, u64 difference) {
        u64 mine = shared + wf_warp_scan<WfSum, u64>(difference);
        shared = wf_shfl(mine, 31);
        // No string is longer than the page.
        bool fits = value + wf_lane_id() >= delta.total || mine <= bytes;
        good = good && __all_sync(WF_ALL_LANES, fits);
        sum += wf_warp_reduce<WfSum, u64>(fits && value + wf_lane_id() < delta.total ? mine : 0ull);
      }) && good;
      sum += bytes;
    }
  }
  if (wf_lane_id() != 0) return;
  if (!good) wf_raise(error, WF_BAD_DELTA, page->item);
  sizes[index] = good ? sum : 0;
}

// Pages from `first` on: those before it are of plain byte arrays.
WF_KERNEL(128) fill_scratch(WfPage* pages, u32 count, u32 first, WfError* error) {
  u32 index = first + (u32)(wf_grid_thread() / WF_WARP);
  if (index >= count) return;
  WfPage* page = pages + index;
  if (page->scratch == 0) return;
  bool numbers = page->encoding == WF_DELTA_BINARY_PACKED;
  WfStringRef* refs = (WfStringRef*)page->scratch;
  if (page->encoding == WF_DELTA_LENGTH_BYTE_ARRAY)
    for (u32 i = wf_lane_id(); i < page->value_count; i += WF_WARP) refs[i].reserved = 0;
  bool good = numbers ? delta_numbers(page)
                      : page->encoding == WF_DELTA_BYTE_ARRAY ? delta_byte_arrays(page) : delta_strings_at(page, 0);
  if (good) return;
  if (wf_lane_id() == 0) wf_raise(error, WF_BAD_DELTA, page->item);
  // What was not written must not be read as an address.
  for (u32 i = wf_lane_id(); i < page->value_count; i += WF_WARP) {
    if (numbers) ((u64*)page->scratch)[i] = 0;
    else refs[i] = WfStringRef{page->values, 0, 0};
  }
  __syncwarp();  // no lane reads the page's lengths any more
  if (page->encoding == WF_DELTA_BYTE_ARRAY && wf_lane_id() == 0) page->values_len = 0;
}
