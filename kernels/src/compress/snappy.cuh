// Snappy: a varint with the plain size, then literals and matches, each after a tag of its own.

struct SnappyToken {
  u32 size;    // tag and what belongs to it, without a literal's bytes
  u32 length;  // output; 0: no length that there can be
  u32 offset;  // of a match; 0 in a literal
  bool literal;
};

// The token at a byte that the window holds. Bytes after the end count as zeros.
WF_DEVICE SnappyToken snappy_token(const Page* page, u32 in) {
  u32 place = window_place(page, in), shift = place % 4u * 8u;
  u32 low = page->shared->window[place / 4u], high = page->shared->window[(place / 4u + 1u) % (WINDOW_BYTES / 4u)];
  u32 tag = low >> shift & 255u, next = shift == 24u ? high : __funnelshift_r(low, high, shift + 8u);
  u32 kind = tag & 3u, count = tag >> 2;
  if (kind == 0) {
    u32 extra = count < 60u ? 0 : count - 59u;
    if (extra > 0) count = extra == 4u ? next : next & ((1u << 8u * extra) - 1u);
    return SnappyToken{1u + extra, count + 1u, 0, true};
  }
  if (kind == 1u) return SnappyToken{2, (count & 7u) + 4u, tag >> 5 << 8 | (next & 255u), false};
  return kind == 2u ? SnappyToken{3, count + 1u, next & 0xffffu, false} : SnappyToken{5, count + 1u, next, false};
}

WF_DEVICE bool snappy(Page* page) {
  u64 place = 0, length;
  if (!wf_read_varint(page->source, &place, page->source_bytes, &length) || length != page->target_bytes) return false;
  page->in = (u32)place;
  u32 lane = wf_lane_id();
  while (page->in < page->source_bytes) {
    move_window(page);
    u32 all_left = page->source_bytes - page->in, left = all_left - wf_min(lane, all_left);
    SnappyToken token = snappy_token(page, page->in + lane);
    bool fits = token.size <= left && token.length != 0 && (!token.literal || token.length <= left - token.size);
    // One that does not fit ends the chain, if it belongs to it.
    u32 end = !fits ? WF_WARP : lane + token.size + (token.literal ? token.length : 0);
    Chain chain = follow_tokens(left > 0, end);

    bool mine = (chain.starts >> lane & 1u) != 0, is_long = token.literal && token.length > LITERAL_MAX;
    u32 long_one = __ballot_sync(WF_ALL_LANES, mine && is_long);
    bool batched = mine && !is_long;
    u32 bytes = batched ? token.length : 0, after = wf_warp_scan<WfSum>(bytes), start = after - bytes;
    bool good = fits && after <= page->target_bytes - page->out;
    if (!token.literal) good = good && token.offset != 0 && token.offset <= page->out + start;
    if (__any_sync(WF_ALL_LANES, mine && !good)) return false;

    if (batched) {
      page->shared->tokens[__popc(chain.starts & wf_lanes_below())] =
          token.literal ? literal_token(start, window_place(page, page->in + lane + token.size))
                        : match_token(start, token.offset);
    }
    __syncwarp();  // the tokens of all lanes are there
    copy_tokens(page, batched ? start : NO_TOKEN, NO_TOKEN, wf_shfl(after, 31));
    if (long_one != 0) {
      u32 owner = (u32)__ffs((i32)long_one) - 1u;
      page->in += owner + wf_shfl(token.size, owner);
      if (!long_literal(page, wf_shfl(token.length, owner))) return false;
    } else {
      page->in += wf_min(chain.end, all_left);
    }
  }
  return true;
}
