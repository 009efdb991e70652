// Warp scans and reductions over all 32 lanes, which must all call. 128-bit values travel as two halves.
template <class T> WF_DEVICE T wf_shfl_up(T v, u32 delta) { return __shfl_up_sync(WF_ALL_LANES, v, delta); }
template <class T> WF_DEVICE T wf_shfl_xor(T v, u32 lanes) { return __shfl_xor_sync(WF_ALL_LANES, v, (i32)lanes); }
template <class T> WF_DEVICE T wf_shfl(T v, u32 lane) { return __shfl_sync(WF_ALL_LANES, v, (i32)lane); }
#define WF_SHUFFLE_128(T)                                                                            \
  WF_DEVICE T wf_shfl_up(T v, u32 delta) {                                                           \
    u64 low = wf_shfl_up((u64)v, delta), high = wf_shfl_up((u64)((u128)v >> 64), delta);             \
    return (T)((u128)high << 64 | low);                                                              \
  }                                                                                                  \
  WF_DEVICE T wf_shfl_xor(T v, u32 lanes) {                                                          \
    u64 low = wf_shfl_xor((u64)v, lanes), high = wf_shfl_xor((u64)((u128)v >> 64), lanes);           \
    return (T)((u128)high << 64 | low);                                                              \
  }                                                                                                  \
  WF_DEVICE T wf_shfl(T v, u32 lane) {                                                               \
    u64 low = wf_shfl((u64)v, lane), high = wf_shfl((u64)((u128)v >> 64), lane);                     \
    return (T)((u128)high << 64 | low);                                                              \
  }
WF_SHUFFLE_128(i128)
WF_SHUFFLE_128(u128)

// Count, mean and squared differences from it: see wf_own_moments.
struct WfMoments {
  f64 count;
  f64 mean;
  f64 squares;
};
WF_DEVICE WfMoments wf_shfl_up(WfMoments v, u32 delta) {
  return WfMoments{wf_shfl_up(v.count, delta), wf_shfl_up(v.mean, delta), wf_shfl_up(v.squares, delta)};
}
WF_DEVICE WfMoments wf_shfl_xor(WfMoments v, u32 lanes) {
  return WfMoments{wf_shfl_xor(v.count, lanes), wf_shfl_xor(v.mean, lanes), wf_shfl_xor(v.squares, lanes)};
}
WF_DEVICE WfMoments wf_shfl(WfMoments v, u32 lane) {
  return WfMoments{wf_shfl(v.count, lane), wf_shfl(v.mean, lane), wf_shfl(v.squares, lane)};
}

struct WfSum { template <class T> static __device__ __forceinline__ T join(T a, T b) { return a + b; } };
struct WfMin { template <class T> static __device__ __forceinline__ T join(T a, T b) { return b < a ? b : a; } };
struct WfMax { template <class T> static __device__ __forceinline__ T join(T a, T b) { return a < b ? b : a; } };
struct WfOr { template <class T> static __device__ __forceinline__ T join(T a, T b) { return a | b; } };

// Every lane receives the reduction of all lanes.
template <class Op, class T> WF_DEVICE T wf_warp_reduce(T v) {
  for (u32 lanes = 16; lanes > 0; lanes >>= 1) v = Op::join(v, wf_shfl_xor(v, lanes));
  return v;
}

// Lane i receives the reduction of lanes 0 to i.
template <class Op, class T> WF_DEVICE T wf_warp_scan(T v) {
  for (u32 delta = 1; delta < WF_WARP; delta <<= 1) {
    T below = wf_shfl_up(v, delta);
    if (wf_lane_id() >= delta) v = Op::join(below, v);
  }
  return v;
}

// The largest index below `count` of an ascending list whose value is at most `wanted`; 0 if there is none.
template <class T> WF_DEVICE u64 wf_last_at_most(const T* ascending, u64 count, T wanted) {
  u64 low = 0, high = count;
  while (high - low > 1) {
    u64 middle = low + (high - low) / 2;
    if (ascending[middle] <= wanted) low = middle; else high = middle;
  }
  return low;
}
