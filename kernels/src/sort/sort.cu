// Rows sorted by key words: a radix sort from the least significant digit up, 8 bits a pass, over pairs of a key word
// and a row number. Each pass reads and writes the pairs once (one-sweep): how many rows of each digit lie before a
// tile, it learns from the tiles before it while they run (decoupled look-back). A digit that is the same in all rows
// has no pass: count_digits counts the digits of all words in one read, and plan_passes lists the passes that run.
//
// SORT_THREADS, SORT_ITEMS and SORT_BLOCKS (blocks of a multiprocessor) come from Rust; a tile is SORT_THREADS * SORT_ITEMS rows, a warp's rows side by side.
#define SORT_TILE (SORT_THREADS * SORT_ITEMS)
#define SORT_WARPS (SORT_THREADS / 32u)
#define SORT_DIGITS 256u
#define SORT_PLACES 8u  // digits of a word

// What a pass does.
#define PASS_RUNS 1u
#define PASS_FIRST 2u      // rows are in their own order
#define PASS_NEW_WORD 4u   // keys come from the word's column, by row number
#define PASS_KEEPS_KEYS 8u // the next pass has the same word
#define PASS_TO_RESULT 16u // row numbers go to the result, else they come from it

WF_DEVICE u32 digit_of(u64 key, u32 place) { return (u32)(key >> place * 8u) & 255u; }

// How often each digit occurs at each place of a word: counts[(word * 8 + place) * 256 + digit], zero before.
// blockIdx.y is the word. A block counts in shared memory: its threads add at once, hence the atomics.
WF_KERNEL(256) count_digits(const u64* keys, u64 rows, u32* counts) {
  __shared__ u32 mine[SORT_PLACES * SORT_DIGITS];
  for (u32 i = threadIdx.x; i < SORT_PLACES * SORT_DIGITS; i += blockDim.x) mine[i] = 0;
  __syncthreads();  // all are zero
  const u64* column = keys + blockIdx.y * rows;
  for (u64 row = wf_grid_thread(); row < rows; row += wf_grid_threads()) {
    u64 key = column[row];
#pragma unroll
    for (u32 place = 0; place < SORT_PLACES; place++) atomicAdd(&mine[place * SORT_DIGITS + digit_of(key, place)], 1u);
  }
  __syncthreads();  // the block is done
  u32* all = counts + blockIdx.y * SORT_PLACES * SORT_DIGITS;
  for (u32 i = threadIdx.x; i < SORT_PLACES * SORT_DIGITS; i += blockDim.x)
    if (mine[i] != 0) atomicAdd(&all[i], mine[i]);
}

// A block takes one place of one word: counts become the number of rows with smaller digits. Places where rows differ
// are marked in places[word], zero before.
WF_KERNEL(256) start_digits(u32* counts, u64 rows, u32* places) {
  __shared__ WfBlockScratch<u32> scratch;
  u32 at = blockIdx.x * SORT_DIGITS + threadIdx.x, count = counts[at], total;
  counts[at] = wf_block_exclusive_sum<u32>(count, &scratch, &total);
  bool differ = __syncthreads_or(count != 0 && count != rows);
  if (threadIdx.x == 0 && differ) atomicOr(&places[blockIdx.x / SORT_PLACES], 1u << blockIdx.x % SORT_PLACES);
}

