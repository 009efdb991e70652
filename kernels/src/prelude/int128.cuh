// Integers that tell when they overflow, of 32, 64 and 128 bits, and powers of ten for decimals. The compilers bring
// 128-bit addition, multiplication and division themselves.
template <class T> struct WfUnsigned;
template <> struct WfUnsigned<i32> { typedef u32 type; };
template <> struct WfUnsigned<i64> { typedef u64 type; };
template <> struct WfUnsigned<i128> { typedef u128 type; };

// Each sets *overflow and never clears it; the result is then the wrapped one.
template <class T> WF_DEVICE T wf_add(T a, T b, bool* overflow) {
  typedef typename WfUnsigned<T>::type U;
  T r = (T)((U)a + (U)b);
  *overflow |= ((a ^ r) & (b ^ r)) < 0;
  return r;
}
template <class T> WF_DEVICE T wf_sub(T a, T b, bool* overflow) {
  typedef typename WfUnsigned<T>::type U;
  T r = (T)((U)a - (U)b);
  *overflow |= ((a ^ b) & (a ^ r)) < 0;
  return r;
}
template <class T> WF_DEVICE T wf_neg(T a, bool* overflow) { return wf_sub((T)0, a, overflow); }

// a - b. Where b is an absolute value, abs.s64 of PTX, the subtraction of 128 bits that ptxas 13.0.88 makes for sm_90 takes
// 2^64 too much if b is 0: it adds -b, and takes the carry of that for the one of the subtraction. So what is added here is
// the complement, which the compiler must not see through.
WF_DEVICE i128 wf_minus(i128 a, i64 b) {
  i64 complement = ~b;
#ifdef __CUDA_ARCH__
  asm("" : "+l"(complement));
#endif
  return (i128)((u128)a + (u128)(i128)complement + 1u);
}
WF_DEVICE i128 wf_minus(i128 a, i64 b, bool* overflow) {
  i128 r = wf_minus(a, b);
  *overflow |= ((a ^ (i128)b) & (a ^ r)) < 0;
  return r;
}

WF_DEVICE i32 wf_mul(i32 a, i32 b, bool* overflow) {
  i64 r = (i64)a * b;
  *overflow |= r != (i32)r;
  return (i32)r;
}
WF_DEVICE i64 wf_mul(i64 a, i64 b, bool* overflow) {
  i64 low = (i64)((u64)a * (u64)b);
  *overflow |= __mul64hi(a, b) != (low >> 63);
  return low;
}
// Whether a product does not fit 128 bits.
WF_CALLED bool wf_mul_overflows(i128 a, i128 b) {
  u128 x = a < 0 ? (u128)0 - (u128)a : (u128)a, y = b < 0 ? (u128)0 - (u128)b : (u128)b;
  u64 xh = (u64)(x >> 64), yh = (u64)(y >> 64);
  if (xh != 0 && yh != 0) return true;
  u128 cross = (u128)(xh | yh) * (xh != 0 ? (u64)y : (u64)x);
  u128 low = (u128)(u64)x * (u64)y, sum = low + (cross << 64);
  bool negative = (a < 0) != (b < 0);
  u128 limit = ((u128)1 << 127) - (negative ? 0 : 1);
  return (u64)(cross >> 64) != 0 || sum < low || sum > limit;
}
WF_DEVICE i128 wf_mul(i128 a, i128 b, bool* overflow) {
  // Both within 64 bits: the product always fits, and this is the usual case.
  if (a != (i64)a || b != (i64)b) *overflow |= wf_mul_overflows(a, b);
  return (i128)((u128)a * (u128)b);
}

// Truncating division by what is not zero, which does not overflow. Of 128 bits it is long, and shorter for what fits
// 64 of them.
template <class T> WF_DEVICE T wf_quotient(T a, T b) { return a / b; }
WF_CALLED u128 wf_quotient(u128 a, u128 b) { return (u64)((a | b) >> 64) == 0 ? (u128)((u64)a / (u64)b) : a / b; }
WF_DEVICE i128 wf_quotient(i128 a, i128 b) {
  u128 magnitude = wf_quotient(a < 0 ? (u128)0 - (u128)a : (u128)a, b < 0 ? (u128)0 - (u128)b : (u128)b);
  return (i128)((a < 0) != (b < 0) ? (u128)0 - magnitude : magnitude);
}

// Truncating division. A zero divisor sets *by_zero and gives 0; the smallest number by -1 overflows.
template <class T> WF_DEVICE T wf_div(T a, T b, bool* overflow, bool* by_zero) {
  if (b == 0) {
    *by_zero = true;
    return 0;
  }
  if (b == (T)-1) return wf_neg(a, overflow);
  return wf_quotient(a, b);
}
// The remainder has the sign of `a`, as in SQL and C.
template <class T> WF_DEVICE T wf_rem(T a, T b, bool* by_zero) {
  if (b == 0) {
    *by_zero = true;
    return 0;
  }
  return b == (T)-1 ? (T)0 : a - wf_quotient(a, b) * b;
}

// 10 to the power of `exponent`, which is 0 to 38.
WF_DEVICE i128 wf_pow10(i32 exponent) {
  i128 result = 1;
  WF_ROLLED for (i128 base = 10; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    if (exponent > 1) base *= base;
  }
  return result;
}

// Division by a positive power of ten that rounds half away from zero, as casts between decimals do.
template <class T> WF_DEVICE T wf_div_round(T a, T power) {
  T quotient = wf_quotient(a, power), rest = a - quotient * power, half = power >> 1;
  if (rest >= half && rest > 0) return quotient + 1;
  if (rest <= -half && rest < 0) return quotient - 1;
  return quotient;
}

// Whether a product fits 64 bits.
WF_DEVICE bool wf_fits(i64 a, i64 b) { return __mul64hi(a, b) == (i64)((u64)a * (u64)b) >> 63; }

// A sum divided by a count of rows, with some digits more: `power` is ten to the power of how many. Beyond `limit` it has
// more digits than its type.
WF_CALLED i128 wf_average(i128 sum, u64 count, i128 power, i128 limit, bool* overflow) {
  if (count == 0) return 0;
  i128 average = wf_quotient(wf_mul(sum, power, overflow), (i128)count);
  *overflow |= average >= limit || average <= -limit;
  return average;
}

// Half of a sum, rounded towards zero; of each number apart where the sum does not fit.
WF_DEVICE i128 wf_halfway(i128 a, i128 b) {
  bool overflow = false;
  i128 sum = wf_add<i128>(a, b, &overflow);
  return overflow ? a / 2 + b / 2 + (a % 2 + b % 2) / 2 : sum / 2;
}
