// Tokens, a batch at a time: which bytes start one, where their output goes, and the output of all of them.

#define LITERAL_MAX 128u  // longer literals end a batch and are copied as ranges
#define MATCH_MAX 273u    // longer matches too
#define NOWHERE (1u << 30)
#define LITERAL 0x40000000

// A literal and a match after it; either may be empty. What a lane reads at its byte, real or not.
struct Token {
  u32 end;      // the byte after it, counted from the batch's first; NOWHERE if it does not fit or is long
  u32 literal;  // bytes, LITERAL_MAX at most
  u32 place;    // of the literal, in the window
  u32 match;    // bytes, MATCH_MAX at most
  u32 offset;
  bool is_long;  // the batch ends before it, and the codec copies it alone
};

// Which of 32 bytes start a token, and where the last of these ends.
struct Chain {
  u32 starts;
  u32 end;
};

// Follows the tokens from byte `from` on; there are none if that lies beyond the 32. Every lane says whether its byte is
// there and where a token would end that starts at it. Tokens have 2 bytes or more: 16 at most, 4 doublings.
WF_DEVICE Chain follow_tokens(bool there, u32 end, u32 from) {
  u32 starts = there ? 1u << wf_lane_id() : 0;
#pragma unroll
  for (u32 step = 0; step < 4u; step++) {
    u32 further_starts = wf_shfl(starts, end & 31u), further_end = wf_shfl(end, end & 31u);
    if (end < WF_WARP) {
      starts |= further_starts;
      end = further_end;
    }
  }
  starts = wf_shfl(starts, from & 31u);
  end = wf_shfl(end, from & 31u);
  return from < WF_WARP ? Chain{starts, end} : Chain{0, from};
}

// Writes a token's literal and match to the batch's list from entry `at` on: where the output starts in the batch, and
// the place in the window or the offset.
WF_DEVICE void put_entries(Shared* shared, const Token& token, u32 start, u32 at) {
  if (token.literal != 0) shared->entries[at++] = make_uint2(start | 1u << 31, token.place);
  if (token.match != 0) shared->entries[at] = make_uint2(start + token.literal, token.offset);
}

// Marks where a token's literal and match start, if they do so in the group of output bytes from `group` on.
WF_DEVICE void mark(Shared* shared, const Token& token, u32 start, u32 group) {
  u32 literal = start - group, match = literal + token.literal;
  if (token.literal != 0 && literal < GROUP_BYTES) shared->marks[literal] = 1;
  if (token.match != 0 && match < GROUP_BYTES) shared->marks[match] = 1;
}

// Where byte `at` of the batch, which belongs to `entry`, comes from. LITERAL and a place in the window; or, counted
// from byte `group` of the batch, negative: a byte written before; or a byte of the same group.
WF_DEVICE i32 origin_of(uint2 entry, u32 at, u32 group) {
  u32 start = entry.x & ~(1u << 31), distance = at - start;
  if (entry.x != start) return LITERAL | (i32)((entry.y + distance) & (WINDOW_BYTES - 1u));
  if (distance >= entry.y) distance %= entry.y;
  return (i32)(start + distance - entry.y - group);
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

// Writes the `bytes` of output that the entries in shared memory stand for. Every lane gives its two tokens again, with
// where they start.
WF_DEVICE void copy_entries(Page* page, const Token& a, u32 a_start, const Token& b, u32 b_start, u32 bytes) {
  Shared* shared = page->shared;
  u32 lane = wf_lane_id(), before = 0;
  for (u32 group = 0; group < bytes; group += GROUP_BYTES) {
    mark(shared, a, a_start, group);
    mark(shared, b, b_start, group);
    __syncwarp();  // the entries and marks of all lanes are there
    i32 origin[ROUNDS];
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++) {
      u32 base = group + r * WF_WARP;
      origin[r] = LITERAL;
      if (base >= bytes) continue;
      // As many entries have started up to a byte as marks stand there; lanes after the end repeat the last byte.
      u32 starts = __ballot_sync(WF_ALL_LANES, shared->marks[r * WF_WARP + lane] != 0);
      u32 at = wf_min(base + lane, bytes - 1u), entry = before + (u32)__popc(starts << (31u - (at - base))) - 1u;
      before += (u32)__popc(starts);
      origin[r] = origin_of(shared->entries[entry], at, group);
      shared->origins[r * WF_WARP + lane] = origin[r];
    }
    __syncwarp();  // all marks are read
    ((u32*)shared->marks)[lane] = 0;
    trace_origins(shared, origin);
    // All loads first, so that they are under way together.
    u8* target = page->target + page->out + group;
    u32 byte[ROUNDS];
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++)
      byte[r] = origin[r] < 0 ? target[origin[r]] : ((const u8*)shared->window)[origin[r] & (WINDOW_BYTES - 1u)];
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++)
      if (group + r * WF_WARP + lane < bytes) target[r * WF_WARP + lane] = (u8)byte[r];
    __syncwarp();  // for what refers to these bytes; and all of shared memory but the window is free again
  }
  page->out += bytes;
}

