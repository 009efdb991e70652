// Values joined row by row: each row receives what its segment has up to it, or all rows have without segments. And
// trees of joined values, for frames of any bounds.
//
// A scan is three launches over tiles of SCAN_ROWS rows, a warp each: what each tile has since its last segment began;
// by one block, what each tile finds before it; the rows. So a row is read twice and written once, and no block waits
// for another.
#define SCAN_ROUNDS (SCAN_ROWS / 32u)

// Bits of the lanes of a round that begin a segment; rounds are aligned to words.
WF_DEVICE u32 begins_of(const u32* begins, u64 first_row) { return begins == 0 ? 0u : begins[first_row >> 5]; }

template <class Op>
WF_DEVICE void scan_totals(const typename Op::type* values, u64 rows, const u32* begins, typename Op::type* totals,
                           u32* begun) {
  u64 tile = wf_grid_thread() >> 5, base = tile * SCAN_ROWS;
  if (base >= rows) return;
  typename Op::type total = Op::none();
  u32 any = 0;
  for (u32 round = 0; round < SCAN_ROUNDS && base + round * 32u < rows; round++) {
    u64 row = base + round * 32u + wf_lane_id();
    u32 bits = begins_of(begins, base + round * 32u);
    u32 last = bits == 0 ? 0u : 31u - (u32)__clz((i32)bits);
    typename Op::type v = row < rows && wf_lane_id() >= last ? values[row] : Op::none();
    for (u32 lanes = 16; lanes > 0; lanes >>= 1) v = Op::join(v, wf_shfl_xor(v, lanes));
    total = bits == 0 ? Op::join(total, v) : v;
    any |= bits;
  }
  if (wf_lane_id() != 0) return;
  totals[tile] = total;
  begun[tile] = any;
}

// One block of 1024: totals become what each tile finds before its first row. `inclusive` and `flags` have a place a
// thread, in shared memory.
template <class Op>
WF_DEVICE void scan_tiles(typename Op::type* totals, const u32* begun, u64 tiles, typename Op::type* inclusive, u32* flags) {
  typename Op::type before = Op::none();
  for (u64 start = 0; start < tiles; start += blockDim.x) {
    u64 at = start + threadIdx.x;
    typename Op::type v = at < tiles ? totals[at] : Op::none();
    u32 cut = at < tiles && begun[at] != 0 ? 1u : 0u;
    inclusive[threadIdx.x] = v;
    flags[threadIdx.x] = cut;
    __syncthreads();  // all tiles of this round are there
    for (u32 delta = 1; delta < blockDim.x; delta <<= 1) {
      typename Op::type below = Op::none();
      u32 below_cut = 0;
      if (threadIdx.x >= delta) {
        below = inclusive[threadIdx.x - delta];
        below_cut = flags[threadIdx.x - delta];
      }
      __syncthreads();  // all have read before one writes
      if (cut == 0) v = Op::join(below, v);
      cut |= below_cut;
      inclusive[threadIdx.x] = v;
      flags[threadIdx.x] = cut;
      __syncthreads();  // and all have written before one reads
    }
    typename Op::type found = before;
    if (threadIdx.x > 0) {
      found = inclusive[threadIdx.x - 1u];
      if (flags[threadIdx.x - 1u] == 0) found = Op::join(before, found);
    }
    if (at < tiles) totals[at] = found;
    typename Op::type last = inclusive[blockDim.x - 1u];
    before = flags[blockDim.x - 1u] != 0 ? last : Op::join(before, last);
    __syncthreads();  // the places are free again
  }
}

// `target` may be `values`: a row is read and written by one thread.
template <class Op>
WF_DEVICE void scan_rows(const typename Op::type* values, u64 rows, const u32* begins, const typename Op::type* found,
                         typename Op::type* target) {
  u64 tile = wf_grid_thread() >> 5, base = tile * SCAN_ROWS;
  if (base >= rows) return;
  typename Op::type before = found[tile];
  for (u32 round = 0; round < SCAN_ROUNDS && base + round * 32u < rows; round++) {
    u64 row = base + round * 32u + wf_lane_id();
    u32 up_to = begins_of(begins, base + round * 32u) & (wf_lanes_below() | 1u << wf_lane_id());
    u32 first = up_to == 0 ? 0u : 31u - (u32)__clz((i32)up_to);
    typename Op::type v = row < rows ? values[row] : Op::none();
    for (u32 delta = 1; delta < WF_WARP; delta <<= 1) {
      typename Op::type below = wf_shfl_up(v, delta);
      if (wf_lane_id() >= first + delta) v = Op::join(below, v);
    }
    if (up_to == 0) v = Op::join(before, v);
    if (row < rows) target[row] = v;
    before = wf_shfl(v, 31u);
  }
}

// A warp joins 32 items of one level of a tree to an item of the next.
template <class Op> WF_DEVICE void join_items(const typename Op::type* items, u64 count, typename Op::type* next) {
  u64 at = wf_grid_thread();
  if (at - wf_lane_id() >= count) return;
  typename Op::type v = at < count ? items[at] : Op::none();
  for (u32 lanes = 16; lanes > 0; lanes >>= 1) v = Op::join(v, wf_shfl_xor(v, lanes));
  if (wf_lane_id() == 0) next[at / WF_TREE_WIDTH] = v;
}

#define SCAN_KERNELS(name, Op)                                                                                           \
  WF_KERNEL(256) total_##name(const Op::type* values, u64 rows, const u32* begins, Op::type* totals, u32* begun) {       \
    scan_totals<Op>(values, rows, begins, totals, begun);                                                                \
  }                                                                                                                      \
  WF_KERNEL(1024) carry_##name(Op::type* totals, const u32* begun, u64 tiles) {                                          \
    WF_DYNAMIC_SHARED(Op::type, inclusive);                                                                              \
    scan_tiles<Op>(totals, begun, tiles, inclusive, (u32*)(inclusive + 1024));                                           \
  }                                                                                                                      \
  WF_KERNEL(256) scan_##name(const Op::type* values, u64 rows, const u32* begins, const Op::type* found,                 \
                             Op::type* target) {                                                                         \
    scan_rows<Op>(values, rows, begins, found, target);                                                                  \
  }                                                                                                                      \
  WF_KERNEL(256) join_##name(const Op::type* items, u64 count, Op::type* next) { join_items<Op>(items, count, next); }

SCAN_KERNELS(add, WfJoinAdd)
SCAN_KERNELS(add_wide, WfJoinAddWide)
SCAN_KERNELS(add_float, WfJoinAddFloat)
SCAN_KERNELS(min, WfJoinMin)
SCAN_KERNELS(max, WfJoinMax)
SCAN_KERNELS(all_bits, WfJoinAnd)
SCAN_KERNELS(any_bits, WfJoinOr)
SCAN_KERNELS(odd_bits, WfJoinXor)
SCAN_KERNELS(moments, WfJoinMoments)
