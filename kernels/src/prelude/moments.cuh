// Count, mean and sum of squared differences from it, joined with those of other rows as Chan, Golub and LeVeque do:
// exact where sums of squares would cancel. A row of its own is added as Welford does, so that an infinite one makes NaN
// of the squares, and a large one no infinite square that counts for nothing.
WF_DEVICE void wf_own_moments(u64* count, u64* mean, u64* squares, f64 n, f64 m, f64 s) {
  f64 n0 = __longlong_as_double((i64)*count), m0 = __longlong_as_double((i64)*mean);
  f64 s0 = __longlong_as_double((i64)*squares), all = n0 + n;
  if (n == 0.0) return;
  f64 difference = m - m0, mean1 = n0 == 0.0 ? m : m0 + difference * n / all;
  f64 between = n == 1.0 ? difference * (m - mean1) : n0 == 0.0 ? 0.0 : difference * difference * (n0 * n / all);
  *count = (u64)__double_as_longlong(all);
  *mean = (u64)__double_as_longlong(mean1);
  *squares = (u64)__double_as_longlong(s0 + s + between);
}

// The same on words that many threads share, one of which is a latch: 0 if it is open.
WF_CALLED void wf_shared_moments(u64* latch, u64* count, u64* mean, u64* squares, f64 n, f64 m, f64 s) {
  if (n == 0.0) return;
  while (atomicCAS(latch, 0ull, 1ull) != 0ull) __nanosleep(20);
  __threadfence();  // what the last holder wrote is there
  u64 n0 = *(volatile u64*)count, m0 = *(volatile u64*)mean, s0 = *(volatile u64*)squares;
  wf_own_moments(&n0, &m0, &s0, n, m, s);
  *(volatile u64*)count = n0;
  *(volatile u64*)mean = m0;
  *(volatile u64*)squares = s0;
  __threadfence();  // and what this one wrote is there before the latch opens
  atomicExch(latch, 0ull);
}

// The same for pairs of numbers: count, both means, both sums of squared differences, and the sum of their products.
WF_DEVICE void wf_own_co_moments(u64* count, u64* mean1, u64* mean2, u64* squares1, u64* squares2, u64* products, f64 n,
                                 f64 m1, f64 m2, f64 s1, f64 s2, f64 p) {
  if (n == 0.0) return;
  f64 n0 = __longlong_as_double((i64)*count), all = n0 + n;
  f64 d1 = m1 - __longlong_as_double((i64)*mean1), d2 = m2 - __longlong_as_double((i64)*mean2);
  u64 count2 = *count;
  wf_own_moments(count, mean1, squares1, n, m1, s1);
  wf_own_moments(&count2, mean2, squares2, n, m2, s2);
  f64 after = m2 - __longlong_as_double((i64)*mean2);
  f64 between = n == 1.0 ? d1 * after : n0 == 0.0 ? 0.0 : d1 * d2 * (n0 * n / all);
  *products = (u64)__double_as_longlong(__longlong_as_double((i64)*products) + p + between);
}

WF_DEVICE void wf_shared_co_moments(u64* latch, u64* count, u64* mean1, u64* mean2, u64* squares1, u64* squares2,
                                    u64* products, f64 n, f64 m1, f64 m2, f64 s1, f64 s2, f64 p) {
  if (n == 0.0) return;
  while (atomicCAS(latch, 0ull, 1ull) != 0ull) __nanosleep(20);
  __threadfence();  // what the last holder wrote is there
  u64* words[6] = {count, mean1, mean2, squares1, squares2, products};
  u64 own[6];
  for (u32 i = 0; i < 6; i++) own[i] = *(volatile u64*)words[i];
  wf_own_co_moments(&own[0], &own[1], &own[2], &own[3], &own[4], &own[5], n, m1, m2, s1, s2, p);
  for (u32 i = 0; i < 6; i++) *(volatile u64*)words[i] = own[i];
  __threadfence();  // and what this one wrote is there before the latch opens
  atomicExch(latch, 0ull);
}
