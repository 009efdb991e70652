// One kernel for each primitive of the prelude, so that it can be checked against plain Rust.

// Block scan over tiles: each block scans its tile of blockDim.x values by itself. Grid: one block a tile.
#define SCAN_KERNEL(name, T)                                                                \
  WF_KERNEL(256) name(const T* values, u64 count, T* scanned, T* totals) {                  \
    __shared__ WfBlockScratch<T> scratch;                                                   \
    u64 at = wf_grid_thread();                                                              \
    T total;                                                                                \
    T before = wf_block_exclusive_sum<T>(at < count ? values[at] : (T)0, &scratch, &total); \
    if (at < count) scanned[at] = before;                                                   \
    if (threadIdx.x == 0) totals[blockIdx.x] = total;                                       \
  }
SCAN_KERNEL(scan_u32, u32)
SCAN_KERNEL(scan_u64, u64)
SCAN_KERNEL(scan_i128, i128)

// Three reductions a block one after the other, so that scratch is used again.
#define REDUCE_KERNEL(name, T)                                              \
  WF_KERNEL(256) name(const T* values, u64 count, T* reduced) {             \
    __shared__ WfBlockScratch<T> scratch;                                   \
    u64 at = wf_grid_thread();                                              \
    T mine = at < count ? values[at] : values[0];                           \
    T sum = wf_block_reduce<WfSum, T>(at < count ? mine : (T)0, &scratch);  \
    T least = wf_block_reduce<WfMin, T>(mine, &scratch);                    \
    T most = wf_block_reduce<WfMax, T>(mine, &scratch);                     \
    if (threadIdx.x == 0) {                                                 \
      reduced[blockIdx.x * 3] = sum;                                        \
      reduced[blockIdx.x * 3 + 1] = least;                                  \
      reduced[blockIdx.x * 3 + 2] = most;                                   \
    }                                                                       \
  }
REDUCE_KERNEL(reduce_i32, i32)
REDUCE_KERNEL(reduce_i64, i64)
REDUCE_KERNEL(reduce_i128, i128)
REDUCE_KERNEL(reduce_f64, f64)

// Checked arithmetic: for each pair sum, difference, product, quotient, remainder, and a byte of flags: bit i for
// overflow of the i-th of them, bit 7 for a zero divisor.
#define ARITHMETIC_KERNEL(name, T)                                                      \
  WF_KERNEL(256) name(const T* left, const T* right, u64 count, T* results, u8* flags) { \
    u64 at = wf_grid_thread();                                                          \
    if (at >= count) return;                                                            \
    bool sum = false, difference = false, product = false, quotient = false, zero = false; \
    results[at * 5] = wf_add<T>(left[at], right[at], &sum);                             \
    results[at * 5 + 1] = wf_sub<T>(left[at], right[at], &difference);                  \
    results[at * 5 + 2] = wf_mul(left[at], right[at], &product);                        \
    results[at * 5 + 3] = wf_div<T>(left[at], right[at], &quotient, &zero);             \
    results[at * 5 + 4] = wf_rem<T>(left[at], right[at], &zero);                        \
    flags[at] = (u8)(sum | difference << 1 | product << 2 | quotient << 3 | zero << 7); \
  }
ARITHMETIC_KERNEL(arithmetic_i32, i32)
ARITHMETIC_KERNEL(arithmetic_i64, i64)
ARITHMETIC_KERNEL(arithmetic_i128, i128)

WF_KERNEL(256) powers_of_ten(const i128* values, u64 count, i128* powers, i128* rounded) {
  u64 at = wf_grid_thread();
  if (at >= count) return;
  i32 exponent = (i32)(at % 39);
  powers[at] = wf_pow10(exponent);
  rounded[at] = wf_div_round(values[at], powers[at]);
}

WF_KERNEL(256) hashes(const u64* words, const u8* bytes, const u32* offsets, u64 count, u64 seed, u64* out) {
  u64 at = wf_grid_thread();
  if (at >= count) return;
  out[at * 3] = wf_hash_u64(words[at], seed);
  out[at * 3 + 1] = wf_hash_u128((u128)words[at] << 64 | (words[at] * 3), seed);
  out[at * 3 + 2] = wf_hash_bytes(bytes + offsets[at], offsets[at + 1] - offsets[at], seed);
}

WF_KERNEL(256) unpack(const u8* packed, u32 width, u64 first_bit, u64 count, u64* out) {
  u64 at = wf_grid_thread();
  if (at < count) out[at] = wf_unpack(packed, first_bit + at * width, width);
}

// Varints one after the other, by one thread: how many were read, and each value zigzag-decoded.
WF_KERNEL(32) varints(const u8* data, u64 bytes, u64 count, i64* out, u64* read) {
  if (threadIdx.x != 0) return;
  u64 at = 0, n = 0;
  for (u64 value; n < count && wf_read_varint(data, &at, bytes, &value); n++) out[n] = wf_unzigzag(value);
  *read = n;
}

