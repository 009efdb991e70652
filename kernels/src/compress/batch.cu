// What a library says of the pieces that it decompressed, against what was expected of them: a warp takes a piece. A
// piece that is not as it should be raises, and zeros take the place of whatever came out.
//
// Usually three loads a warp: the cost is that of the launch.

WF_KERNEL(256)
check_unpacked(const u64* targets, const u64* target_bytes, const u64* items, const u64* found_bytes,
               const i32* statuses, u64 count, WfError* error) {
  u64 piece = wf_grid_thread() / WF_WARP;
  if (piece >= count) return;
  bool good = statuses[piece] == 0;
  if (good && found_bytes[piece] == target_bytes[piece]) return;
  if (wf_lane_id() == 0) wf_raise(error, good ? WF_BAD_SIZE : WF_BAD_COMPRESSION, items[piece]);
  u8* target = (u8*)targets[piece];
  for (u64 i = wf_lane_id(); i < target_bytes[piece]; i += WF_WARP) target[i] = 0;
}
