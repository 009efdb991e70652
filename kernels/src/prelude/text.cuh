// Functions of strings for generated expressions. Those that cut return references to what they are given; those that
// make strings take room from the heap, and return an empty one where there is none.

// Room of whole words of which the last is zeroed, so that strings can be read by words.
WF_CALLED u8* wf_room(WfHeap* heap, u64 bytes) {
  u64 room = (bytes + 7u) & ~7ull;
  if (room == 0) return 0;
  u8* at = wf_heap_take(heap, room);
  if (at != 0) *(u64*)(at + room - 8) = 0;
  return at;
}
WF_DEVICE WfStringRef wf_made(const u8* at, u64 bytes) {
  return at == 0 ? WfStringRef{0ull, 0u, 0u} : WfStringRef{(u64)at, (u32)bytes, 0u};
}
WF_CALLED u8* wf_append(u8* to, const u8* from, u64 bytes) {
  WF_ROLLED for (u64 at = 0; at < bytes; at++) to[at] = from[at];
  return to + bytes;
}
WF_DEVICE WfStringRef wf_part(WfStringRef text, u64 from, u64 to) {
  return WfStringRef{text.address + from, from < to ? (u32)(to - from) : 0u, 0u};
}

WF_CALLED bool wf_is_ascii(WfStringRef text) {
  u64 bits = 0;
  WF_ROLLED for (u64 at = 0; at < text.bytes; at += 8)
    bits |= wf_unpack(wf_bytes(text) + at, 0, (u32)wf_min<u64>(text.bytes - at, 8u) * 8u);
  return (bits & 0x8080808080808080ull) == 0;
}
WF_DEVICE u64 wf_characters(WfStringRef text) { return wf_utf8_length(wf_bytes(text), text.bytes); }

// The byte at which character `index` starts, or the end.
WF_CALLED u64 wf_character_start(WfStringRef text, u64 index) {
  const u8* bytes = wf_bytes(text);
  u64 at = 0;
  WF_ROLLED for (; index > 0 && at < text.bytes; index--) at += wf_utf8_bytes(bytes[at]);
  return wf_min<u64>(at, text.bytes);
}

WF_CALLED i32 wf_first_character(WfStringRef text) {
  if (text.bytes == 0) return 0;
  const u8* bytes = wf_bytes(text);
  u32 length = wf_utf8_bytes(bytes[0]);
  if (length == 1u) return bytes[0];
  i32 code = bytes[0] & (0x7f >> length);
  WF_ROLLED for (u32 at = 1; at < length && at < text.bytes; at++) code = code << 6 | (bytes[at] & 0x3f);
  return code;
}

// From character `start`, counted from 1, `count` characters, or all if it is negative.
WF_CALLED WfStringRef wf_substr(WfStringRef text, i64 start, i64 count) {
  i64 length = (i64)text.bytes, first = start - 1, last = length;
  if (start == -9223372036854775807ll - 1) return wf_part(text, 0, 0);
  if (count >= 0) last = first > 0 && count > 9223372036854775807ll - first ? length : first + count;
  first = wf_max<i64>(0, wf_min(first, length));
  last = wf_max<i64>(0, wf_min(last, length));
  u64 from = wf_character_start(text, (u64)first);
  u64 to = count < 0 ? text.bytes : wf_character_start(text, (u64)last);
  return wf_part(text, from, to);
}

// The byte after the first `count` characters; of a negative count, after all but the last so many.
WF_DEVICE u64 wf_left_end(WfStringRef text, i64 count) {
  if (count >= 0) return wf_character_start(text, (u64)count);
  u64 all = wf_characters(text), off = (u64)0 - (u64)count;
  return off >= all ? 0 : wf_character_start(text, all - off);
}
WF_DEVICE WfStringRef wf_left(WfStringRef text, i64 count) { return wf_part(text, 0, wf_left_end(text, count)); }
WF_DEVICE WfStringRef wf_right(WfStringRef text, i64 count) {
  if (count == 0 || count == -9223372036854775807ll - 1) return wf_part(text, 0, 0);
  return wf_part(text, wf_left_end(text, -count), text.bytes);
}

// Whether a set, the characters of a text, has the character of `bytes` bytes at `at`.
WF_CALLED bool wf_set_has(WfStringRef set, const u8* at, u32 bytes) {
  const u8* of = wf_bytes(set);
  WF_ROLLED for (u32 item = 0; item < set.bytes;) {
    u32 length = wf_utf8_bytes(of[item]);
    bool same = length == bytes;
    WF_ROLLED for (u32 byte = 0; same && byte < bytes; byte++) same = of[item + byte] == at[byte];
    if (same) return true;
    item += length;
  }
  return false;
}
WF_CALLED WfStringRef wf_trim(WfStringRef text, WfStringRef set, bool at_start, bool at_end) {
  const u8* bytes = wf_bytes(text);
  u64 from = 0, to = text.bytes;
  WF_ROLLED while (at_start && from < to) {
    u32 length = wf_utf8_bytes(bytes[from]);
    if (!wf_set_has(set, bytes + from, length)) break;
    from += length;
  }
  WF_ROLLED while (at_end && from < to) {
    u64 start = to - 1;
    WF_ROLLED while (start > from && (bytes[start] & 0xc0u) == 0x80u) start--;
    if (!wf_set_has(set, bytes + start, (u32)(to - start))) break;
    to = start;
  }
  return wf_part(text, from, to);
}

