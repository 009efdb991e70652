// Snappy: a varint with the plain size, then literals and matches, each after a tag of its own.

struct SnappyHead {
  u32 size;    // tag and what belongs to it, without a literal's bytes
  u32 length;  // output; 0: a length that cannot be
  u32 offset;  // of a match
  bool literal;
};

// The token at a byte that the window holds. Bytes after the end count as zeros.
WF_DEVICE SnappyHead snappy_head(const Page* page, u32 in) {
  u32 place = window_place(page, in), shift = place % 4u * 8u;
  u32 low = page->shared->window[place / 4u], high = page->shared->window[(place / 4u + 1u) % (WINDOW_BYTES / 4u)];
  u32 tag = low >> shift & 255u, next = shift == 24u ? high : __funnelshift_r(low, high, shift + 8u);
  u32 kind = tag & 3u, count = tag >> 2;
  if (kind == 0) {
    u32 extra = count < 60u ? 0 : count - 59u;
    if (extra > 0) count = extra == 4u ? next : next & ((1u << 8u * extra) - 1u);
    return SnappyHead{1u + extra, count + 1u, 0, true};
  }
  if (kind == 1u) return SnappyHead{2, (count & 7u) + 4u, tag >> 5 << 8 | (next & 255u), false};
  return SnappyHead{kind == 2u ? 3u : 5u, count + 1u, kind == 2u ? next & 0xffffu : next, false};
}

struct Snappy {
  static __device__ __forceinline__ Token token(const Page* page, u32 at, u32 left) {
    SnappyHead head = snappy_head(page, page->in + at);
    bool is_long = head.literal && head.length - 1u >= LITERAL_MAX;
    u32 end = at + head.size + (head.literal ? head.length : 0);
    return Token{is_long || end > left ? NOWHERE : end,
                 head.literal ? head.length : 0,
                 window_place(page, page->in + at + head.size),
                 head.literal ? 0 : head.length,
                 head.offset,
                 is_long};
  }

  static __device__ __forceinline__ bool long_token(Page* page) {
    move_window(page);
    SnappyHead head = snappy_head(page, page->in);
    if (head.size > page->source_bytes - page->in || head.length == 0) return false;
    page->in += head.size;
    return long_literal(page, head.length);
  }
};

WF_DEVICE bool snappy(Page* page) {
  u64 at = 0, length;
  if (!wf_read_varint(page->source, &at, page->source_bytes, &length) || length != page->target_bytes) return false;
  page->in = (u32)at;
  return copy_tokens<Snappy>(page);
}
