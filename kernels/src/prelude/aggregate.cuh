// Accumulators: words of 64 bits that rows are added to. Each operation has two forms: on a word of one thread's own,
// and on one that many threads share. A sum of 128 bits is two words, and wraps, as Arrow's sums do.

WF_DEVICE void wf_own_add(u64* word, u64 v) { *word += v; }
WF_DEVICE void wf_own_add_f64(u64* word, f64 v) { *word = (u64)__double_as_longlong(__longlong_as_double((i64)*word) + v); }
WF_DEVICE void wf_own_min(u64* word, u64 v) { *word = wf_min(*word, v); }
WF_DEVICE void wf_own_max(u64* word, u64 v) { *word = wf_max(*word, v); }
WF_DEVICE void wf_own_and(u64* word, u64 v) { *word &= v; }
WF_DEVICE void wf_own_or(u64* word, u64 v) { *word |= v; }
WF_DEVICE void wf_own_xor(u64* word, u64 v) { *word ^= v; }
WF_DEVICE void wf_own_add_wide(u64* low, u64* high, i128 v) {
  u128 sum = ((u128)*high << 64 | *low) + (u128)v;
  *low = (u64)sum;
  *high = (u64)(sum >> 64);
}

WF_DEVICE void wf_shared_add(u64* word, u64 v) { atomicAdd(word, v); }
WF_DEVICE void wf_shared_add_f64(u64* word, f64 v) { atomicAdd((f64*)word, v); }
WF_DEVICE void wf_shared_min(u64* word, u64 v) { atomicMin(word, v); }
WF_DEVICE void wf_shared_max(u64* word, u64 v) { atomicMax(word, v); }
WF_DEVICE void wf_shared_and(u64* word, u64 v) { atomicAnd(word, v); }
WF_DEVICE void wf_shared_or(u64* word, u64 v) { atomicOr(word, v); }
WF_DEVICE void wf_shared_xor(u64* word, u64 v) { atomicXor(word, v); }
// The carry may arrive late: the sum is whole when all threads are done.
WF_DEVICE void wf_shared_add_wide(u64* low, u64* high, i128 v) {
  u64 addend = (u64)v;
  u64 before = atomicAdd(low, addend);
  u64 rest = (u64)((u128)v >> 64) + (before + addend < before ? 1ull : 0ull);
  if (rest != 0) atomicAdd(high, rest);
}
