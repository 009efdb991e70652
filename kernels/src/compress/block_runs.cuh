// Runs of pieces, each of which copies from the piece but one before it: numbers whose high bytes are equal are a literal
// and a match in turn. Such a match takes its bytes from where that piece does, so runs become chains of one link before
// any byte is looked at. A warp has 64 pieces, two a lane, and what follows from another warp's is left to the bytes.

// Adds up the entries of the run of each piece: `linked` if it copies from the previous lane's, which lane 0's do not.
WF_DEVICE i32 sum_run(i32 entry, bool linked) {
  u32 lane = wf_lane_id(), links = __ballot_sync(WF_ALL_LANES, linked);
  if (links == 0) return entry;
  u32 first = 31u - (u32)__clz((i32)(~links & (wf_lanes_below() << 1 | 1u)));
#pragma unroll
  for (u32 delta = 1; delta < WF_WARP; delta <<= 1) {
    i32 before = wf_shfl_up(entry, delta);
    if (lane >= first + delta) entry += before;
  }
  return entry;
}

// Whether all that a match from `start` to `end` copies lies between two places. Entries of literals are positive.
WF_DEVICE bool copies_from(i32 entry, u32 start, u32 end, u32 from, u32 to) {
  i32 first = (i32)start + entry;
  return entry < 0 && first >= (i32)from && first + (i32)(end - start) <= (i32)to;
}

// Changes the entries of the block's `pieces`. Each is read and written by one thread.
WF_DEVICE void join_runs(BlockShared* shared, u32 pieces) {
  u32 piece = 2u * threadIdx.x;
  if (2u * WF_WARP * wf_warp_id() >= pieces) return;
  bool has_first = piece < pieces, has_second = piece + 1u < pieces, has_before = wf_lane_id() != 0;
  uint2 here = make_uint2(0, 0), before = here;
  if (has_first) here = *(const uint2*)&shared->starts[piece];
  if (has_first && has_before) before = *(const uint2*)&shared->starts[piece - 2u];
  u32 end = has_second ? shared->starts[piece + 2u] : 0;
  i32 first = has_first ? shared->entries[piece] : 0, second = has_second ? shared->entries[piece + 1u] : 0;
  bool first_linked = has_before && has_first && copies_from(first, here.x, here.y, before.x, before.y);
  bool second_linked = has_before && has_second && copies_from(second, here.y, end, before.y, here.x);
  first = sum_run(first, first_linked);
  second = sum_run(second, second_linked);
  if (first_linked) shared->entries[piece] = first;
  if (second_linked) shared->entries[piece + 1u] = second;
}
