// Count, mean and sum of squared differences from it, joined with those of other rows as Chan, Golub and LeVeque do:
// exact where sums of squares would cancel.
WF_DEVICE void wf_own_moments(u64* count, u64* mean, u64* squares, f64 n, f64 m, f64 s) {
  f64 n0 = __longlong_as_double((i64)*count), m0 = __longlong_as_double((i64)*mean);
  f64 s0 = __longlong_as_double((i64)*squares), all = n0 + n;
  if (n == 0.0) return;
  f64 difference = m - m0;
  *count = (u64)__double_as_longlong(all);
  *mean = (u64)__double_as_longlong(n0 == 0.0 ? m : m0 + difference * (n / all));
  *squares = (u64)__double_as_longlong(s0 + s + difference * difference * (n0 * n / all));
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
