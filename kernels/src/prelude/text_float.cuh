// Floating-point numbers as text: the shortest digits that are read as the same number, and of those the closest, as
// Giulietti finds them ("The Schubfach way to render doubles", 2021). The host has the powers of ten from -292 to 324,
// scaled to 128 bits and rounded up.
struct WfShortest {
  u64 digits;
  i32 exponent;
};

WF_DEVICE const u128* wf_powers(const u8* literals, u32 slot) {
  return (const u128*)(literals + ((const WfLiteralBytes*)(literals + slot))->offset);
}
// The upper bits of a product; the last is set, too, where others are lost.
WF_DEVICE u64 wf_round_to_odd(u128 power, u64 by) {
  u64 high = (u64)(power >> 64), carry = __umul64hi((u64)power, by);
  u64 low = high * by + carry;
  return (__umul64hi(high, by) + (low < carry ? 1u : 0u)) | (low > 1u ? 1u : 0u);
}
// Of `c` times two to the power of `q`; the next smaller number is `closer` than the next larger one where c is a power of
// two.
WF_CALLED WfShortest wf_shortest(const u128* powers, u64 c, i32 q, bool closer) {
  i32 k = (q * 1262611 - (closer ? 524031 : 0)) >> 22;
  i32 shift = q + ((-k * 1741647) >> 19) + 1;
  u128 power = powers[292 - k];
  u64 odd = c & 1u;
  u64 lower = wf_round_to_odd(power, (4u * c - 2u + (closer ? 1u : 0u)) << shift) + odd;
  u64 value = wf_round_to_odd(power, (4u * c) << shift);
  u64 upper = wf_round_to_odd(power, (4u * c + 2u) << shift) - odd;
  u64 s = value / 4u;
  if (s >= 10u) {
    u64 tens = s / 10u;
    bool below = lower <= 40u * tens, above = 40u * tens + 40u <= upper;
    if (below != above) return WfShortest{tens + (above ? 1u : 0u), k + 1};
  }
  bool below = lower <= 4u * s, above = 4u * s + 4u <= upper;
  if (below != above) return WfShortest{s + (above ? 1u : 0u), k};
  u64 middle = 4u * s + 2u;
  return WfShortest{s + (value > middle || (value == middle && (s & 1u) != 0) ? 1u : 0u), k};
}
// With a power of ten beyond so many digits before the point, or zeros behind it.
WF_CALLED WfStringRef wf_text_of_digits(WfHeap* heap, WfShortest number, bool negative, i32 most_before, i32 most_zeros) {
  u8 text[32], digits[20];
  u8* to = text;
  i32 count = 0;
  u64 rest = number.digits;
  i32 exponent = number.exponent;
  WF_ROLLED while (rest != 0 && rest % 10u == 0) {
    rest /= 10u;
    exponent++;
  }
  WF_ROLLED for (u64 left = rest; left != 0 || count == 0; left /= 10u) count++;
  wf_put_digits(digits, rest, (u32)count);
  i32 first = rest == 0 ? 0 : count - 1 + exponent;
  bool scientific = first >= most_before || first < -most_zeros - 1;
  if (negative) *to++ = '-';
  i32 before = scientific ? 1 : first + 1;
  if (before <= 0) *to++ = '0';
  WF_ROLLED for (i32 at = 0; at < before; at++) *to++ = at < count ? digits[at] : (u8)'0';
  if (!scientific || count > 1) *to++ = '.';
  WF_ROLLED for (i32 at = before; at < 0; at++) *to++ = '0';
  WF_ROLLED for (i32 at = wf_max(before, 0); at < count; at++) *to++ = digits[at];
  if (before >= count && !scientific) *to++ = '0';
  if (scientific) {
    *to++ = 'e';
    if (first < 0) *to++ = '-';
    u64 size = (u64)(first < 0 ? -first : first);
    to = wf_put_digits(to, size, size > 99u ? 3u : size > 9u ? 2u : 1u);
  }
  return wf_text_from(heap, text, (u64)(to - text));
}
// A number of `bits` bits behind the leading one, of which a whole one is its own digits.
WF_CALLED WfStringRef wf_text_of_parts(WfHeap* heap, const u128* powers, u64 fraction, i32 exponent, i32 bits, bool negative) {
  const i32 largest = bits == 52 ? 2047 : 255, bias = largest / 2 + bits;
  if (exponent == largest) {
    if (fraction != 0) return wf_text_from(heap, (const u8*)"NaN", 3u);
    return negative ? wf_text_from(heap, (const u8*)"-inf", 4u) : wf_text_from(heap, (const u8*)"inf", 3u);
  }
  u64 c = exponent == 0 ? fraction : fraction | 1ull << bits;
  i32 q = (exponent == 0 ? 1 : exponent) - bias;
  bool whole = c == 0 || (q <= 0 && q > -bits - 1 && (c & ((1ull << -q) - 1u)) == 0);
  WfShortest number = {c, 0};
  if (!whole) number = wf_shortest(powers, c, q, fraction == 0 && exponent > 1);
  else if (c != 0) number.digits = c >> -q;
  return wf_text_of_digits(heap, number, negative, bits == 52 ? 16 : 13, bits == 52 ? 4 : 5);
}
WF_DEVICE WfStringRef wf_text_of_f64(WfHeap* heap, const u128* powers, f64 value) {
  u64 bits = (u64)__double_as_longlong(value);
  return wf_text_of_parts(heap, powers, bits & ((1ull << 52) - 1u), (i32)(bits >> 52 & 2047u), 52, bits >> 63 != 0);
}
WF_DEVICE WfStringRef wf_text_of_f32(WfHeap* heap, const u128* powers, f32 value) {
  u32 bits = __float_as_uint(value);
  return wf_text_of_parts(heap, powers, bits & ((1u << 23) - 1u), (i32)(bits >> 23 & 255u), 23, bits >> 31 != 0);
}
