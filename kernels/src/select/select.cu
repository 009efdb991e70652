// From a mask to the numbers of the rows that it keeps, in order. A mask is a bitmap of flags and, if rows may be
// null, of validity: a row is kept if both are set.
//
// A tile is 8192 rows: 256 threads, a word of the bitmap each. Three launches: count the tiles, sum the counts, write
// the rows. Counts are 64-bit.

WF_DEVICE u32 mask_word(const u32* mask, const u32* validity, u64 rows, u64 word) {
  if (word * 32u >= rows) return 0;
  u32 kept = mask[word] & (validity == 0 ? 0xffffffffu : validity[word]);
  u64 left = rows - word * 32u;
  return left >= 32u ? kept : kept & ((1u << left) - 1u);
}

WF_KERNEL(256) count_mask(const u32* mask, const u32* validity, u64 rows, u64* tiles) {
  __shared__ WfBlockScratch<u32> scratch;
  u32 kept = wf_block_reduce<WfSum, u32>((u32)__popc(mask_word(mask, validity, rows, wf_grid_thread())), &scratch);
  if (threadIdx.x == 0) tiles[blockIdx.x] = kept;
}

// One block: `values` become the sums of all before them, and *total the sum of all.
WF_KERNEL(1024) sum_tiles(u64* values, u64 count, u64* total) {
  __shared__ WfBlockScratch<u64> scratch;
  u64 before = 0;
  for (u64 start = 0; start < count; start += blockDim.x) {
    u64 at = start + threadIdx.x, here;
    u64 sum = wf_block_exclusive_sum<u64>(at < count ? values[at] : 0ull, &scratch, &here);
    if (at < count) values[at] = before + sum;
    before += here;
  }
  if (threadIdx.x == 0) *total = before;
}

// A warp takes its 32 words one after the other, so that kept rows are written side by side.
WF_KERNEL(256) write_rows(const u32* mask, const u32* validity, u64 rows, const u64* tiles, u32* kept_rows) {
  __shared__ WfBlockScratch<u32> scratch;
  u32 mine = mask_word(mask, validity, rows, wf_grid_thread()), total;
  u32 before = wf_block_exclusive_sum<u32>((u32)__popc(mine), &scratch, &total);
  u64 base = tiles[blockIdx.x];
  u64 first_row = (wf_grid_thread() - wf_lane_id()) * 32u;
  for (u32 i = 0; i < WF_WARP; i++) {
    u32 word = wf_shfl(mine, i), start = wf_shfl(before, i);
    if ((word >> wf_lane_id() & 1u) != 0)
      kept_rows[base + start + (u32)__popc(word & wf_lanes_below())] = (u32)(first_row + i * 32u + wf_lane_id());
  }
}

struct WfGather {
  u64 source;
  u64 target;
  u64 source_validity;  // or 0
  u64 target_validity;  // or 0
  u32 width;            // bytes, or 0 for a bitmap
  u32 reserved;
};

WF_DEVICE void gather_value(const WfGather* column, u64 to, u64 from) {
  const u8* source = (const u8*)column->source;
  u8* target = (u8*)column->target;
  switch (column->width) {
    case 1: target[to] = source[from]; break;
    case 2: ((u16*)target)[to] = ((const u16*)source)[from]; break;
    case 4: ((u32*)target)[to] = ((const u32*)source)[from]; break;
    case 8: ((u64*)target)[to] = ((const u64*)source)[from]; break;
    case 16: ((ulonglong2*)target)[to] = ((const ulonglong2*)source)[from]; break;
    default:
      for (u32 i = 0; i < column->width; i++) target[to * column->width + i] = source[from * column->width + i];
  }
}

// Rows of several columns side by side: blockIdx.y is the column, each thread one row of the output. Rows beyond the
// source raise, and become zero and null. A bitmap is written by the ballots of whole warps.
WF_KERNEL(256) gather_rows(const WfGather* columns, const u32* rows, u64 count, u64 source_rows, WfError* error) {
  WfGather column = columns[blockIdx.y];
  u64 to = wf_grid_thread();
  bool inside = to < count;
  u64 from = inside ? rows[to] : 0;
  if (inside && from >= source_rows) {
    wf_raise(error, WF_BAD_INDEX, to);
    from = 0;
    inside = source_rows > 0;
  }
  bool valid = inside && wf_bit((const u32*)column.source_validity, from);
  if (inside && column.width > 0) gather_value(&column, to, from);
  bool set = column.width == 0 && inside && wf_bit((const u32*)column.source, from);
  u32 valid_bits = __ballot_sync(WF_ALL_LANES, valid), set_bits = __ballot_sync(WF_ALL_LANES, set);
  if (wf_lane_id() != 0 || to >= count) return;
  if (column.target_validity != 0) ((u32*)column.target_validity)[to >> 5] = valid_bits;
  if (column.width == 0) ((u32*)column.target)[to >> 5] = set_bits;
}

// Sets the bits of 32 rows from `row` on, which need not start at a word: other warps write the rest of both words.
WF_DEVICE void append_bits(u32* bitmap, u64 row, u32 bits) {
  u32 shift = (u32)(row & 31u);
  if (bits << shift != 0) atomicOr(bitmap + (row >> 5), bits << shift);
  if (shift != 0 && bits >> (32u - shift) != 0) atomicOr(bitmap + (row >> 5) + 1, bits >> (32u - shift));
}

// The rows of several columns behind the `offset` rows of others: blockIdx.y is the column. Bitmaps were zero before.
WF_KERNEL(256) append_rows(const WfGather* columns, u64 rows, u64 offset) {
  WfGather column = columns[blockIdx.y];
  u64 row = wf_grid_thread();
  bool inside = row < rows;
  if (inside && column.width > 0) gather_value(&column, offset + row, row);
  u32 valid = __ballot_sync(WF_ALL_LANES, inside && wf_bit((const u32*)column.source_validity, row));
  u32 set = __ballot_sync(WF_ALL_LANES, inside && column.width == 0 && wf_bit((const u32*)column.source, row));
  if (wf_lane_id() != 0 || !inside) return;
  if (column.target_validity != 0) append_bits((u32*)column.target_validity, offset + row, valid);
  if (column.width == 0) append_bits((u32*)column.target, offset + row, set);
}
