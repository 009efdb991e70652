// Strings from strings and numbers. All take room from the heap, and return an empty string where there is none.

// `bytes` bytes of a string over and over.
WF_CALLED u8* wf_fill(u8* to, WfStringRef by, u64 bytes) {
  WF_ROLLED while (bytes > 0) {
    u64 count = wf_min<u64>(bytes, by.bytes);
    to = wf_append(to, wf_bytes(by), count);
    bytes -= count;
  }
  return to;
}
WF_CALLED WfStringRef wf_repeat(WfHeap* heap, WfStringRef text, i64 count) {
  u64 bytes = count > 0 ? text.bytes * (u64)count : 0;
  u8* to = wf_room(heap, bytes);
  if (to != 0) wf_fill(to, text, bytes);
  return wf_made(to, bytes);
}
// `text` cut or filled up to `length` characters.
WF_CALLED WfStringRef wf_pad(WfHeap* heap, WfStringRef text, i64 length, WfStringRef fill, bool at_start) {
  u64 wanted = length > 0 ? (u64)length : 0, there = wf_characters(text), of = wf_characters(fill);
  if (there >= wanted) return wf_part(text, 0, wf_character_start(text, wanted));
  if (of == 0) return text;
  u64 missing = wanted - there;
  u64 bytes = missing / of * fill.bytes + wf_character_start(fill, missing % of);
  u8* start = wf_room(heap, text.bytes + bytes);
  u8* to = start;
  if (to == 0) return wf_made(start, 0);
  if (at_start) to = wf_fill(to, fill, bytes);
  to = wf_append(to, wf_bytes(text), text.bytes);
  if (!at_start) wf_fill(to, fill, bytes);
  return wf_made(start, text.bytes + bytes);
}

// The character that stands in `to` where `character` stands in `from`: nothing where `to` is too short, and itself
// where `from` lacks it.
WF_CALLED WfStringRef wf_translated(WfStringRef character, WfStringRef from, WfStringRef to) {
  const u8 *sought = wf_bytes(from), *found = wf_bytes(to);
  u32 other = 0;
  WF_ROLLED for (u32 at = 0; at < from.bytes;) {
    u32 bytes = wf_utf8_bytes(sought[at]), by = other < to.bytes ? wf_utf8_bytes(found[other]) : 0u;
    if (wf_string_equal(wf_bytes(character), character.bytes, sought + at, bytes))
      return WfStringRef{to.address + other, by, 0u};
    at += bytes;
    other += by;
  }
  return character;
}
// A string with something else in place of each of its characters: measured first, then written.
template <class T> WF_DEVICE WfStringRef wf_each_character(WfHeap* heap, WfStringRef text, T other) {
  const u8* bytes = wf_bytes(text);
  u64 length = 0;
  u8 *start = 0, *next = 0;
  WF_ROLLED for (u32 round = 0; round < 2u; round++) {
    WF_ROLLED for (u32 at = 0; at < text.bytes;) {
      u32 of = wf_utf8_bytes(bytes[at]);
      WfStringRef by = other.of(wf_part(text, at, wf_min(at + of, text.bytes)));
      if (round == 0) length += by.bytes;
      else next = wf_append(next, wf_bytes(by), by.bytes);
      at += of;
    }
    if (round == 0) next = start = wf_room(heap, length);
    if (start == 0) break;
  }
  return wf_made(start, length);
}
struct WfTranslation {
  WfStringRef from, to;
  __device__ __forceinline__ WfStringRef of(WfStringRef character) const { return wf_translated(character, from, to); }
};
WF_CALLED WfStringRef wf_translate(WfHeap* heap, WfStringRef text, WfStringRef from, WfStringRef to) {
  return wf_each_character(heap, text, WfTranslation{from, to});
}

