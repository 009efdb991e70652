// Order of numbers as unsigned integers.

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
// The integer whose wf_order_key is `key`.
WF_DEVICE i64 wf_integer_from_order_key(u64 key) { return (i64)(key ^ 1ull << 63); }

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
