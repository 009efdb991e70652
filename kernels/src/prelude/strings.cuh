// Strings: valid UTF-8 at any address, compared by bytes. Loads of 8 bytes need the slack that wf_unpack names.

// Where a string's bytes are: what string columns are made of until their bytes are gathered.
struct WfStringRef {
  u64 address;
  u32 bytes;
  u32 reserved;
};

WF_DEVICE u64 wf_swap_bytes(u64 v) {
  return (u64)__byte_perm((u32)v, 0, 0x0123) << 32 | __byte_perm((u32)(v >> 32), 0, 0x0123);
}

// The bytes from 8 * word on as a number of the same order, with zeros after the end. Strings sort by such words for
// the longest of them, and then by their lengths, because a string may itself end in zeros.
WF_DEVICE u64 wf_string_word(WfStringRef text, u64 word) {
  u64 at = word * 8u;
  if (at >= text.bytes) return 0;
  return wf_swap_bytes(wf_unpack((const u8*)text.address + at, 0, (u32)wf_min<u64>(text.bytes - at, 8u) * 8u));
}

// Negative, zero or positive as `a` sorts before, with or after `b`.
WF_DEVICE i32 wf_string_order(const u8* a, u64 a_bytes, const u8* b, u64 b_bytes) {
  u64 common = wf_min(a_bytes, b_bytes);
  WF_ROLLED for (u64 at = 0; at < common; at += 8) {
    u32 bits = (u32)wf_min<u64>(common - at, 8u) * 8u;
    u64 left = wf_unpack(a + at, 0, bits), right = wf_unpack(b + at, 0, bits);
    if (left != right) return wf_swap_bytes(left) < wf_swap_bytes(right) ? -1 : 1;
  }
  return a_bytes < b_bytes ? -1 : a_bytes > b_bytes ? 1 : 0;
}
WF_CALLED i32 wf_string_compare(const u8* a, u64 a_bytes, const u8* b, u64 b_bytes) {
  return wf_string_order(a, a_bytes, b, b_bytes);
}

WF_DEVICE bool wf_string_equal(const u8* a, u64 a_bytes, const u8* b, u64 b_bytes) {
  return a_bytes == b_bytes && wf_string_compare(a, a_bytes, b, b_bytes) == 0;
}

WF_DEVICE bool wf_starts_with(const u8* text, u64 bytes, const u8* start, u64 start_bytes) {
  return start_bytes <= bytes && wf_string_equal(text, start_bytes, start, start_bytes);
}

WF_DEVICE bool wf_ends_with(const u8* text, u64 bytes, const u8* end, u64 end_bytes) {
  return end_bytes <= bytes && wf_string_equal(text + (bytes - end_bytes), end_bytes, end, end_bytes);
}

// The first byte at or after `from` at which `part` starts, or -1.
WF_CALLED i64 wf_find(const u8* text, u64 bytes, const u8* part, u64 part_bytes, u64 from) {
  if (part_bytes == 0) return from <= bytes ? (i64)from : -1;
  WF_ROLLED for (u64 at = from; at + part_bytes <= bytes; at++)
    if (text[at] == part[0] && wf_string_order(text + at, part_bytes, part, part_bytes) == 0) return (i64)at;
  return -1;
}

// Bytes of the character that starts with `lead`.
WF_DEVICE u32 wf_utf8_bytes(u8 lead) { return lead < 0x80u ? 1u : lead < 0xe0u ? 2u : lead < 0xf0u ? 3u : 4u; }

// Number of characters: bytes that do not continue one.
WF_DEVICE u64 wf_utf8_length(const u8* text, u64 bytes) {
  u64 length = 0;
  WF_ROLLED for (u64 at = 0; at < bytes; at++) length += (text[at] & 0xc0u) != 0x80u;
  return length;
}

WF_DEVICE u8 wf_ascii_lower(u8 byte) { return byte >= 'A' && byte <= 'Z' ? (u8)(byte + 32) : byte; }

// SQL's LIKE: % is any characters, _ is one, and what follows a backslash is itself. With `fold`, letters of ASCII are
// alike in both cases; other letters are not folded. One step back suffices: to the last %, a character further on.
WF_CALLED bool wf_like(const u8* text, u64 bytes, const u8* pattern, u64 pattern_bytes, bool fold) {
  u64 t = 0, p = 0, back_t = 0, back_p = 0;
  bool can_go_back = false;
  while (true) {
    bool matched = false;
    if (p < pattern_bytes && pattern[p] == '%') {
      can_go_back = true;
      back_p = ++p;
      back_t = t;
      continue;
    }
    if (t >= bytes && p >= pattern_bytes) return true;
    if (t < bytes && p < pattern_bytes) {
      if (pattern[p] == '_') {
        t = wf_min(t + wf_utf8_bytes(text[t]), bytes);
        p++;
        matched = true;
      } else {
        u64 literal = pattern[p] == '\\' && p + 1 < pattern_bytes ? p + 1 : p;
        u8 left = text[t], right = pattern[literal];
        if (left == right || (fold && wf_ascii_lower(left) == wf_ascii_lower(right))) {
          t++;
          p = literal + 1;
          matched = true;
        }
      }
    }
    if (matched) continue;
    if (!can_go_back || back_t >= bytes) return false;
    back_t = wf_min(back_t + wf_utf8_bytes(text[back_t]), bytes);
    t = back_t;
    p = back_p;
  }
}