// What a letter is in the other case, in the order of their codes.
struct WfCase {
  u32 code;
  u32 bytes;
  u8 text[8];
};
WF_CALLED WfStringRef wf_other_case(WfStringRef character, const u8* literals, u32 slot) {
  const WfLiteralBytes* list = (const WfLiteralBytes*)(literals + slot);
  const WfCase* cases = (const WfCase*)(literals + list->offset);
  u32 code = (u32)wf_first_character(character);
  u64 low = 0, high = list->count;
  WF_ROLLED while (low < high) {
    u64 middle = (low + high) / 2u;
    if (cases[middle].code < code) low = middle + 1u;
    else high = middle;
  }
  return low < list->count && cases[low].code == code ? WfStringRef{(u64)cases[low].text, cases[low].bytes, 0u} : character;
}
struct WfCaseChange {
  const u8* literals;
  u32 slot;
  __device__ __forceinline__ WfStringRef of(WfStringRef character) const { return wf_other_case(character, literals, slot); }
};
WF_CALLED WfStringRef wf_change_any_case(WfHeap* heap, WfStringRef text, bool upper, const u8* literals, u32 slot) {
  if (wf_is_ascii(text)) return wf_change_case(heap, text, upper);
  return wf_each_character(heap, text, WfCaseChange{literals, slot});
}
WF_CALLED bool wf_has_sigma(WfStringRef text) {
  bool any = false;
  WF_ROLLED for (u32 at = 0; at + 1u < text.bytes; at++) any |= wf_bytes(text)[at] == 0xceu && wf_bytes(text)[at + 1u] == 0xa3u;
  return any;
}

// Letters of ASCII: large at the start of a word, else small.
WF_CALLED WfStringRef wf_initcap(WfHeap* heap, WfStringRef text) {
  u8* to = wf_room(heap, text.bytes);
  const u8* from = wf_bytes(text);
  bool inside = false;
  WF_ROLLED for (u32 at = 0; to != 0 && at < text.bytes; at++) {
    u8 byte = from[at], small = wf_ascii_lower(byte);
    bool is_letter = (u8)(small - 'a') < 26u;
    to[at] = is_letter ? (inside ? small : (u8)(small ^ 0x20u)) : byte;
    inside = is_letter || (u8)(byte - '0') < 10u;
  }
  return wf_made(to, text.bytes);
}

// The character of a code, in UTF-8.
WF_DEVICE bool wf_is_character(i64 code) { return code >= 0 && code < 0x110000 && (code < 0xd800 || code > 0xdfff); }
WF_CALLED WfStringRef wf_chr(WfHeap* heap, i64 code) {
  u32 bytes = code < 0x80 ? 1u : code < 0x800 ? 2u : code < 0x10000 ? 3u : 4u;
  u8* to = wf_room(heap, bytes);
  if (to == 0) return wf_made(to, 0);
  if (bytes == 1u) {
    to[0] = (u8)code;
  } else {
    WF_ROLLED for (u32 at = bytes - 1u; at > 0; at--, code >>= 6) to[at] = (u8)(0x80u | (code & 0x3f));
    to[0] = (u8)((0xf00u >> bytes) | code);
  }
  return wf_made(to, bytes);
}

// `by` in place of `count` characters from character `start`, counted from 1.
WF_CALLED WfStringRef wf_overlay(WfHeap* heap, WfStringRef text, WfStringRef by, i64 start, i64 count) {
  i64 first = wf_max<i64>(start - 1, 0);
  i64 last = count > 9223372036854775807ll - first ? 9223372036854775807ll : wf_max<i64>(first + count, 0);
  u64 before = wf_character_start(text, (u64)first), after = wf_character_start(text, (u64)last);
  const WfStringRef parts[3] = {wf_part(text, 0, before), by, wf_part(text, after, text.bytes)};
  return wf_join(heap, parts, 3u, WfStringRef{0ull, 0u, 0u});
}

