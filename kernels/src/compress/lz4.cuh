// Raw LZ4: sequences of a literal, which may be empty, and a match, which the last one lacks. Both lengths can go on in
// further bytes: one of them is read in a batch, more make a long token.

// The bytes that follow a length of 15: each is added, until one is not 255. 32 at a time.
template <class P> WF_DEVICE bool lz4_length(P* page, u32* length) {
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

// All that belongs to a token that is not long lies in the window.
struct Lz4 {
  static const u32 PIECES = 2;  // of a token: a literal and a match

  template <class P> static __device__ __forceinline__ u32 end(u32 first, u32 next, u32 at, u32 left) {
    u32 literal = first >> 4, end = at + 1u + literal;
    if (literal == 15u) end += 1u + next;
    if (end != left) end += (first & 15u) == 15u ? 3u : 2u;
    return end > left ? NOWHERE : end;
  }

  template <class P> static __device__ __forceinline__ Token token(const P* page, u32 at, u32 left) {
    u32 in = page->in + at, first = window_byte(page, in), literal = first >> 4, match = (first & 15u) + 4u, head = 1;
    if (literal == 15u) {
      literal += window_byte(page, in + 1u);
      head = 2;
    }
    u32 size = head + literal, place = window_place(page, in + head);
    bool is_long = literal > P::LITERAL_MAX;
    if (at + size == left) return Token{literal, place, 0, 0, is_long, true};
    u32 next = window_u32(page, in + size), more = next >> 16 & 255u;
    size += 2u;
    if (match == 19u) {
      match += more;
      size++;
      is_long = is_long || more == 255u;
    }
    return Token{literal, place, match, next & 0xffffu, is_long, at + size <= left};
  }

  template <class P> static __device__ __forceinline__ bool long_token(P* page) {
    u32 first = window_byte(page, page->in), literal = first >> 4, match = first & 15u;
    page->in++;
    if (!lz4_length(page, &literal) || !long_literal(page, literal)) return false;
    if (page->in == page->source_bytes) return true;
    if (page->source_bytes - page->in < 2u) return false;
    move_window(page);
    u32 offset = window_u32(page, page->in) & 0xffffu;
    page->in += 2u;
    return lz4_length(page, &match) && long_match(page, offset, match + 4u);
  }
};
