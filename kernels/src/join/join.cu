// The rows of a join: of a build side by their entries, pairs of both sides, and what became of each row.

// Makes each row the one of its entry; *repeated counts rows whose entry had one already.
WF_KERNEL(256) enter_rows(const u32* entries, u64 rows, u32* row_of, u64* repeated) {
  u64 row = wf_grid_thread();
  u32 entry = row < rows ? entries[row] : WF_NO_ROW;
  bool again = entry != WF_NO_ROW && atomicCAS(row_of + entry, WF_NO_ROW, (u32)row) != WF_NO_ROW;
  u32 count = (u32)__popc(__ballot_sync(WF_ALL_LANES, again));
  if (wf_lane_id() == 0 && count != 0) atomicAdd(repeated, (u64)count);
}

WF_KERNEL(256) count_entries(const u32* entries, u64 rows, u32* counts) {
  u64 row = wf_grid_thread();
  if (row < rows && entries[row] != WF_NO_ROW) atomicAdd(counts + entries[row], 1u);
}

// Puts each row into the list of its entry; counts go down to zero.
WF_KERNEL(256) place_rows(const u32* entries, u64 rows, const u32* lists, u32* counts, u32* listed) {
  u64 row = wf_grid_thread();
  if (row >= rows || entries[row] == WF_NO_ROW) return;
  u32 entry = entries[row];
  listed[lists[entry] + atomicSub(counts + entry, 1u) - 1u] = (u32)row;
}

// Sums of counts, 2048 a block: first those of the blocks, then where each count's range starts, and where all end.
#define THREAD_COUNTS 8u

WF_KERNEL(256) sum_counts(const u32* counts, u64 count, u64* tiles) {
  __shared__ WfBlockScratch<u64> scratch;
  u64 first = wf_grid_thread() * THREAD_COUNTS, sum = 0;
  for (u64 at = first; at < first + THREAD_COUNTS && at < count; at++) sum += counts[at];
  sum = wf_block_reduce<WfSum, u64>(sum, &scratch);
  if (threadIdx.x == 0) tiles[blockIdx.x] = sum;
}

template <class T> WF_DEVICE void write_starts(const u32* counts, u64 count, const u64* tiles, T* starts,
                                               WfBlockScratch<u64>* scratch) {
  u64 first = wf_grid_thread() * THREAD_COUNTS, sum = 0, total;
  for (u64 at = first; at < first + THREAD_COUNTS && at < count; at++) sum += counts[at];
  u64 before = tiles[blockIdx.x] + wf_block_exclusive_sum<u64>(sum, scratch, &total);
  for (u64 at = first; at < first + THREAD_COUNTS && at < count; at++) {
    starts[at] = (T)before;
    before += counts[at];
    if (at + 1 == count) starts[count] = (T)before;
  }
}

WF_KERNEL(256) write_starts_32(const u32* counts, u64 count, const u64* tiles, u32* starts) {
  __shared__ WfBlockScratch<u64> scratch;
  write_starts<u32>(counts, count, tiles, starts, &scratch);
}

WF_KERNEL(256) write_starts_64(const u32* counts, u64 count, const u64* tiles, u64* starts) {
  __shared__ WfBlockScratch<u64> scratch;
  write_starts<u64>(counts, count, tiles, starts, &scratch);
}

// Pairs `first` and on: each thread finds the row whose range its pair lies in. `matches` is a place in `listed`, or
// without lists the row itself; WF_NO_ROW where the row goes on alone.
WF_KERNEL(256) write_pairs(const u64* starts, u64 rows, const u32* matches, const u32* listed, u64 first, u64 pairs,
                           u32* left, u32* right) {
  u64 at = wf_grid_thread();
  if (at >= pairs) return;
  u64 pair = first + at;
  u64 row = wf_last_at_most<u64>(starts, rows, pair);
  u32 match = matches[row];
  left[at] = (u32)row;
  right[at] = match == WF_NO_ROW || listed == 0 ? match : listed[match + (u32)(pair - starts[row])];
}

// Sets the bits of the numbers that a mask keeps; without one, of all.
WF_KERNEL(256) mark_numbers(const u32* mask, const u32* numbers, u64 count, u32* bits) {
  u64 at = wf_grid_thread();
  if (at >= count || !wf_bit(mask, at) || numbers[at] == WF_NO_ROW) return;
  u32 bit = 1u << (numbers[at] & 31u), *word = bits + (numbers[at] >> 5);
  // Most are set already where a key is frequent.
  if ((*(volatile u32*)word & bit) == 0) atomicOr(word, bit);
}

// The bit of each row whose entry was seen.
WF_KERNEL(256) mark_seen(const u32* entries, u64 rows, const u8* seen, u32* bits) {
  u64 row = wf_grid_thread();
  bool set = row < rows && entries[row] != WF_NO_ROW && seen[entries[row]] != 0;
  u32 word = __ballot_sync(WF_ALL_LANES, set);
  if (wf_lane_id() == 0 && row < rows) bits[row >> 5] = word;
}

// out = a & (b ^ turned), for bitmaps of `rows` bits; a null `a` is all ones. `entries`, where there are any, take rows
// without an entry out.
WF_KERNEL(256) keep_bits(const u32* a, const u32* b, u32 turned, const u32* entries, u64 rows, u32* out) {
  u64 row = wf_grid_thread();
  bool kept = row < rows && wf_bit(a, row) && (wf_bit(b, row) != (turned != 0));
  if (kept && entries != 0) kept = entries[row] != WF_NO_ROW;
  u32 word = __ballot_sync(WF_ALL_LANES, kept);
  if (wf_lane_id() == 0 && row < rows) out[row >> 5] = word;
}
