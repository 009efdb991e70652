// Block scans and reductions over all threads of a block, which must all call. Scratch lies in shared memory and may
// be used again as soon as the call returns: the last barrier sees to that.
template <class T> struct WfBlockScratch {
  T warps[32];
};

// Thread i receives the sum of threads 0 to i - 1, and *total the sum of all.
template <class T> WF_DEVICE T wf_block_exclusive_sum(T v, WfBlockScratch<T>* scratch, T* total) {
  T inclusive = wf_warp_scan<WfSum>(v);
  u32 warps = (blockDim.x + 31u) >> 5;
  if (wf_lane_id() == 31u) scratch->warps[wf_warp_id()] = inclusive;
  __syncthreads();  // the sums of all warps are there
  if (wf_warp_id() == 0) {
    T sum = wf_lane_id() < warps ? scratch->warps[wf_lane_id()] : (T)0;
    sum = wf_warp_scan<WfSum>(sum);
    if (wf_lane_id() < warps) scratch->warps[wf_lane_id()] = sum;
  }
  __syncthreads();  // and scanned
  T before = wf_warp_id() == 0 ? (T)0 : scratch->warps[wf_warp_id() - 1];
  *total = scratch->warps[warps - 1];
  __syncthreads();  // scratch is free again
  return before + inclusive - v;
}

// Every thread receives the reduction of all.
template <class Op, class T> WF_DEVICE T wf_block_reduce(T v, WfBlockScratch<T>* scratch) {
  v = wf_warp_reduce<Op>(v);
  u32 warps = (blockDim.x + 31u) >> 5;
  if (wf_lane_id() == 0) scratch->warps[wf_warp_id()] = v;
  __syncthreads();  // the results of all warps are there
  T mine = scratch->warps[0];
  for (u32 warp = 1; warp < warps; warp++) mine = Op::join(mine, scratch->warps[warp]);
  __syncthreads();  // scratch is free again
  return mine;
}