// One block, a thread a word, from the last to the first: what each pass does. Passes change between two sets of
// buffers, such that the last one writes the result. If no place differs, one pass runs all the same, to write it.
WF_KERNEL(1024) plan_passes(const u32* places, u32 words, u32* passes) {
  __shared__ WfBlockScratch<u32> scratch;
  u32 total = 0;
  for (u32 word = threadIdx.x; word < words; word += blockDim.x) total += (u32)__popc(places[word]);
  total = wf_block_reduce<WfSum, u32>(total, &scratch);
  u32 forced = total == 0 ? 1u : 0u, before = 0;
  total += forced;
  for (u32 start = 0; start < words; start += blockDim.x) {
    u32 at = start + threadIdx.x, here;
    u32 mask = at < words ? places[words - 1u - at] : 0u;
    if (at + 1u == words) mask |= forced;
    u32 number = before + wf_block_exclusive_sum<u32>((u32)__popc(mask), &scratch, &here);
    before += here;
    if (at >= words) continue;
    for (u32 place = 0; place < SORT_PLACES; place++) {
      u32 flags = 0;
      if ((mask >> place & 1u) != 0) {
        flags = PASS_RUNS | (number == 0 ? PASS_FIRST : 0u) | ((total - 1u - number) % 2u == 0 ? PASS_TO_RESULT : 0u);
        if ((mask & ((1u << place) - 1u)) == 0) flags |= PASS_NEW_WORD;
        if (mask >> (place + 1u) != 0) flags |= PASS_KEEPS_KEYS;
        number++;
      }
      passes[at * SORT_PLACES + place] = flags;
    }
  }
}

// What a tile tells those after it of one digit: how many of its rows have it, and later how many of its own and all
// rows before have it. One 64-bit word, so that both arrive together: the count in 33 bits, the number of the pass,
// so that what an earlier pass left is not taken for this one's, and which of the two it is.
#define TOLD_SHIFT 33u
#define TOLD_ALL_BEFORE (1ull << 63)
WF_DEVICE u64 told(u32 pass, u32 count) { return (u64)(pass + 1u) << TOLD_SHIFT | count; }

// Rows with the thread's digit in the tiles before `tile`. Tiles are numbered in the order in which blocks begin, so
// each before it is running or done, and the wait ends.
WF_DEVICE u32 look_back(const u64* told_by_tiles, u32 tile, u32 digit, u32 pass) {
  u32 before = 0;
  while (tile-- > 0) {
    const volatile u64* word = told_by_tiles + (u64)tile * SORT_DIGITS + digit;
    u64 seen = *word;
    while ((u32)((seen & ~TOLD_ALL_BEFORE) >> TOLD_SHIFT) != pass + 1u) seen = *word;
    before += (u32)seen;
    if ((seen & TOLD_ALL_BEFORE) != 0) break;
  }
  return before;
}

// Counts by warp become, a warp and digit, the rank of the warp's first row with that digit. `count` is the tile's of
// the thread's digit, and 0 for threads without one. The digit's first rank is returned. Every thread calls.
WF_DEVICE u32 start_ranks(u32* counts, u32 count, WfBlockScratch<u32>* scratch) {
  u32 total, start = wf_block_exclusive_sum<u32>(count, scratch, &total), next = start;
  if (threadIdx.x >= SORT_DIGITS) return start;
  for (u32 warp = 0; warp < SORT_WARPS; warp++) {
    u32 has = counts[warp * SORT_DIGITS + threadIdx.x];
    counts[warp * SORT_DIGITS + threadIdx.x] = next;
    next += has;
  }
  return start;
}

// Ranks of a warp's rows among the tile's: `next` has, a digit, the rank of the warp's first row that has it. Rows of
// one digit are taken in order, 32 a round. Every lane calls. Lanes find those with their digit in `lanes`, zero
// before and after: on an H100 a sort then takes 0.7 of the time that it takes with __match_any_sync, and 0.87 of
// that with eight ballots.
WF_DEVICE void rank_rows(const u64* row_keys, u32 rounds, u32 place, u32* next, u32* lanes, u32* ranks) {
#pragma unroll
  for (u32 i = 0; i < SORT_ITEMS; i++) {
    if (i >= rounds) continue;
    u32 digit = digit_of(row_keys[i], place);
    atomicOr(&lanes[digit], 1u << wf_lane_id());
    __syncwarp();  // all lanes are in
    u32 peers = lanes[digit], below = (u32)__popc(peers & wf_lanes_below());
    u32 first = next[digit];
    __syncwarp();  // all peers have read what the first of them changes
    if (below == 0) {
      next[digit] = first + (u32)__popc(peers);
      lanes[digit] = 0;
    }
    __syncwarp();  // and it is changed before the next rows
    ranks[i] = first + below;
  }
}

