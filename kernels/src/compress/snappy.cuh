// Snappy: a varint with the plain size, then literals and matches, each after a tag of its own. Literals whose length
// does not fit the tag are long tokens; a block takes those of one further byte with the others.

// The two lowest bits of a tag say: a literal, or a match with 1, 2 or 4 bytes of offset after the tag.
WF_DEVICE u32 snappy_offset_bytes(u32 kind) { return 1u << (kind - 1u & 3u); }

struct Snappy {
  static const u32 PIECES = 1;  // of a token: a literal or a match

  // Whether a literal's length is the byte after the tag, and the literal may belong to a batch nevertheless.
  template <class P> static __device__ __forceinline__ bool has_byte(u32 tag) {
    return P::LITERAL_MAX >= 256u && tag == 60u << 2;
  }

  template <class P> static __device__ __forceinline__ u32 end(u32 tag, u32 next, u32 at, u32 left) {
    u32 kind = tag & 3u;
    u32 end = at + 1u + (kind == 0 ? (tag >> 2) + 1u : snappy_offset_bytes(kind));
    if (has_byte<P>(tag)) end = at + 3u + next;
    return end > left ? NOWHERE : end;
  }

  template <class P> static __device__ __forceinline__ Token token(const P* page, u32 at, u32 left) {
    u32 in = page->in + at, tag = window_byte(page, in), next = window_u32(page, in + 1u);
    u32 kind = tag & 3u, count = (tag >> 2) + 1u, head = 1;
    if (has_byte<P>(tag)) {
      count = (next & 255u) + 1u;
      head = 2;
    }
    if (kind == 0) {
      bool is_long = head == 1u && count > 60u;
      return Token{count, window_place(page, in + head), 0, 0, is_long, at + head + count <= left};
    }
    bool fits = at + 1u + snappy_offset_bytes(kind) <= left;
    if (kind == 1u) return Token{0, 0, (tag >> 2 & 7u) + 4u, tag >> 5 << 8 | (next & 255u), false, fits};
    return Token{0, 0, count, kind == 2u ? next & 0xffffu : next, false, fits};
  }

  template <class P> static __device__ __forceinline__ bool long_token(P* page) {
    u32 extra = (window_byte(page, page->in) >> 2) - 59u, stored = window_u32(page, page->in + 1u);
    if (extra < 4u) stored &= (1u << 8u * extra) - 1u;
    if (extra >= page->source_bytes - page->in || stored == 0xffffffffu) return false;
    page->in += 1u + extra;
    return long_literal(page, stored + 1u);
  }
};

template <class P> WF_DEVICE bool snappy(P* page) {
  u64 at = 0, length;
  if (!wf_read_varint(page->source, &at, page->source_bytes, &length) || length != page->target_bytes) return false;
  page->in = (u32)at;
  return copy_tokens<Snappy>(page);
}
