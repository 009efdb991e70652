// Raw LZ4: sequences of a literal, which may be empty, and a match, which the last one lacks.

struct Lz4Sequence {
  u32 head;     // token byte and what belongs to the literal's length
  u32 literal;  // bytes
  u32 size;     // of all, literal and match included
  u32 match;    // bytes; 0: the last sequence
  u32 offset;
  bool is_long;  // to be read byte by byte
};

// The sequence at byte `in`, which the window holds, with `left` bytes from it to the end. Lengths of one further byte
// at most are read here; all that belongs to such a sequence lies in the window.
WF_DEVICE Lz4Sequence lz4_sequence(const Page* page, u32 in, u32 left) {
  u32 token = window_byte(page, in), literal = token >> 4, match = (token & 15u) + 4u, head = 1;
  bool is_long = false;
  if (literal == 15u) {
    u32 more = window_byte(page, in + 1u);
    literal += more;
    head = 2;
    is_long = literal > LITERAL_MAX;
  }
  u32 size = head + literal;
  if (size == left) return Lz4Sequence{head, literal, size, 0, 0, is_long};
  u32 offset = window_byte(page, in + size) | window_byte(page, in + size + 1u) << 8;
  size += 2u;
  if (match == 19u) {
    u32 more = window_byte(page, in + size);
    match += more;
    size++;
    is_long = is_long || more == 255u;
  }
  return Lz4Sequence{head, literal, size, match, offset, is_long};
}

// The bytes that follow a length of 15: each is added, until one is not 255. 32 at a time.
WF_DEVICE bool lz4_length(Page* page, u32* length) {
  if (*length != 15u) return true;
  u32 lane = wf_lane_id();
  while (*length <= page->target_bytes) {
    move_window(page);
    u32 byte = window_byte(page, page->in + lane), left = page->source_bytes - page->in;
    u32 others = __ballot_sync(WF_ALL_LANES, byte != 255u);
    u32 full = others == 0 ? WF_WARP : (u32)__ffs((i32)others) - 1u;
    if (full >= left) return false;
    *length += 255u * full;
    page->in += full;
    if (others != 0) {
      *length += wf_shfl(byte, full);
      page->in++;
      return true;
    }
  }
  return false;
}

// One sequence of any lengths.
WF_DEVICE bool lz4_long_sequence(Page* page) {
  move_window(page);
  u32 token = window_byte(page, page->in), literal = token >> 4, match = token & 15u;
  page->in++;
  if (!lz4_length(page, &literal) || !long_literal(page, literal)) return false;
  if (page->in == page->source_bytes) return true;
  if (page->source_bytes - page->in < 2u) return false;
  move_window(page);
  u32 offset = window_byte(page, page->in) | window_byte(page, page->in + 1u) << 8;
  page->in += 2u;
  return lz4_length(page, &match) && long_match(page, offset, match + 4u);
}

WF_DEVICE bool lz4(Page* page) {
  u32 lane = wf_lane_id();
  while (page->in < page->source_bytes) {
    move_window(page);
    u32 all_left = page->source_bytes - page->in, left = all_left - wf_min(lane, all_left);
    Lz4Sequence sequence = lz4_sequence(page, page->in + lane, left);
    bool fits = sequence.size <= left;
    Chain chain = follow_tokens(left > 0, fits && !sequence.is_long ? lane + sequence.size : WF_WARP);

    bool mine = (chain.starts >> lane & 1u) != 0, batched = mine && !sequence.is_long;
    u32 long_one = __ballot_sync(WF_ALL_LANES, mine && sequence.is_long);
    u32 bytes = batched ? sequence.literal + sequence.match : 0, after = wf_warp_scan<WfSum>(bytes);
    u32 start = after - bytes, match_start = start + sequence.literal;
    bool good = fits && after <= page->target_bytes - page->out;
    if (sequence.match != 0) good = good && sequence.offset != 0 && sequence.offset <= page->out + match_start;
    if (__any_sync(WF_ALL_LANES, batched && !good)) return false;

    bool literal = batched && sequence.literal != 0, match = batched && sequence.match != 0;
    u32 literals = __ballot_sync(WF_ALL_LANES, literal), matches = __ballot_sync(WF_ALL_LANES, match);
    u32 token = (u32)(__popc(literals & wf_lanes_below()) + __popc(matches & wf_lanes_below()));
    if (literal) {
      u32 place = window_place(page, page->in + lane + sequence.head);
      page->shared->tokens[token++] = literal_token(start, place);
    }
    if (match) page->shared->tokens[token] = match_token(match_start, sequence.offset);
    __syncwarp();  // the tokens of all lanes are there
    copy_tokens(page, literal ? start : NO_TOKEN, match ? match_start : NO_TOKEN, wf_shfl(after, 31));
    page->in += long_one != 0 ? (u32)__ffs((i32)long_one) - 1u : wf_min(chain.end, all_left);
    if (long_one != 0 && !lz4_long_sequence(page)) return false;
  }
  return true;
}
