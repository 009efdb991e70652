// Raw LZ4: sequences of a literal, which may be empty, and a match, which the last one lacks. Both lengths can go on in
// further bytes: one of them is read in a batch, more make a long token.

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

struct Lz4 {
  // All that belongs to a token that is not long lies in the window.
  static __device__ __forceinline__ Token token(const Page* page, u32 at, u32 left) {
    u32 in = page->in + at, first = window_byte(page, in), literal = first >> 4, match = (first & 15u) + 4u, head = 1;
    if (literal == 15u) {
      literal += window_byte(page, in + 1u);
      head = 2;
    }
    bool is_long = literal > LITERAL_MAX;
    u32 size = head + literal, place = window_place(page, in + head), offset = 0;
    if (at + size == left) {
      match = 0;
    } else {
      offset = window_byte(page, in + size) | window_byte(page, in + size + 1u) << 8;
      size += 2u;
      if (match == 19u) {
        match += window_byte(page, in + size);
        size++;
        is_long = is_long || match > MATCH_MAX;
      }
    }
    return Token{is_long || at + size > left ? NOWHERE : at + size, literal, place, match, offset, is_long};
  }

  static __device__ __forceinline__ bool long_token(Page* page) {
    move_window(page);
    u32 first = window_byte(page, page->in), literal = first >> 4, match = first & 15u;
    page->in++;
    if (!lz4_length(page, &literal) || !long_literal(page, literal)) return false;
    if (page->in == page->source_bytes) return true;
    if (page->source_bytes - page->in < 2u) return false;
    move_window(page);
    u32 offset = window_byte(page, page->in) | window_byte(page, page->in + 1u) << 8;
    page->in += 2u;
    return lz4_length(page, &match) && long_match(page, offset, match + 4u);
  }
};
