// Atomics on values wider or other than the device's own.

// A sum of 128-bit numbers that many threads add to: three words, the lowest first, of which the third tells an
// overflow. Carries may arrive late, so the sum is whole only when all threads are done.
struct WfWideSum {
  u64 words[3];
};

WF_DEVICE void wf_atomic_add(WfWideSum* sum, i128 value) {
  if (value == 0) return;
  u64 low = (u64)value, middle = (u64)((u128)value >> 64), high = value < 0 ? ~0ull : 0ull;
  u64 carry = atomicAdd(&sum->words[0], low) + low < low ? 1ull : 0ull;
  // The middle word and the carry may overflow together: then the sum of both is zero and the carry goes on.
  u64 addend = middle + carry;
  u64 carried = addend < carry ? 1ull : 0ull;
  if (addend != 0 && atomicAdd(&sum->words[1], addend) + addend < addend) carried++;
  high += carried;
  if (high != 0) atomicAdd(&sum->words[2], high);
}

// The sum, and whether it left 128 bits.
WF_DEVICE i128 wf_wide_sum(const WfWideSum* sum, bool* overflow) {
  i128 value = (i128)((u128)sum->words[1] << 64 | sum->words[0]);
  *overflow |= sum->words[2] != (value < 0 ? ~0ull : 0ull);
  return value;
}

WF_DEVICE void wf_atomic_min(f64* target, f64 value) {
  u64 seen = *(volatile u64*)target;
  while (wf_order_key(value) < wf_order_key(__longlong_as_double((i64)seen))) {
    u64 before = atomicCAS((u64*)target, seen, (u64)__double_as_longlong(value));
    if (before == seen) return;
    seen = before;
  }
}
WF_DEVICE void wf_atomic_max(f64* target, f64 value) {
  u64 seen = *(volatile u64*)target;
  while (wf_order_key(value) > wf_order_key(__longlong_as_double((i64)seen))) {
    u64 before = atomicCAS((u64*)target, seen, (u64)__double_as_longlong(value));
    if (before == seen) return;
    seen = before;
  }
}
