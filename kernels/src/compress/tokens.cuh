// Tokens, which are literals and matches, a batch at a time: which bytes start one, and the output of all of them.

#define LITERAL_MAX 128u  // longer literals end a batch and are copied as ranges
#define LITERAL 0x40000000
#define NO_TOKEN 0xffffffffu

// Which of 32 bytes start a token, and how far after the first of them the last token ends.
struct Chain {
  u32 starts;
  u32 end;
};

// Follows the tokens from the first byte on. Every lane says where a token that starts at its byte would end, whether
// one does or not, and whether its byte is there at all. Tokens have 2 bytes or more: 16 at most, 4 doublings.
WF_DEVICE Chain follow_tokens(bool there, u32 end) {
  u32 starts = there ? 1u << wf_lane_id() : 0;
  if (!there) end = WF_WARP;
#pragma unroll
  for (u32 step = 0; step < 4u; step++) {
    u32 further_starts = wf_shfl(starts, end & 31u), further_end = wf_shfl(end, end & 31u);
    if (end < WF_WARP) {
      starts |= further_starts;
      end = further_end;
    }
  }
  return Chain{wf_shfl(starts, 0), wf_shfl(end, 0)};
}

// How copy_tokens receives a token: where its output starts in the batch, and the offset of a match or the place of a
// literal in the window.
WF_DEVICE uint2 match_token(u32 start, u32 offset) { return make_uint2(start, offset); }
WF_DEVICE uint2 literal_token(u32 start, u32 place) { return make_uint2(start | 1u << 31, place); }

// Where byte `at` of the batch, which belongs to `token`, comes from. LITERAL and a place in the window; or, counted
// from byte `group` of the batch, negative: a byte written before; or a byte of the same group.
WF_DEVICE i32 origin_of(uint2 token, u32 at, u32 group) {
  u32 start = token.x & ~(1u << 31), distance = at - start;
  if (token.x != start) return LITERAL | (i32)((token.y + distance) & (WINDOW_BYTES - 1u));
  if (distance >= token.y) distance %= token.y;
  return (i32)(start + distance - token.y - group);
}

// Replaces origins within the group by those of the bytes that they name, until none is left: each turn doubles how
// far back an origin reaches.
WF_DEVICE void trace_origins(Shared* shared, i32 (&origin)[ROUNDS]) {
  u32 lane = wf_lane_id();
  while (true) {
    bool inside = false;
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++) inside |= (u32)origin[r] < GROUP_BYTES;
    if (!__any_sync(WF_ALL_LANES, inside)) return;
    __syncwarp();  // the origins of all lanes are there
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++)
      if ((u32)origin[r] < GROUP_BYTES) origin[r] = shared->origins[origin[r]];
    __syncwarp();  // all are read
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++) shared->origins[r * WF_WARP + lane] = origin[r];
  }
}

// Writes the `bytes` that the tokens in shared memory stand for, in order from token 0 on, which starts at byte 0.
// Every lane says where up to two of them start, no matter which.
WF_DEVICE void copy_tokens(Page* page, u32 first_start, u32 second_start, u32 bytes) {
  Shared* shared = page->shared;
  u32 lane = wf_lane_id(), before = 0;
  for (u32 group = 0; group < bytes; group += GROUP_BYTES) {
    u8* target = page->target + page->out + group;
    i32 origin[ROUNDS];
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++) {
      u32 base = group + r * WF_WARP;
      origin[r] = LITERAL;
      if (base >= bytes) continue;
      // A bit a byte that starts a token: those up to a byte count to the byte's own token.
      u32 mine = first_start - base < WF_WARP ? 1u << (first_start - base) : 0;
      if (second_start - base < WF_WARP) mine |= 1u << (second_start - base);
      u32 starts = __reduce_or_sync(WF_ALL_LANES, mine);
      u32 token = before + (u32)__popc(starts << (31u - lane)) - 1u;
      before += (u32)__popc(starts);
      if (base + lane < bytes) origin[r] = origin_of(shared->tokens[token], base + lane, group);
      shared->origins[r * WF_WARP + lane] = origin[r];
    }
    trace_origins(shared, origin);
    // All loads first, so that they are under way together.
    u32 byte[ROUNDS];
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++)
      byte[r] = origin[r] < 0 ? target[origin[r]] : ((const u8*)shared->window)[origin[r] & (WINDOW_BYTES - 1u)];
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++)
      if (group + r * WF_WARP + lane < bytes) target[r * WF_WARP + lane] = (u8)byte[r];
    __syncwarp();  // for what refers to these bytes; and tokens and origins are free again
  }
  page->out += bytes;
}
