// Snappy: a varint with the plain size, then literals and matches, each after a tag of its own. Literals whose length
// does not fit the tag are long tokens.

// The two lowest bits of a tag say: a literal, or a match with 1, 2 or 4 bytes of offset after the tag.
WF_DEVICE u32 snappy_offset_bytes(u32 kind) { return 1u << (kind - 1u & 3u); }

struct Snappy {
  static __device__ __forceinline__ u32 end(const Page* page, u32 at, u32 left) {
    u32 tag = window_byte(page, page->in + at), kind = tag & 3u;
    u32 end = at + 1u + (kind == 0 ? (tag >> 2) + 1u : snappy_offset_bytes(kind));
    return end > left ? NOWHERE : end;
  }

  static __device__ __forceinline__ Token token(const Page* page, u32 at, u32 left) {
    u32 in = page->in + at, tag = window_byte(page, in), next = window_u32(page, in + 1u);
    u32 kind = tag & 3u, count = (tag >> 2) + 1u;
    if (kind == 0) return Token{count, window_place(page, in + 1u), 0, 0, count > 60u, at + 1u + count <= left};
    bool fits = at + 1u + snappy_offset_bytes(kind) <= left;
    if (kind == 1u) return Token{0, 0, (tag >> 2 & 7u) + 4u, tag >> 5 << 8 | (next & 255u), false, fits};
    return Token{0, 0, count, kind == 2u ? next & 0xffffu : next, false, fits};
  }

  static __device__ __forceinline__ bool long_token(Page* page) {
    u32 extra = (window_byte(page, page->in) >> 2) - 59u, stored = window_u32(page, page->in + 1u);
    if (extra < 4u) stored &= (1u << 8u * extra) - 1u;
    if (extra >= page->source_bytes - page->in || stored == 0xffffffffu) return false;
    page->in += 1u + extra;
    return long_literal(page, stored + 1u);
  }
};

WF_DEVICE bool snappy(Page* page) {
  u64 at = 0, length;
  if (!wf_read_varint(page->source, &at, page->source_bytes, &length) || length != page->target_bytes) return false;
  page->in = (u32)at;
  return copy_tokens<Snappy>(page);
}
