// Windows: operations that join the values of many rows, sums over a tree of them, and the bounds of frames. Rows are
// sorted; a partition is the rows from `first` to before `end`, and a frame lies in it.

// Each joins two values in any order; `none` joined with a value is that value.
#define WF_JOIN(name, T, start, expression)                                                   \
  struct name {                                                                               \
    typedef T type;                                                                           \
    static __device__ __forceinline__ T none() { return start; }                              \
    static __device__ __forceinline__ T join(T a, T b) { return expression; }                 \
  };
WF_JOIN(WfJoinAdd, u64, 0ull, a + b)
WF_JOIN(WfJoinAddWide, u128, (u128)0, a + b)
WF_JOIN(WfJoinAddFloat, f64, 0.0, a + b)
WF_JOIN(WfJoinMin, u64, ~0ull, b < a ? b : a)
WF_JOIN(WfJoinMax, u64, 0ull, a < b ? b : a)
WF_JOIN(WfJoinAnd, u64, ~0ull, a & b)
WF_JOIN(WfJoinOr, u64, 0ull, a | b)
WF_JOIN(WfJoinXor, u64, 0ull, a ^ b)
struct WfJoinMoments {
  typedef WfMoments type;
  static __device__ __forceinline__ WfMoments none() { return WfMoments{0.0, 0.0, 0.0}; }
  static __device__ __forceinline__ WfMoments join(WfMoments a, WfMoments b) {
    u64 count = (u64)__double_as_longlong(a.count), mean = (u64)__double_as_longlong(a.mean);
    u64 squares = (u64)__double_as_longlong(a.squares);
    wf_own_moments(&count, &mean, &squares, b.count, b.mean, b.squares);
    return WfMoments{__longlong_as_double((i64)count), __longlong_as_double((i64)mean),
                     __longlong_as_double((i64)squares)};
  }
};

// Items of a level of a tree that are joined to one of the next.
#define WF_TREE_WIDTH 32u

// The values of rows `low` to before `high`. `levels` has, behind each other, the joined values of 32 rows, of 32 such,
// and so on. At most 62 values of each level are read.
template <class Op>
WF_DEVICE typename Op::type wf_tree_join(const typename Op::type* rows, const typename Op::type* levels, u64 count, u64 low,
                                         u64 high) {
  typename Op::type joined = Op::none();
  const typename Op::type* level = rows;
  while (low < high) {
    if (high - low < 2u * WF_TREE_WIDTH) {
      while (low < high) joined = Op::join(joined, level[low++]);
      break;
    }
    while (low % WF_TREE_WIDTH != 0) joined = Op::join(joined, level[low++]);
    while (high % WF_TREE_WIDTH != 0) joined = Op::join(joined, level[--high]);
    low /= WF_TREE_WIDTH;
    high /= WF_TREE_WIDTH;
    level = level == rows ? levels : level + count;
    count = (count + WF_TREE_WIDTH - 1u) / WF_TREE_WIDTH;
  }
  return joined;
}

// Rows of a frame by their distance from `row`.
WF_DEVICE u64 wf_rows_before(u64 row, u64 first, u64 by) { return by >= row - first ? first : row - by; }
WF_DEVICE u64 wf_rows_after(u64 row, u64 end, u64 by) { return by >= end - row ? end : row + by; }
// Where a frame ends `by` rows before `row`, that one included.
WF_DEVICE u64 wf_rows_end_before(u64 row, u64 first, u64 by) { return by > row - first ? first : row - by + 1u; }
WF_DEVICE u64 wf_rows_end_after(u64 row, u64 end, u64 by) { return by >= end - row ? end : row + by + 1u; }

// The first row from `low` on, but before `high`, for which `before` is not true; it is true for all before that.
template <class Before> WF_DEVICE u64 wf_partition_point(u64 low, u64 high, Before before) {
  while (low < high) {
    u64 middle = low + (high - low) / 2;
    if (before(middle)) low = middle + 1; else high = middle;
  }
  return low;
}

// Whether a row has another value than the row before it. Numbers are told apart by their bits, as orders do.
template <class T> WF_DEVICE bool wf_row_differs(WfColumn column, u64 row) {
  bool valid = wf_bit((const u32*)column.validity, row);
  if (valid != wf_bit((const u32*)column.validity, row - 1u)) return true;
  const T* values = (const T*)column.values;
  return valid && values[row] != values[row - 1u];
}
WF_DEVICE bool wf_bit_differs(WfColumn column, u64 row) {
  bool valid = wf_bit((const u32*)column.validity, row);
  if (valid != wf_bit((const u32*)column.validity, row - 1u)) return true;
  const u32* bits = (const u32*)column.values;
  return valid && wf_bit(bits, row) != wf_bit(bits, row - 1u);
}
WF_DEVICE bool wf_text_differs(WfColumn column, u64 row) {
  bool valid = wf_bit((const u32*)column.validity, row);
  if (valid != wf_bit((const u32*)column.validity, row - 1u)) return true;
  const WfStringRef* texts = (const WfStringRef*)column.values;
  return valid && !wf_equal(texts[row], texts[row - 1u]);
}

// The bucket, from 1, of row `at` of `rows` spread over `buckets`: the first ones have a row more.
WF_DEVICE u64 wf_ntile(u64 at, u64 rows, u64 buckets) {
  u64 size = rows / buckets, larger = rows % buckets, of_larger = larger * (size + 1u);
  return at < of_larger ? at / (size + 1u) + 1u : larger + (at - of_larger) / size + 1u;
}