// What passes read and write by turns. The second of each goes with the result.
struct WfSortBuffers {
  u64* spare_keys;
  u64* result_keys;
  u32* spare_rows;
  u32* result_rows;
};

// One pass. A block takes a tile, and a thread the rows at `first + lane + 32 i` of its warp's part; threads below 256
// also take a digit each. Shared memory is used three times over: counts of digits by warp with the lanes that have
// them, keys in their new order, row numbers in their new order.
extern "C" __global__ void __launch_bounds__(SORT_THREADS, SORT_BLOCKS)
    sort_pass(const u64* keys, u64 rows, u32 words, u32 pass, const u32* passes, const u32* digit_starts, u32* tickets,
              u64* told_by_tiles, WfSortBuffers buffers) {
  u32 flags = passes[pass];
  if ((flags & PASS_RUNS) == 0) return;
  WF_DYNAMIC_SHARED(u64, exchange);  // SORT_TILE
  __shared__ u32 targets[SORT_DIGITS];
  __shared__ WfBlockScratch<u32> scratch;
  __shared__ u32 ticket;
  u32 place = pass % SORT_PLACES, word = words - 1u - pass / SORT_PLACES;
  bool to_result = (flags & PASS_TO_RESULT) != 0;
  const u64* keys_from = to_result ? buffers.spare_keys : buffers.result_keys;
  const u32* rows_from = to_result ? buffers.spare_rows : buffers.result_rows;
  u64* keys_to = to_result ? buffers.result_keys : buffers.spare_keys;
  u32* rows_to = to_result ? buffers.result_rows : buffers.spare_rows;
  const u64* column = keys + word * rows;
  // Tiles go by the order in which blocks begin: the order of blockIdx is not promised.
  if (threadIdx.x == 0) ticket = atomicAdd(&tickets[pass], 1u);
  u32 *counts = (u32*)exchange, *lanes = counts + SORT_WARPS * SORT_DIGITS;
  for (u32 i = threadIdx.x; i < 2u * SORT_WARPS * SORT_DIGITS; i += SORT_THREADS) counts[i] = 0;
  __syncthreads();  // the ticket is there, counts and lanes are zero
  u32 tile = ticket;
  u64 first = (u64)tile * SORT_TILE;
  u32 here = (u32)wf_min<u64>(rows - first, SORT_TILE);
  u32 of_warp = wf_warp_id() * 32u * SORT_ITEMS, mine = of_warp + wf_lane_id();
  u32 rounds = here <= of_warp ? 0 : wf_min(SORT_ITEMS, (here - of_warp + 31u) / 32u);

  // Places after the last row have the highest key: they come after all rows and are not written. Rounds without any
  // row are left out.
  u64 row_keys[SORT_ITEMS];
#pragma unroll
  for (u32 i = 0; i < SORT_ITEMS; i++) {
    u32 at = mine + i * 32u;
    row_keys[i] = ~0ull;
    if (at >= here) continue;
    if ((flags & PASS_NEW_WORD) == 0) row_keys[i] = keys_from[first + at];
    else row_keys[i] = column[(flags & PASS_FIRST) != 0 ? first + at : (u64)rows_from[first + at]];
  }

  // Counts by warp and digit, then of the tile; those are told before ranks are worked out, so that others wait less.
  u32* warp_counts = counts + wf_warp_id() * SORT_DIGITS;
#pragma unroll
  for (u32 i = 0; i < SORT_ITEMS; i++)
    if (i < rounds) atomicAdd(&warp_counts[digit_of(row_keys[i], place)], 1u);
  __syncthreads();  // all counted
  u32 count = 0, digit = threadIdx.x;
  u64* my_word = told_by_tiles + (u64)tile * SORT_DIGITS + digit;
  if (digit < SORT_DIGITS) {
    for (u32 warp = 0; warp < SORT_WARPS; warp++) count += counts[warp * SORT_DIGITS + digit];
    *(volatile u64*)my_word = told(pass, count) | (tile == 0 ? TOLD_ALL_BEFORE : 0ull);
  }
  u32 start = start_ranks(counts, count, &scratch);
  __syncthreads();  // the ranks of first rows are there
  u32 ranks[SORT_ITEMS];
  rank_rows(row_keys, rounds, place, warp_counts, lanes + wf_warp_id() * SORT_DIGITS, ranks);
  __syncthreads();  // counts are no longer needed
#pragma unroll
  for (u32 i = 0; i < SORT_ITEMS; i++)
    if (i < rounds) exchange[ranks[i]] = row_keys[i];
  if (digit < SORT_DIGITS) {
    u32 before = look_back(told_by_tiles, tile, digit, pass);
    if (tile > 0) *(volatile u64*)my_word = told(pass, before + count) | TOLD_ALL_BEFORE;
    targets[digit] = digit_starts[(word * SORT_PLACES + place) * SORT_DIGITS + digit] + before - start;
  }
  __syncthreads();  // keys lie in order, and targets are known

  // Read only now: before, they would take registers that the keys need.
  u32 row_numbers[SORT_ITEMS];
#pragma unroll
  for (u32 i = 0; i < SORT_ITEMS; i++) {
    u32 at = mine + i * 32u;
    row_numbers[i] = (flags & PASS_FIRST) != 0 || at >= here ? (u32)first + at : rows_from[first + at];
  }
  u32 to[SORT_ITEMS];
#pragma unroll
  for (u32 i = 0; i < SORT_ITEMS; i++) {
    u32 at = i * SORT_THREADS + threadIdx.x;
    if (at >= here) continue;
    u64 key = exchange[at];
    to[i] = targets[digit_of(key, place)] + at;
    if ((flags & PASS_KEEPS_KEYS) != 0) keys_to[to[i]] = key;
  }
  __syncthreads();  // keys are no longer needed
  u32* numbers = (u32*)exchange;
#pragma unroll
  for (u32 i = 0; i < SORT_ITEMS; i++)
    if (i < rounds) numbers[ranks[i]] = row_numbers[i];
  __syncthreads();  // row numbers lie in order
#pragma unroll
  for (u32 i = 0; i < SORT_ITEMS; i++) {
    u32 at = i * SORT_THREADS + threadIdx.x;
    if (at < here) rows_to[to[i]] = numbers[at];
  }
}

// Bit i says whether sorted row i differs in a word from row i - 1; the first row does. A thread takes a row, a warp
// writes its ballot. The row before is the lane below's, or read by the first lane.
WF_KERNEL(256) mark_boundaries(const u64* keys, u64 rows, u32 words, const u32* order, u32* boundaries) {
  u64 at = wf_grid_thread();
  bool inside = at < rows, differs = inside && at == 0;
  u64 row = inside ? order[at] : 0, above = 0;
  if (inside && at > 0 && wf_lane_id() == 0) above = order[at - 1];
  for (u32 word = 0; word < words && !__all_sync(WF_ALL_LANES, differs || !inside); word++) {
    const u64* column = keys + word * rows;
    u64 key = inside ? column[row] : 0, before = wf_shfl_up(key, 1);
    if (wf_lane_id() == 0 && inside) before = column[above];
    differs = differs || (inside && key != before);
  }
  u32 bits = __ballot_sync(WF_ALL_LANES, differs);
  if (wf_lane_id() == 0 && inside) boundaries[at >> 5] = bits;
}
