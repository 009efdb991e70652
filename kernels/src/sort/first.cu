// The first rows by key words without sorting all: a radix select from the most significant digit down. Candidates
// are all rows at first. A step looks at one digit of one word: candidates below the digit of the last wanted row are
// chosen, those with the same digit stay candidates, the others go. Row numbers are the last word, so that rows with
// equal keys are told apart. Steps are over as soon as chosen rows and candidates together are few enough to be
// sorted; the steps left do nothing.

// Where the selection stands. Counts of the candidates' digits lie in three buffers, taken in turn: one is read, the
// next is added to, the one after is made zero. Lists of candidates lie in two.
struct WfSelection {
  u32 wanted;      // rows still to be found among the candidates
  u32 candidates;
  u32 chosen;
  u32 turn;        // times that digits were counted
  u32 lists;       // lists written; before the first one all rows are candidates
};

#define FIRST_COUNTS (8u * 256u)  // of one buffer
#define FIRST_ITEMS 8u            // candidates of a thread at a time
#define FIRST_THREADS 256u

struct WfFirst {
  const u64* keys;
  u64 rows;
  u32 words;
  u32 k;
  u32 capacity;             // chosen rows and candidates at which steps are over
  u32 reserved;
  WfSelection* selections;  // after each step
  u32* counts;              // three buffers, all zero before
  u32* cursors;             // two for each step: chosen rows and candidates written, zero before
  u32* lists[2];
  u32* chosen;
};

WF_DEVICE WfSelection selection_before(const WfFirst& f, u32 step) {
  if (step > 0) return f.selections[step - 1u];
  WfSelection all = {f.k, (u32)f.rows, 0, 0, 0};
  return all;
}
WF_DEVICE bool is_over(const WfFirst& f, const WfSelection& s) {
  return (u64)s.chosen + s.candidates <= f.capacity;
}
WF_DEVICE u32* counts_of(const WfFirst& f, u32 turn) { return f.counts + turn % 3u * FIRST_COUNTS; }
WF_DEVICE u32 candidate(const WfFirst& f, const WfSelection& s, u64 at) {
  return s.lists == 0 ? (u32)at : f.lists[(s.lists - 1u) % 2u][at];
}
WF_DEVICE u64 key_word(const WfFirst& f, u32 word, u32 row) { return word < f.words ? f.keys[word * f.rows + row] : row; }

WF_DEVICE void clear_counts(u32* counts) {
  for (u32 i = threadIdx.x; i < FIRST_COUNTS; i += blockDim.x) counts[i] = 0;
}
WF_DEVICE void count_below(u32* counts, u64 key, u32 places) {
  for (u32 place = 0; place < places; place++) atomicAdd(&counts[place * 256u + ((u32)(key >> place * 8u) & 255u)], 1u);
}
WF_DEVICE void add_counts(u32* all, const u32* mine) {
  for (u32 i = threadIdx.x; i < FIRST_COUNTS; i += blockDim.x)
    if (mine[i] != 0) atomicAdd(&all[i], mine[i]);
}

// Counts all digits of a word of the candidates. The first block keeps the books.
WF_KERNEL(FIRST_THREADS) count_candidates(WfFirst f, u32 step, u32 word) {
  __shared__ u32 mine[FIRST_COUNTS];
  WfSelection s = selection_before(f, step), next = s;
  bool over = is_over(f, s);
  if (!over) next.turn++;
  if (blockIdx.x == 0 && threadIdx.x == 0) f.selections[step] = next;
  if (over) return;
  if (blockIdx.x == 0) clear_counts(counts_of(f, s.turn + 2u));
  clear_counts(mine);
  __syncthreads();  // all are zero
  for (u64 at = wf_grid_thread(); at < s.candidates; at += wf_grid_threads())
    count_below(mine, key_word(f, word, candidate(f, s, at)), 8u);
  __syncthreads();  // the block is done
  add_counts(counts_of(f, next.turn), mine);
}

// The digit of the last wanted row, of `digit_counts`, to *threshold, and the selection after this step. False if all
// candidates have the same digit. Every thread calls and receives the same.
WF_DEVICE bool choose_digit(const WfSelection& s, const u32* digit_counts, WfBlockScratch<u32>* scratch, WfSelection* shared_next,
                            u32* shared_threshold) {
  u32 count = digit_counts[threadIdx.x], total;
  u32 before = wf_block_exclusive_sum<u32>(count, scratch, &total);
  if (before < s.wanted && s.wanted - before <= count) {
    *shared_next = {s.wanted - before, count, s.chosen + before, s.turn + 1u, s.lists + 1u};
    *shared_threshold = threadIdx.x;
  }
  return __syncthreads_or(count != 0 && count != s.candidates) != 0;  // and both are there
}