// Every warp operation that kernels may use, each lane's results side by side.
WF_KERNEL(256) warp_operations(const u32* values, u64* out) {
  u32 at = (u32)wf_grid_thread(), v = values[at], lane = wf_lane_id();
  u64* mine = out + (u64)at * 16;
  mine[0] = __shfl_sync(WF_ALL_LANES, v, (i32)(v % 32));
  mine[1] = __shfl_up_sync(WF_ALL_LANES, v, 3);
  mine[2] = __shfl_down_sync(WF_ALL_LANES, v, 5);
  mine[3] = __shfl_xor_sync(WF_ALL_LANES, v, 6);
  mine[4] = __shfl_sync(WF_ALL_LANES, v, 2, 8);
  mine[5] = __ballot_sync(WF_ALL_LANES, v & 1);
  mine[6] = (u64)__any_sync(WF_ALL_LANES, v % 7 == 0) * 2 + (u64)__all_sync(WF_ALL_LANES, v % 7 != 3);
  mine[7] = __match_any_sync(WF_ALL_LANES, v % 5);
  i32 all = 0;
  mine[8] = __match_all_sync(WF_ALL_LANES, v / 1000000000u, &all);
  mine[9] = (u64)(all != 0);
  mine[10] = __reduce_add_sync(WF_ALL_LANES, v);
  mine[11] = (u64)__reduce_min_sync(WF_ALL_LANES, v) << 32 | __reduce_max_sync(WF_ALL_LANES, v);
  mine[12] = (u64)(u32)__reduce_min_sync(WF_ALL_LANES, (i32)v) << 32 | (u32)__reduce_max_sync(WF_ALL_LANES, (i32)v);
  mine[13] = __reduce_or_sync(WF_ALL_LANES, v & 255u) | (u64)__reduce_and_sync(WF_ALL_LANES, v | 7u) << 32;
  // Half a warp by itself.
  u32 half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  if (lane < 16) mine[14] = __reduce_add_sync(half, v & 1023u); else mine[14] = __reduce_xor_sync(half, v);
  __syncwarp();
  mine[15] = wf_warp_scan<WfSum, u32>(v);
}

// Three-dimensional indices, and every atomic on a shared and a global counter.
WF_KERNEL(64) shapes(u32* cells, u32* counters, u64* wide, f64* sum) {
  __shared__ u32 in_block;
  u32 thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  u32 block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  u32 threads = blockDim.x * blockDim.y * blockDim.z;
  if (thread == 0) in_block = 0;
  __syncthreads();
  atomicAdd(&in_block, thread);
  i32 odd = __syncthreads_count(thread & 1);
  u32 id = block * threads + thread;
  cells[id] = in_block + (u32)odd + blockIdx.z;
  atomicAdd(&counters[0], id);
  atomicMin(&counters[1], id + 5);
  atomicMax(&counters[2], id);
  atomicOr(&counters[3], 1u << (id % 32));
  atomicXor(&counters[4], id);
  atomicAnd(&counters[5], ~(1u << (id % 31)));
  atomicInc(&counters[6], 6);
  atomicAdd(&wide[0], (u64)id << 30);
  atomicMax((i64*)&wide[1], (i64)id - 100);
  u64 seen = wide[2], before;
  do {
    before = seen;
    seen = atomicCAS(&wide[2], before, before + id);
  } while (seen != before);
  atomicAdd(sum, 0.5);
}

// Dynamic shared memory: a block reverses its tile.
WF_KERNEL(256) reverse_tile(const u16* values, u64 count, u16* reversed) {
  WF_DYNAMIC_SHARED(u16, tile);
  u64 start = (u64)blockIdx.x * blockDim.x;
  u32 here = (u32)wf_min<u64>(count - start, blockDim.x);
  if (threadIdx.x < here) tile[threadIdx.x] = values[start + threadIdx.x];
  __syncthreads();  // the tile is there
  if (threadIdx.x < here) reversed[start + threadIdx.x] = tile[here - 1 - threadIdx.x];
}

// Raises at the items that are multiples of seven.
WF_KERNEL(256) raise_sevens(u64 count, WfError* error) {
  u64 at = wf_grid_thread() + 1;
  if (at <= count && at % 7 == 0) wf_raise(error, at % 2 == 0 ? WF_OVERFLOW : WF_BAD_CAST, at);
}

