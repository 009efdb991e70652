// Tokens, a batch at a time: which bytes start one, where their output goes, and the output of all of them.

#define NOWHERE (1u << 30)
#define LITERAL 0x40000000

// A literal and a match after it; either may be empty.
struct Token {
  u32 literal;  // bytes
  u32 place;    // of the literal, in the window
  u32 match;    // bytes
  u32 offset;
  bool is_long;  // the batch ends before it, and the codec copies it alone
  bool fits;     // all its compressed bytes are there
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

// What a batch keeps of a literal or a match: what to add to the place of a byte in the batch's output for the place
// where it comes from. That is a place in the output too, negative before the batch, or LITERAL and a place in the
// window, which may have to wrap. A match that overlaps itself comes from its own bytes.
WF_DEVICE i32 literal_entry(u32 start, u32 place) { return (i32)(LITERAL + place - start); }
WF_DEVICE i32 match_entry(u32 offset) { return (i32)(0u - offset); }

// Replaces origins within the group by those of the bytes that they name, until none is left: each turn doubles how
// far back an origin reaches.
WF_DEVICE void trace_origins(Shared* shared, i32 (&origin)[ROUNDS], u32 group) {
  u32 lane = wf_lane_id();
  while (true) {
    bool inside = false;
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++) inside |= (u32)origin[r] - group < GROUP_BYTES;
    if (!__any_sync(WF_ALL_LANES, inside)) return;
    __syncwarp();  // the origins of all lanes are there
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++)
      if ((u32)origin[r] - group < GROUP_BYTES) origin[r] = shared->origins[(u32)origin[r] - group];
    __syncwarp();  // all are read
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++) shared->origins[r * WF_WARP + lane] = origin[r];
  }
}

// Writes the `bytes` of output that the entries in shared memory stand for. Every lane says where a literal and a match
// of its start, NOWHERE if it has none.
WF_DEVICE void copy_entries(Page* page, u32 literal_start, u32 match_start, u32 bytes) {
  Shared* shared = page->shared;
  u8* output = page->target + page->out;
  u32 lane = wf_lane_id(), before = 0;
  for (u32 group = 0; group < bytes; group += GROUP_BYTES) {
    if (literal_start - group < GROUP_BYTES) shared->marks[literal_start - group] = 1;
    if (match_start - group < GROUP_BYTES) shared->marks[match_start - group] = 1;
    __syncwarp();  // the entries and marks of all lanes are there
    i32 origin[ROUNDS];
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++) {
      u32 base = group + r * WF_WARP;
      origin[r] = LITERAL;
      if (base >= bytes) continue;
      // As many entries have started up to a byte as marks stand there; lanes after the end repeat the last byte.
      u32 starts = __ballot_sync(WF_ALL_LANES, shared->marks[r * WF_WARP + lane] != 0);
      u32 entry = before + (u32)__popc(starts << (31u - lane)) - 1u;
      before += (u32)__popc(starts);
      origin[r] = (i32)wf_min(base + lane, bytes - 1u) + shared->entries[entry];
      shared->origins[r * WF_WARP + lane] = origin[r];
    }
    __syncwarp();  // all marks are read
    ((u32*)shared->marks)[lane] = 0;
    trace_origins(shared, origin, group);
    // All loads first, so that they are under way together.
    u32 byte[ROUNDS];
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++)
      byte[r] = origin[r] < LITERAL ? output[origin[r]] : ((const u8*)shared->window)[(u32)origin[r] % WINDOW_BYTES];
#pragma unroll
    for (u32 r = 0; r < ROUNDS; r++)
      if (group + r * WF_WARP + lane < bytes) output[group + r * WF_WARP + lane] = (u8)byte[r];
    __syncwarp();  // for what refers to these bytes; and all of shared memory but the window is free again
  }
  page->out += bytes;
}

// Where a token would end that started `at` bytes after `in`.
template <class Codec> WF_DEVICE u32 end_at(const Page* page, u32 at, u32 left) {
  u32 in = page->in + at;
  return Codec::template end<Page>(window_byte(page, in), window_byte(page, in + 1u), at, left);
}

// Decompresses from `in` to the end, 64 compressed bytes at a time. Of the codec, `end` tells where a token would end
// that starts at a byte, which may be wrong for a long one; `token` reads it, and `long_token` copies the one at `in`.
template <class Codec> WF_DEVICE bool copy_tokens(Page* page) {
  Shared* shared = page->shared;
  u32 lane = wf_lane_id(), below = wf_lanes_below();
  ((u32*)shared->marks)[lane] = 0;
  while (page->in < page->source_bytes) {
    move_window(page);
    u32 left = page->source_bytes - page->in;
    u32 first_end = end_at<Codec>(page, lane, left), second_end = end_at<Codec>(page, WF_WARP + lane, left);
    Chain first = follow_tokens(lane < left, first_end, 0);
    Chain second = follow_tokens(WF_WARP + lane < left, second_end - WF_WARP, first.end - WF_WARP);
    u32 first_count = (u32)__popc(first.starts), count = first_count + (u32)__popc(second.starts);
    if (first.starts >> lane & 1u) shared->starts[__popc(first.starts & below)] = (u8)lane;
    if (second.starts >> lane & 1u) shared->starts[first_count + __popc(second.starts & below)] = (u8)(WF_WARP + lane);
    __syncwarp();  // the places of all tokens are there

    // From here on a lane has a token, if there are as many.
    u32 start = lane < count ? shared->starts[lane] : 0;
    Token token = Codec::token(page, start, left);
    u32 longs = __ballot_sync(WF_ALL_LANES, lane < count && token.is_long);
    bool batched = lane < count && (longs & (below << 1 | 1u)) == 0;
    if (!batched) token.literal = token.match = 0;
    u32 after = wf_warp_scan<WfSum>(token.literal + token.match), bytes = wf_shfl(after, 31);
    u32 match_start = after - token.match, literal_start = match_start - token.literal;
    bool sound = token.fits && (token.match == 0 || token.offset - 1u < page->out + match_start);
    if (bytes > page->target_bytes - page->out || __any_sync(WF_ALL_LANES, batched && !sound)) return false;

    u32 literals = __ballot_sync(WF_ALL_LANES, token.literal != 0);
    u32 matches = __ballot_sync(WF_ALL_LANES, token.match != 0);
    u32 entry = (u32)(__popc(literals & below) + __popc(matches & below));
    if (token.literal != 0) shared->entries[entry++] = literal_entry(literal_start, token.place);
    if (token.match != 0) shared->entries[entry] = match_entry(token.offset);
    copy_entries(page, token.literal != 0 ? literal_start : NOWHERE, token.match != 0 ? match_start : NOWHERE, bytes);

    if (longs == 0) {
      page->in += wf_min(second.end + WF_WARP, left);
      continue;
    }
    page->in += wf_shfl(start, (u32)__ffs((i32)longs) - 1u);
    move_window(page);
    if (!Codec::long_token(page)) return false;
  }
  return true;
}