// The number of the first character of `part` in `text`, counted from 1, or 0.
WF_DEVICE u64 wf_position(WfStringRef text, WfStringRef part) {
  i64 at = wf_find(wf_bytes(text), text.bytes, wf_bytes(part), part.bytes, 0);
  return at < 0 ? 0 : wf_utf8_length(wf_bytes(text), (u64)at) + 1;
}

// The part of that number between delimiters, counted from the end if it is negative. Without a delimiter, the text is
// its only part.
WF_CALLED WfStringRef wf_split_part(WfStringRef text, WfStringRef by, i64 number) {
  const u8 *bytes = wf_bytes(text), *sought = wf_bytes(by);
  if (by.bytes == 0) return number == 1 || number == -1 ? text : wf_part(text, 0, 0);
  if (number > 0) {
    u64 from = 0;
    WF_ROLLED for (i64 left = number - 1;; left--) {
      i64 at = wf_find(bytes, text.bytes, sought, by.bytes, from);
      if (left == 0) return wf_part(text, from, at < 0 ? text.bytes : (u64)at);
      if (at < 0) return wf_part(text, 0, 0);
      from = (u64)at + by.bytes;
    }
  }
  u64 to = text.bytes;
  WF_ROLLED for (i64 left = number + 1;; left++) {
    i64 at = (i64)to - (i64)by.bytes;
    WF_ROLLED while (at >= 0 && !wf_string_equal(bytes + at, by.bytes, sought, by.bytes)) at--;
    if (left >= 0) return wf_part(text, at < 0 ? 0 : (u64)at + by.bytes, to);
    if (at < 0) return wf_part(text, 0, 0);
    to = (u64)at;
  }
}

// Letters of ASCII in the other case.
WF_CALLED WfStringRef wf_change_case(WfHeap* heap, WfStringRef text, bool upper) {
  u8* to = wf_room(heap, text.bytes);
  const u8* from = wf_bytes(text);
  u8 first = upper ? 'a' : 'A';
  WF_ROLLED for (u32 at = 0; to != 0 && at < text.bytes; at++)
    to[at] = (u8)(from[at] - first) < 26u ? from[at] ^ 0x20u : from[at];
  return wf_made(to, text.bytes);
}

// Texts one after the other, a separator between them. Those with `reserved` set are not there.
WF_CALLED WfStringRef wf_join(WfHeap* heap, const WfStringRef* parts, u32 count, WfStringRef separator) {
  u64 bytes = 0;
  bool any = false;
  WF_ROLLED for (u32 at = 0; at < count; at++) {
    if (parts[at].reserved != 0) continue;
    bytes += parts[at].bytes + (any ? separator.bytes : 0u);
    any = true;
  }
  u8* start = wf_room(heap, bytes);
  u8* to = start;
  any = false;
  WF_ROLLED for (u32 at = 0; to != 0 && at < count; at++) {
    if (parts[at].reserved != 0) continue;
    if (any) to = wf_append(to, wf_bytes(separator), separator.bytes);
    to = wf_append(to, wf_bytes(parts[at]), parts[at].bytes);
    any = true;
  }
  return wf_made(start, bytes);
}

WF_CALLED WfStringRef wf_replace(WfHeap* heap, WfStringRef text, WfStringRef from, WfStringRef by) {
  const u8 *bytes = wf_bytes(text), *sought = wf_bytes(from);
  if (from.bytes == 0) return text;
  u64 found = 0;
  WF_ROLLED for (i64 at = 0; (at = wf_find(bytes, text.bytes, sought, from.bytes, (u64)at)) >= 0; at += from.bytes) found++;
  if (found == 0) return text;
  u64 length = text.bytes - found * from.bytes + found * by.bytes;
  u8* start = wf_room(heap, length);
  u8* to = start;
  WF_ROLLED for (u64 at = 0; to != 0;) {
    i64 next = wf_find(bytes, text.bytes, sought, from.bytes, at);
    to = wf_append(to, bytes + at, (next < 0 ? text.bytes : (u64)next) - at);
    if (next < 0) break;
    to = wf_append(to, wf_bytes(by), by.bytes);
    at = (u64)next + from.bytes;
  }
  return wf_made(start, length);
}

WF_CALLED WfStringRef wf_reverse(WfHeap* heap, WfStringRef text) {
  u8* to = wf_room(heap, text.bytes);
  const u8* from = wf_bytes(text);
  WF_ROLLED for (u32 at = 0; to != 0 && at < text.bytes;) {
    u32 length = wf_min(wf_utf8_bytes(from[at]), text.bytes - at);
    wf_append(to + (text.bytes - at - length), from + at, length);
    at += length;
  }
  return wf_made(to, text.bytes);
}