// Whether a real token is sound. `out` is where its output starts in the page.
WF_DEVICE bool is_sound(const Token& token, u32 out) {
  return token.end != NOWHERE && (token.match == 0 || token.offset - 1u < out + token.literal);
}

// Decompresses from `in` to the end. Codec::token reads what starts at a byte of the window, Codec::long_token copies
// the long token at `in`.
template <class Codec> WF_DEVICE bool copy_tokens(Page* page) {
  u32 lane = wf_lane_id();
  while (page->in < page->source_bytes) {
    move_window(page);
    u32 left = page->source_bytes - page->in;
    Token a = Codec::token(page, lane, left), b = Codec::token(page, WF_WARP + lane, left);
    Chain a_chain = follow_tokens(lane < left, a.end, 0);
    Chain b_chain = follow_tokens(WF_WARP + lane < left, b.end - WF_WARP, a_chain.end - WF_WARP);
    bool a_real = (a_chain.starts >> lane & 1u) != 0, b_real = (b_chain.starts >> lane & 1u) != 0;
    u32 a_long = __ballot_sync(WF_ALL_LANES, a_real && a.is_long);
    u32 b_long = __ballot_sync(WF_ALL_LANES, b_real && b.is_long);
    if (!a_real || a.is_long) a.literal = a.match = 0;
    if (!b_real || b.is_long) b.literal = b.match = 0;

    // Both sums in one scan: neither reaches 16 bits.
    u32 mine = (a.literal + a.match) | (b.literal + b.match) << 16, sums = wf_warp_scan<WfSum>(mine);
    u32 all = wf_shfl(sums, 31), bytes = (all & 0xffffu) + (all >> 16);
    u32 a_start = ((sums - mine) & 0xffffu), b_start = (all & 0xffffu) + ((sums - mine) >> 16);
    bool bad = (a_real && !a.is_long && !is_sound(a, page->out + a_start)) ||
               (b_real && !b.is_long && !is_sound(b, page->out + b_start));
    if (bytes > page->target_bytes - page->out || __any_sync(WF_ALL_LANES, bad)) return false;

    u32 below = wf_lanes_below();
    u32 a_literals = __ballot_sync(WF_ALL_LANES, a.literal != 0), a_matches = __ballot_sync(WF_ALL_LANES, a.match != 0);
    u32 b_literals = __ballot_sync(WF_ALL_LANES, b.literal != 0), b_matches = __ballot_sync(WF_ALL_LANES, b.match != 0);
    put_entries(page->shared, a, a_start, (u32)(__popc(a_literals & below) + __popc(a_matches & below)));
    put_entries(page->shared, b, b_start, (u32)(__popc(a_literals) + __popc(a_matches) + __popc(b_literals & below) +
                                                __popc(b_matches & below)));
    copy_entries(page, a, a_start, b, b_start, bytes);

    if ((a_long | b_long) == 0) {
      page->in += wf_min(b_chain.end + WF_WARP, left);
      continue;
    }
    page->in += (a_long != 0 ? (u32)__ffs((i32)a_long) : WF_WARP + (u32)__ffs((i32)b_long)) - 1u;
    if (!Codec::long_token(page)) return false;
  }
  return true;
}
