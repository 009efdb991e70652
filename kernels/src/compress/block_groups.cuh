// A block's output, in groups that are aligned in the target: a thread has 8 bytes in a row, a warp a section of 256.

// Where in a batch's output a thread's two tokens start, and with each the literal and the match, if Pieces are 2;
// NOWHERE for those that it lacks.
template <u32 Pieces> struct Starts {
  u32 of[2 * Pieces];
};

template <u32 Pieces> WF_DEVICE void put_starts(Starts<Pieces>* starts, u32 index, const Token& token, u32 start) {
  u32* of = &starts->of[index * Pieces];
  of[0] = token.literal != 0 || (Pieces == 1u && token.match != 0) ? start : NOWHERE;
  if (Pieces == 2u) of[Pieces - 1u] = token.match != 0 ? start + token.literal : NOWHERE;
}

// Origins here are places in the group, negative before it, or OF_LITERAL and more: a place in the ring less the group's
// in the batch, modulo RING_BYTES.
#define OF_LITERAL (LITERAL / 2)

// Where the origin of a group's byte lies: a gap after 32 puts those that are 8 bytes apart, which a warp's lanes want
// together, in different banks of shared memory.
WF_DEVICE u32 origin_slot(u32 byte) { return byte + byte / 32u; }

// Which of the origins lie in the `bytes` from `from` on, a bit each.
WF_DEVICE u32 origins_within(const i32 (&origin)[OWN_BYTES], i32 from, u32 bytes) {
  u32 within = 0;
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++) within |= (u32)(origin[j] - from) < bytes ? 1u << j : 0;
  return within;
}
WF_DEVICE void read_origins(const BlockShared* shared, i32 (&origin)[OWN_BYTES], u32 which) {
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++)
    if (which >> j & 1u) origin[j] = shared->origins[origin_slot((u32)origin[j])];
}
WF_DEVICE void write_origins(BlockShared* shared, const i32 (&origin)[OWN_BYTES], u32 which) {
  // The 8 have no gap among them.
  i32* origins = shared->origins + origin_slot(OWN_BYTES * threadIdx.x);
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++)
    if (which >> j & 1u) origins[j] = origin[j];
}

// Replaces origins within the group by those of the bytes that they name, until none is left. Each turn doubles how far
// back an origin reaches: first within a warp's section, without the other warps, and then over sections. The first
// `lead` bytes of the group are none of the batch.
WF_DEVICE void trace_block_origins(BlockShared* shared, i32 (&origin)[OWN_BYTES], i32 lead) {
  i32 section = wf_max((i32)(SECTION_BYTES * wf_warp_id()), lead);
  while (true) {
    u32 which = origins_within(origin, section, SECTION_BYTES);
    if (!__any_sync(WF_ALL_LANES, which != 0)) break;
    __syncwarp();  // the origins of all lanes are there
    read_origins(shared, origin, which);
    __syncwarp();  // all are read
    write_origins(shared, origin, which);
  }
  while (true) {
    u32 which = origins_within(origin, lead, BLOCK_GROUP_BYTES);
    if (!__syncthreads_or(which != 0)) return;  // the origins of all threads are there
    read_origins(shared, origin, which);
    __syncthreads();  // all are read
    write_origins(shared, origin, which);
  }
}

// Entries of the group that start before the caller's bytes, whose marks are given; and in `*all` those of the group.
WF_DEVICE u32 entries_before(const BlockShared* shared, u32 own_marks, u32* all) {
  u32 sums = 0, own = (u32)__popc(own_marks);
#pragma unroll
  for (u32 word = wf_lane_id(); word < MARK_WORDS; word += WF_WARP) {
    u32 count = (u32)__popc(shared->marks[word]);
    sums += word < SECTION_BYTES / 32u * wf_warp_id() ? count << 16 | count : count;
  }
  sums = __reduce_add_sync(WF_ALL_LANES, sums);
  *all = sums & 0xffffu;
  return (sums >> 16) + wf_warp_scan<WfSum>(own) - own;
}

