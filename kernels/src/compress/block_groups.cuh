// A block's output, in groups that are aligned in the target: a thread has 8 bytes in a row, a warp a section of 256.

// Where in a batch's output the pieces of a thread start; NOWHERE for those that it lacks.
struct Starts {
  u32 of[4];
};

WF_DEVICE void add_starts(u32* of, const Token& token, u32 start) {
  if (token.literal != 0) of[0] = start;
  if (token.match != 0) of[1] = start + token.literal;
}

// Where the origin of a group's byte lies: the bytes of a thread in other banks of shared memory than its neighbours'.
WF_DEVICE u32 origin_slot(u32 byte) { return byte % OWN_BYTES * BLOCK_THREADS + byte / OWN_BYTES; }

// Which of the origins lie in the `bytes` from `from` on, a bit each.
WF_DEVICE u32 origins_within(const i32 (&origin)[OWN_BYTES], i32 from, u32 bytes) {
  u32 within = 0;
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++) within |= (u32)(origin[j] - from) < bytes ? 1u << j : 0;
  return within;
}
WF_DEVICE void read_origins(const BlockShared* shared, i32 (&origin)[OWN_BYTES], u32 which, i32 group) {
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++)
    if (which >> j & 1u) origin[j] = shared->origins[origin_slot((u32)(origin[j] - group))];
}
WF_DEVICE void write_origins(BlockShared* shared, const i32 (&origin)[OWN_BYTES], u32 which) {
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++)
    if (which >> j & 1u) shared->origins[j * BLOCK_THREADS + threadIdx.x] = origin[j];
}

// Replaces origins within the group by those of the bytes that they name, until none is left. Each turn doubles how far
// back an origin reaches: first within a warp's section, without the other warps, and then over sections. Bytes
// before `from` are none of the batch.
WF_DEVICE void trace_block_origins(BlockShared* shared, i32 (&origin)[OWN_BYTES], i32 group) {
  i32 section = wf_max(group + (i32)(SECTION_BYTES * wf_warp_id()), 0), from = wf_max(group, 0);
  while (true) {
    u32 which = origins_within(origin, section, SECTION_BYTES);
    if (!__any_sync(WF_ALL_LANES, which != 0)) break;
    __syncwarp();  // the origins of all lanes are there
    read_origins(shared, origin, which, group);
    __syncwarp();  // all are read
    write_origins(shared, origin, which);
  }
  while (true) {
    u32 which = origins_within(origin, from, BLOCK_GROUP_BYTES);
    if (!__syncthreads_or(which != 0)) return;  // the origins of all threads are there
    read_origins(shared, origin, which, group);
    __syncthreads();  // all are read
    write_origins(shared, origin, which);
  }
}

// Entries of the group that start before the caller's section and its 8 bytes; and in `*all` those of the whole group.
WF_DEVICE u32 entries_before(const BlockShared* shared, u32 own_marks, u32* all) {
  u32 lane = wf_lane_id(), words = SECTION_BYTES / 32u * wf_warp_id();
  u32 low = (u32)__popc(shared->marks[lane]), high = (u32)__popc(shared->marks[WF_WARP + lane]);
  u32 sections = (lane < words ? low : 0) + (WF_WARP + lane < words ? high : 0);
  u32 sums = __reduce_add_sync(WF_ALL_LANES, sections << 16 | low + high);
  u32 own = (u32)__popc(own_marks);
  *all = sums & 0xffffu;
  return (sums >> 16) + wf_warp_scan<WfSum>(own) - own;
}

// Where the caller's 8 bytes from `place` on come from, as the entries say. Those outside the batch's `bytes` get
// the origin of the nearest.
WF_DEVICE void find_origins(const BlockShared* shared, i32 (&origin)[OWN_BYTES], i32 place, u32 marks, u32 before,
                            u32 bytes) {
  u32 entry = before;
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++) {
    entry += marks >> j & 1u;
    i32 byte = wf_min(wf_max(place + (i32)j, 0), (i32)bytes - 1);
    origin[j] = byte + shared->entries[wf_max(entry, 1u) - 1u];
  }
}

// Loads the bytes at the origins, all under way together, and stores those of the batch.
WF_DEVICE void copy_origins(const BlockPage* page, const i32 (&origin)[OWN_BYTES], i32 place, u32 bytes) {
  u8* output = page->target + page->out;
  const u8* ring = (const u8*)page->shared->ring;
  u32 byte[OWN_BYTES];
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++)
    byte[j] = origin[j] < LITERAL ? output[origin[j]] : ring[(u32)origin[j] % RING_BYTES];
  u32 low = byte[0] | byte[1] << 8 | byte[2] << 16 | byte[3] << 24;
  u32 high = byte[4] | byte[5] << 8 | byte[6] << 16 | byte[7] << 24;
  if (place >= 0 && (u32)place + OWN_BYTES <= bytes) {
    *(uint2*)(output + place) = make_uint2(low, high);
    return;
  }
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++)
    if ((u32)(place + (i32)j) < bytes) output[place + (i32)j] = (u8)byte[j];
}

// Writes the `bytes` of output that the entries in shared memory stand for, which the caller's pieces start at
// `starts`. False, and nothing is written, if not all threads are `sound`.
WF_DEVICE bool copy_block_entries(BlockPage* page, const Starts& starts, u32 bytes, bool sound) {
  BlockShared* shared = page->shared;
  u32 before = 0;
  i32 group = -(i32)((u64)(page->target + page->out) % OWN_BYTES);
  do {
#pragma unroll
    for (u32 piece = 0; piece < 4u; piece++) {
      u32 byte = starts.of[piece] - (u32)group;
      if (byte < BLOCK_GROUP_BYTES) atomicOr(&shared->marks[byte / 32u], 1u << byte % 32u);
    }
    if (__syncthreads_or(!sound)) return false;  // the entries and marks of all threads are there
    i32 origin[OWN_BYTES], place = group + (i32)(OWN_BYTES * threadIdx.x);
    u32 marks = ((const u8*)shared->marks)[threadIdx.x], all;
    u32 mine = before + entries_before(shared, marks, &all);
    bool needed = bytes != 0 && place < (i32)bytes;
    if (needed) find_origins(shared, origin, place, marks, mine, bytes);
#pragma unroll
    for (u32 j = 0; j < OWN_BYTES; j++) origin[j] = needed ? origin[j] : LITERAL;
    write_origins(shared, origin, 255u);
    before += all;
    trace_block_origins(shared, origin, group);
    // Tracing has a barrier behind the reading of marks.
    if (threadIdx.x < BLOCK_GROUP_BYTES / 32u) shared->marks[threadIdx.x] = 0;
    if (needed) copy_origins(page, origin, place, bytes);
    __syncthreads();  // for what refers to these bytes; and all of shared memory but the ring is free again
    group += (i32)BLOCK_GROUP_BYTES;
  } while (group < (i32)bytes);
  page->out += bytes;
  return true;
}