WF_DEVICE u8 wf_hex_digit(u32 value) { return (u8)(value < 10u ? '0' + value : 'a' + value - 10u); }
WF_CALLED WfStringRef wf_to_hex(WfHeap* heap, u64 value) {
  u32 digits = 1;
  WF_ROLLED while (digits < 16u && (value >> (4u * digits)) != 0) digits++;
  u8* to = wf_room(heap, digits);
  WF_ROLLED for (u32 at = digits; to != 0 && at > 0; at--, value >>= 4) to[at - 1u] = wf_hex_digit((u32)value & 15u);
  return wf_made(to, digits);
}
WF_CALLED WfStringRef wf_hex_of(WfHeap* heap, WfStringRef bytes) {
  u8* to = wf_room(heap, 2ull * bytes.bytes);
  const u8* from = wf_bytes(bytes);
  WF_ROLLED for (u32 at = 0; to != 0 && at < bytes.bytes; at++) {
    to[2u * at] = wf_hex_digit(from[at] >> 4);
    to[2u * at + 1u] = wf_hex_digit(from[at] & 15u);
  }
  return wf_made(to, 2ull * bytes.bytes);
}
// 0 to 15, or more where it is no digit.
WF_DEVICE u32 wf_hex_value(u8 digit) {
  u32 letter = (u32)(u8)(wf_ascii_lower(digit) - 'a');
  return (u8)(digit - '0') < 10u ? digit - '0' : letter < 6u ? letter + 10u : 16u;
}
WF_CALLED bool wf_is_hex(WfStringRef text) {
  bool good = text.bytes % 2u == 0;
  WF_ROLLED for (u32 at = 0; at < text.bytes; at++) good = good && wf_hex_value(wf_bytes(text)[at]) < 16u;
  return good;
}
WF_CALLED WfStringRef wf_of_hex(WfHeap* heap, WfStringRef text) {
  u64 bytes = text.bytes / 2u;
  u8* to = wf_room(heap, bytes);
  const u8* from = wf_bytes(text);
  WF_ROLLED for (u64 at = 0; to != 0 && at < bytes; at++)
    to[at] = (u8)(wf_hex_value(from[2u * at]) << 4 | wf_hex_value(from[2u * at + 1u]));
  return wf_made(to, bytes);
}
// Groups of three bytes as four digits; the last group has two or three, and may be filled up.
WF_CALLED WfStringRef wf_base64_of(WfHeap* heap, WfStringRef bytes, bool padded) {
  u64 groups = (bytes.bytes + 2u) / 3u, missing = groups * 3u - bytes.bytes, length = groups * 4u - (padded ? 0 : missing);
  u8* to = wf_room(heap, length);
  const u8* from = wf_bytes(bytes);
  WF_ROLLED for (u64 at = 0; to != 0 && at < length; at++) {
    u64 bit = at * 6u, byte = bit / 8u;
    u32 two = byte < bytes.bytes ? (u32)from[byte] << 8 : 0u;
    if (byte + 1u < bytes.bytes) two |= from[byte + 1u];
    u32 value = two >> (10u - bit % 8u) & 63u;
    u32 digit = value < 26u ? 'A' + value : value < 52u ? 'a' + value - 26u : value < 62u ? '0' + value - 52u : value == 62u ? '+' : '/';
    to[at] = (u8)(at + missing >= groups * 4u ? '=' : digit);
  }
  return wf_made(to, length);
}

// How many characters must be changed, put in or left out. The heap holds a row of such numbers, one for each start of
// `b`.
WF_CALLED i64 wf_levenshtein(WfHeap* heap, WfStringRef a, WfStringRef b) {
  u64 width = wf_characters(b);
  u32* row = (u32*)wf_room(heap, (width + 1u) * 4u);
  if (row == 0) return 0;
  WF_ROLLED for (u64 at = 0; at <= width; at++) row[at] = (u32)at;
  u32 line = 0;
  WF_ROLLED for (u32 from = 0; from < a.bytes;) {
    u32 bytes = wf_utf8_bytes(wf_bytes(a)[from]), to = 0, corner = line;
    row[0] = ++line;
    WF_ROLLED for (u64 at = 0; at < width; at++) {
      u32 other = wf_utf8_bytes(wf_bytes(b)[to]);
      bool same = wf_string_equal(wf_bytes(a) + from, bytes, wf_bytes(b) + to, other);
      u32 changed = corner + (same ? 0u : 1u);
      corner = row[at + 1u];
      row[at + 1u] = wf_min(changed, wf_min(corner, row[at]) + 1u);
      to += other;
    }
    from += bytes;
  }
  return row[width];
}