// Pairs of strings: comparison, beginning, end, place, and both kinds of LIKE with the second as the pattern.
WF_KERNEL(256) string_functions(const WfStringRef* texts, const WfStringRef* others, u64 count, i64* out) {
  u64 at = wf_grid_thread();
  if (at >= count) return;
  const u8* text = (const u8*)texts[at].address;
  const u8* other = (const u8*)others[at].address;
  u64 bytes = texts[at].bytes, other_bytes = others[at].bytes;
  i64* mine = out + at * 7;
  mine[0] = wf_string_compare(text, bytes, other, other_bytes);
  mine[1] = wf_starts_with(text, bytes, other, other_bytes);
  mine[2] = wf_ends_with(text, bytes, other, other_bytes);
  mine[3] = wf_find(text, bytes, other, other_bytes, 0);
  mine[4] = wf_like(text, bytes, other, other_bytes, false);
  mine[5] = wf_like(text, bytes, other, other_bytes, true);
  mine[6] = (i64)wf_utf8_length(text, bytes);
}

WF_KERNEL(256) dates(const i64* days, u64 count, i64* out) {
  u64 at = wf_grid_thread();
  if (at >= count) return;
  WfDate date = wf_date(days[at]);
  i64 iso_year;
  i64* mine = out + at * 9;
  mine[0] = date.year;
  mine[1] = date.month;
  mine[2] = date.day;
  mine[3] = wf_days(date.year, date.month, date.day);
  mine[4] = wf_weekday(days[at]);
  mine[5] = wf_day_of_year(days[at]);
  mine[6] = wf_iso_week(days[at], &iso_year);
  mine[7] = iso_year;
  mine[8] = wf_add_months(days[at], (i64)(at % 61) - 30);
}

// A number of 128 bits less the absolute value of one of 64.
WF_KERNEL(256) minus_absolute(const i128* left, const i64* right, u64 count, i128* out, u32* overflows) {
  u64 i = wf_grid_thread();
  if (i >= count) return;
  i64 size = right[i] < 0 ? -right[i] : right[i];
  bool overflow = false;
  out[2u * i] = wf_minus(left[i], size);
  out[2u * i + 1u] = wf_minus(left[i], size, &overflow);
  overflows[i] = overflow;
}

// Seven numbers a pair, as bits.
WF_KERNEL(256) floats(const f32* left, const f32* right, u64 count, u64* out) {
  u64 i = wf_grid_thread();
  if (i >= count) return;
  f32 a = left[i], b = right[i];
  u64* to = out + i * 7u;
  to[0] = __float_as_uint(wf_float_of(a + b, a, b));
  to[1] = __float_as_uint(wf_float_of(a - b, a, b));
  to[2] = __float_as_uint(wf_float_of(a * b, a, b));
  to[3] = __float_as_uint(wf_float_of(a / b, a, b));
  to[4] = (u64)__double_as_longlong(wf_widened(a));
  to[5] = __float_as_uint(wf_narrowed(wf_widened(a)));
  to[6] = __float_as_uint(wf_negated(wf_absolute(a)));
}

// All threads add to one wide sum and one minimum and maximum.
WF_KERNEL(256) wide_atomics(const i128* values, const f64* numbers, u64 count, WfWideSum* sum, f64* extremes) {
  u64 at = wf_grid_thread();
  if (at >= count) return;
  wf_atomic_add(sum, values[at]);
  wf_atomic_min(&extremes[0], numbers[at]);
  wf_atomic_max(&extremes[1], numbers[at]);
}

WF_KERNEL(32) read_wide_sum(const WfWideSum* sum, i128* value, u32* overflow) {
  if (threadIdx.x != 0) return;
  bool left = false;
  *value = wf_wide_sum(sum, &left);
  *overflow = left;
}

// The sort keys of one number in every type, ascending and descending: 16 words each.
WF_KERNEL(256) order_keys(const i128* values, u64 count, u64* out) {
  u64 at = wf_grid_thread();
  if (at >= count) return;
  i128 value = values[at];
  u64* mine = out + at * 16;
  mine[0] = wf_order_key((i8)value);
  mine[1] = wf_order_key((i16)value);
  mine[2] = wf_order_key((i32)value);
  mine[3] = wf_order_key((i64)value);
  mine[4] = wf_order_word(wf_order_key(value), 0);
  mine[5] = wf_order_word(wf_order_key(value), 1);
  mine[6] = wf_order_key(__longlong_as_double((i64)value));
  mine[7] = wf_order_key(__int_as_float((i32)value));
  mine[8] = wf_descending(wf_order_key((i8)value));
  mine[9] = wf_descending(wf_order_key((i16)value));
  mine[10] = wf_descending(wf_order_key((i32)value));
  mine[11] = wf_descending(wf_order_key((i64)value));
  mine[12] = wf_order_word(wf_descending(wf_order_key(value)), 0);
  mine[13] = wf_order_word(wf_descending(wf_order_key(value)), 1);
  mine[14] = wf_descending(wf_order_key(__longlong_as_double((i64)value)));
  mine[15] = wf_descending(wf_order_key(__int_as_float((i32)value)));
}

// Words of strings, a string's side by side.
WF_KERNEL(256) string_words(const WfStringRef* strings, u64 count, u64 words, u64* out) {
  u64 at = wf_grid_thread();
  if (at < count * words) out[at] = wf_string_word(strings[at / words], at % words);
}
