// 32-bit floating-point numbers that are none, as the CPU has them. NVIDIA's arithmetic and conversions of 32 bits know one
// NaN only, 0x7fffffff (PTX ISA, floating-point instructions); x86 keeps that of the operand, quiet, and makes 0xffc00000
// where there was none (Intel SDM 1, 4.8.3.5). Comparisons and groups tell them apart, as SQL's total order does. Numbers of
// 64 bits agree.

WF_DEVICE f32 wf_quiet(f32 nan) { return __uint_as_float(__float_as_uint(nan) | 0x400000u); }

// `result` was computed of `a` and `b`.
WF_DEVICE f32 wf_float_of(f32 result, f32 a, f32 b) {
  if (result == result) return result;
  return a != a ? wf_quiet(a) : b != b ? wf_quiet(b) : __uint_as_float(0xffc00000u);
}
WF_DEVICE f32 wf_float_of(f32 result, f32 a) { return wf_float_of(result, a, a); }

WF_DEVICE f64 wf_widened(f32 value) {
  if (value == value) return (f64)value;
  u64 bits = __float_as_uint(wf_quiet(value));
  return __longlong_as_double((i64)(bits >> 31 << 63 | 0x7ffull << 52 | (bits & 0x7fffffu) << 29));
}
WF_DEVICE f32 wf_narrowed(f64 value) {
  if (value == value) return (f32)value;
  u64 bits = (u64)__double_as_longlong(value);
  return wf_quiet(__uint_as_float((u32)(bits >> 63 << 31) | 0xffu << 23 | ((u32)(bits >> 29) & 0x7fffffu)));
}

WF_DEVICE f32 wf_negated(f32 value) { return __uint_as_float(__float_as_uint(value) ^ 1u << 31); }
WF_DEVICE f32 wf_absolute(f32 value) { return __uint_as_float(__float_as_uint(value) & ~(1u << 31)); }
