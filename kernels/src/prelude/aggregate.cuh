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

// The integer whose wf_order_key is `key`.
WF_DEVICE i64 wf_integer_from_order_key(u64 key) { return (i64)(key ^ 1ull << 63); }

// An extreme of values wider than a word: three words, a version and the value. The version is 0 before the first
// value, odd while one is being written, and grows with each; who reads a value looks whether it was the same before
// and after. The same rows may be added again without a change.
struct WfExtreme {
  u64* version;
  u64* first;
  u64* second;
};

// Calls `better(first, second)` with the value that is there, and `write()` if it says so, or if there is none.
template <class Better, class Write> WF_DEVICE void wf_extreme(WfExtreme extreme, Better better, Write write) {
  while (true) {
    u64 version = *(volatile u64*)extreme.version;
    if ((version & 1ull) != 0) {
      __nanosleep(20);
      continue;
    }
    if (version != 0) {
      __threadfence();  // the version was there before the value is read
      u64 first = *(volatile u64*)extreme.first, second = *(volatile u64*)extreme.second;
      __threadfence();  // and the value is read before the version is looked at again
      if (*(volatile u64*)extreme.version != version) continue;
      if (!better(first, second)) return;
    }
    if (atomicCAS(extreme.version, version, version + 1ull) != version) continue;
    bool written = write();
    __threadfence();  // the value is there before its version
    atomicExch(extreme.version, written ? version + 2ull : version);
    return;
  }
}

WF_DEVICE void wf_extreme_wide(WfExtreme extreme, i128 v, bool largest) {
  wf_extreme(
      extreme,
      [&](u64 low, u64 high) {
        i128 kept = (i128)((u128)high << 64 | low);
        return largest ? v > kept : v < kept;
      },
      [&]() {
        *(volatile u64*)extreme.first = (u64)v;
        *(volatile u64*)extreme.second = (u64)((u128)v >> 64);
        return true;
      });
}

// The bytes are copied to the table's heap; where it is full the table is marked, and the host runs the launch again.
WF_DEVICE void wf_extreme_text(WfExtreme extreme, WfGroups* table, WfStringRef v, bool largest) {
  wf_extreme(
      extreme,
      [&](u64 address, u64 bytes) {
        i32 order = wf_string_compare((const u8*)v.address, v.bytes, (const u8*)address, bytes);
        return largest ? order > 0 : order < 0;
      },
      [&]() {
        u8* room = wf_heap_take(&table->heap, ((u64)v.bytes + 15ull) & ~7ull);
        if (room == 0) {
          atomicExch(&table->overflow, 1u);
          return false;
        }
        for (u32 at = 0; at < v.bytes; at += 8u)
          *(u64*)(room + at) = wf_unpack((const u8*)v.address + at, 0, wf_min(v.bytes - at, 8u) * 8u);
        *(u64*)(room + ((v.bytes + 7u) & ~7u)) = 0;
        *(volatile u64*)extreme.first = (u64)room;
        *(volatile u64*)extreme.second = v.bytes;
        return true;
      });
}

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
WF_DEVICE void wf_shared_moments(u64* latch, u64* count, u64* mean, u64* squares, f64 n, f64 m, f64 s) {
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
  f64 weight = n0 * n / all;
  *products = (u64)__double_as_longlong(__longlong_as_double((i64)*products) + p + (n0 == 0.0 ? 0.0 : d1 * d2 * weight));
  u64 count2 = *count;
  wf_own_moments(count, mean1, squares1, n, m1, s1);
  wf_own_moments(&count2, mean2, squares2, n, m2, s2);
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

// Half of a sum, rounded towards zero; of each number apart where the sum does not fit.
WF_DEVICE i128 wf_halfway(i128 a, i128 b) {
  bool overflow = false;
  i128 sum = wf_add<i128>(a, b, &overflow);
  return overflow ? a / 2 + b / 2 + (a % 2 + b % 2) / 2 : sum / 2;
}