// One step at one digit. A thread takes FIRST_ITEMS candidates at a time, a block's side by side; a block takes room
// in both lists by one atomic each. Digits below of those that stay are counted for the next steps.
WF_KERNEL(FIRST_THREADS) narrow(WfFirst f, u32 step, u32 word, u32 place) {
  __shared__ u32 mine[FIRST_COUNTS];
  __shared__ WfBlockScratch<u32> scratch;
  __shared__ WfSelection shared_next;
  __shared__ u32 threshold, chosen_base, kept_base;
  WfSelection s = selection_before(f, step);
  bool runs = !is_over(f, s) && choose_digit(s, counts_of(f, s.turn) + place * 256u, &scratch, &shared_next, &threshold);
  if (blockIdx.x == 0 && threadIdx.x == 0) f.selections[step] = runs ? shared_next : s;
  if (!runs) return;
  if (blockIdx.x == 0) clear_counts(counts_of(f, s.turn + 2u));
  clear_counts(mine);
  __syncthreads();  // all are zero
  u32* kept_list = f.lists[s.lists % 2u];
  const u64 step_rows = (u64)FIRST_THREADS * FIRST_ITEMS;
  for (u64 first = blockIdx.x * step_rows; first < s.candidates; first += gridDim.x * step_rows) {
    u32 rows[FIRST_ITEMS], is_chosen = 0, is_kept = 0;
#pragma unroll
    for (u32 i = 0; i < FIRST_ITEMS; i++) {
      u64 at = first + i * FIRST_THREADS + threadIdx.x;
      if (at >= s.candidates) continue;
      rows[i] = candidate(f, s, at);
      u64 key = key_word(f, word, rows[i]);
      u32 digit = (u32)(key >> place * 8u) & 255u;
      is_chosen |= (digit < threshold ? 1u : 0u) << i;
      is_kept |= (digit == threshold ? 1u : 0u) << i;
      if (digit == threshold) count_below(mine, key, place);
    }
    // Both counts in one word: a block has at most 2048 of each.
    u32 total, packed = (u32)__popc(is_chosen) << 16 | (u32)__popc(is_kept);
    u32 before = wf_block_exclusive_sum<u32>(packed, &scratch, &total);
    if (total == 0) continue;
    if (threadIdx.x == 0) {
      chosen_base = s.chosen + atomicAdd(&f.cursors[step * 2u], total >> 16);
      kept_base = atomicAdd(&f.cursors[step * 2u + 1u], total & 0xffffu);
    }
    __syncthreads();  // room is taken
    u32 chosen_at = chosen_base + (before >> 16), kept_at = kept_base + (before & 0xffffu);
#pragma unroll
    for (u32 i = 0; i < FIRST_ITEMS; i++) {
      if ((is_chosen >> i & 1u) != 0) f.chosen[chosen_at++] = rows[i];
      if ((is_kept >> i & 1u) != 0) kept_list[kept_at++] = rows[i];
    }
    __syncthreads();  // bases have been read
  }
  __syncthreads();  // the block has counted
  add_counts(counts_of(f, s.turn + 1u), mine);
}

// Keys of the chosen rows and the candidates left, as columns of `capacity`, the row number as last word. Slots
// without a row get the highest key, which no row has: its number would be 2^32 - 1 or more. blockIdx.y is the word.
WF_KERNEL(FIRST_THREADS) gather_keys(WfFirst f, u32 steps, u64* gathered) {
  u64 slot = wf_grid_thread();
  if (slot >= f.capacity) return;
  WfSelection s = selection_before(f, steps);
  u64 key = ~0ull;
  if (slot < s.chosen) key = key_word(f, blockIdx.y, f.chosen[slot]);
  else if (slot - s.chosen < s.candidates) key = key_word(f, blockIdx.y, candidate(f, s, slot - s.chosen));
  gathered[(u64)blockIdx.y * f.capacity + slot] = key;
}

WF_KERNEL(FIRST_THREADS) pick_rows(const u64* row_words, const u32* order, u64 count, u32* rows) {
  u64 at = wf_grid_thread();
  if (at < count) rows[at] = (u32)row_words[order[at]];
}