// Where the caller's bytes come from, as the entries say. Those outside the batch, which `valid` lacks, are let
// alone.
WF_DEVICE void find_origins(const BlockShared* shared, i32 (&origin)[OWN_BYTES], u32 marks, u32 before, u32 valid) {
  const i32* entry = shared->entries + before - 1;
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++) {
    entry += marks >> j & 1u;
    if (valid >> j & 1u) origin[j] = (i32)(OWN_BYTES * threadIdx.x + j) + *entry;
  }
}

// Loads the bytes at the origins, all under way together, and stores those that are `valid`.
WF_DEVICE void copy_origins(const BlockPage* page, const i32 (&origin)[OWN_BYTES], i32 group, u32 valid) {
  u8* output = page->target + page->out + group;
  const u8* ring = (const u8*)page->shared->window;
  u32 byte[OWN_BYTES];
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++)
    byte[j] = origin[j] < OF_LITERAL ? output[origin[j]] : ring[(u32)(origin[j] + group) % RING_BYTES];
  u8* own = output + OWN_BYTES * threadIdx.x;
  if (valid == 255u) {
    u32 low = byte[0] | byte[1] << 8 | byte[2] << 16 | byte[3] << 24;
    u32 high = byte[4] | byte[5] << 8 | byte[6] << 16 | byte[7] << 24;
    *(uint2*)own = make_uint2(low, high);
    return;
  }
#pragma unroll
  for (u32 j = 0; j < OWN_BYTES; j++)
    if (valid >> j & 1u) own[j] = (u8)byte[j];
}

// Writes the `bytes` of output that the entries in shared memory stand for, which the caller's pieces start at
// `starts`.
template <u32 Pieces>
WF_DEVICE void copy_block_entries(BlockPage* page, const Starts<Pieces>& starts, u32 bytes) {
  BlockShared* shared = page->shared;
  u32 before = 0;
  i32 group = -(i32)((u64)(page->target + page->out) % OWN_BYTES);
  while (group < (i32)bytes) {
#pragma unroll
    for (u32 piece = 0; piece < 2u * Pieces; piece++) {
      u32 byte = starts.of[piece] - (u32)group;
      if (byte < BLOCK_GROUP_BYTES) atomicOr(&shared->marks[byte / 32u], 1u << byte % 32u);
    }
    __syncthreads();  // the entries and marks of all threads are there
    // The first thread's bytes begin before the batch, at most, and the last one's end after it.
    i32 origin[OWN_BYTES], place = group + (i32)(OWN_BYTES * threadIdx.x), left = (i32)bytes - place;
    u32 valid = place >= 0 ? 255u : 255u << -place & 255u;
    if (left < (i32)OWN_BYTES) valid = left <= 0 ? 0 : valid & (1u << left) - 1u;
#pragma unroll
    for (u32 j = 0; j < OWN_BYTES; j++) origin[j] = OF_LITERAL;
    // Warps that lie behind the end are in the last group.
    if (__any_sync(WF_ALL_LANES, valid != 0)) {
      u32 marks = ((const u8*)shared->marks)[threadIdx.x], all;
      u32 mine = before + entries_before(shared, marks, &all);
      find_origins(shared, origin, marks, mine, valid);
      write_origins(shared, origin, 255u);
      before += all;
    }
    trace_block_origins(shared, origin, wf_max(-group, 0));
    // Tracing has a barrier behind the reading of marks.
    if (threadIdx.x < MARK_WORDS) shared->marks[threadIdx.x] = 0;
    if (valid != 0) copy_origins(page, origin, group, valid);
    __syncthreads();  // for what refers to these bytes; and all of shared memory but the ring is free again
    group += (i32)BLOCK_GROUP_BYTES;
  }
  page->out += bytes;
}
