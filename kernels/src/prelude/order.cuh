// Order of numbers as unsigned integers, and atomics on values wider or other than the device's own.

// A number as an unsigned integer of the same order: -NaN, -infinity, ..., -0, 0, ..., infinity, NaN. As SQL sorts.
WF_DEVICE u64 wf_order_key(f64 value) {
  u64 bits = (u64)__double_as_longlong(value);
  return (bits >> 63) != 0 ? ~bits : bits | 1ull << 63;
}
WF_DEVICE u32 wf_order_key(f32 value) {
  u32 bits = __float_as_uint(value);
  return (bits >> 31) != 0 ? ~bits : bits | 1u << 31;
}
// Integers likewise: the sign bit turned over. An unsigned one is its own key.
WF_DEVICE u8 wf_order_key(i8 value) { return (u8)((u8)value ^ 0x80u); }
WF_DEVICE u16 wf_order_key(i16 value) { return (u16)((u16)value ^ 0x8000u); }
WF_DEVICE u32 wf_order_key(i32 value) { return (u32)value ^ 1u << 31; }
WF_DEVICE u64 wf_order_key(i64 value) { return (u64)value ^ 1ull << 63; }
WF_DEVICE u128 wf_order_key(i128 value) { return (u128)value ^ (u128)1 << 127; }
// The two words by which a 128-bit key is sorted: word 0 decides first.
WF_DEVICE u64 wf_order_word(u128 key, u32 word) { return (u64)(key >> (word == 0 ? 64 : 0)); }
// The key of the opposite order.
template <class U> WF_DEVICE U wf_descending(U key) { return (U)~key; }
WF_DEVICE f64 wf_from_order_key(u64 key) {
  return __longlong_as_double((i64)((key >> 63) != 0 ? key & ~(1ull << 63) : ~key));
}
WF_DEVICE f32 wf_from_order_key(u32 key) {
  return __uint_as_float((key >> 31) != 0 ? key & ~(1u << 31) : ~key);
}

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
