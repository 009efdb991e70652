// Copies of whole ranges, by all threads that share a page: a warp (Page) or a block (BlockPage), which all call.

// 16 bytes from any address, out of the aligned 32 bytes around them. `words` and `bits` tell how far in they start.
WF_DEVICE uint4 shifted(uint4 a, uint4 b, u32 words, u32 bits) {
  u32 v0 = a.x, v1 = a.y, v2 = a.z, v3 = a.w, v4 = b.x, v5 = b.y;
  if (words & 2u) v0 = a.z, v1 = a.w, v2 = b.x, v3 = b.y, v4 = b.z, v5 = b.w;
  if (words & 1u) v0 = v1, v1 = v2, v2 = v3, v3 = v4, v4 = v5;
  return make_uint4(__funnelshift_r(v0, v1, bits), __funnelshift_r(v1, v2, bits), __funnelshift_r(v2, v3, bits),
                    __funnelshift_r(v3, v4, bits));
}

// Copies bytes that do not overlap. Between 16 to 31 bytes at either end go parts of 16 bytes, aligned in the target;
// each comes from two aligned parts of the source, which the ends keep inside the range. Two parts a thread are
// under way at once.
template <class P> WF_DEVICE void copy_bytes(u8* target, const u8* source, u32 bytes) {
  u32 member = P::member();
  if (bytes < 128u) {
    for (u32 i = member; i < bytes; i += P::MEMBERS) target[i] = source[i];
    return;
  }
  u32 head = 16u + ((u32)(0ull - (u64)target) & 15u);
  u32 parts = (bytes - head) / 16u - 1u, tail = head + parts * 16u;
  if (member < head) target[member] = source[member];
  if (tail + member < bytes) target[tail + member] = source[tail + member];
  u32 words = (u32)((u64)(source + head) & 15u) / 4u, bits = (u32)((u64)(source + head) & 3u) * 8u;
  const uint4* from = (const uint4*)((u64)(source + head) & ~15ull);
  uint4* to = (uint4*)(target + head);
  u32 i = member;
  for (; i + P::MEMBERS < parts; i += 2u * P::MEMBERS) {
    uint4 a = from[i], b = from[i + 1u], c = from[i + P::MEMBERS], d = from[i + P::MEMBERS + 1u];
    to[i] = shifted(a, b, words, bits);
    to[i + P::MEMBERS] = shifted(c, d, words, bits);
  }
  if (i < parts) to[i] = shifted(from[i], from[i + 1u], words, bits);
}

// Copies from `offset` bytes before; where that overlaps, the bytes repeat. What is written can be copied again as a
// whole, so the copies double in size.
template <class P> WF_DEVICE void copy_match(u8* target, u32 offset, u32 bytes) {
  const u8* source = target - offset;
  u32 done = offset < 128u ? wf_min(bytes, 128u / offset * offset) : 0;
  for (u32 i = P::member(); i < done; i += P::MEMBERS) target[i] = source[i % offset];
  while (done < bytes) {
    P::meet();  // what other threads wrote is there
    u32 count = wf_min(bytes - done, offset + done);
    copy_bytes<P>(target + done, source, count);
    done += count;
  }
}

// A literal of any length from `in` on. False if it does not fit.
template <class P> WF_DEVICE bool long_literal(P* page, u32 bytes) {
  if (bytes > page->source_bytes - page->in || bytes > page->target_bytes - page->out) return false;
  copy_bytes<P>(page->target + page->out, page->source + page->in, bytes);
  P::meet();  // for what refers to these bytes
  page->in += bytes;
  page->out += bytes;
  return true;
}

// A match of any length. False if it does not fit or refers to what is not there.
template <class P> WF_DEVICE bool long_match(P* page, u32 offset, u32 bytes) {
  if (offset == 0 || offset > page->out || bytes > page->target_bytes - page->out) return false;
  copy_match<P>(page->target + page->out, offset, bytes);
  P::meet();  // for what refers to these bytes
  page->out += bytes;
  return true;
}
