// Functions of strings for generated expressions. Those that cut return references to what they are given; those that
// make strings take room from the heap, and return an empty one where there is none.

// Room of whole words of which the last is zeroed, so that strings can be read by words.
WF_DEVICE u8* wf_room(WfHeap* heap, u64 bytes) {
  u64 room = (bytes + 7u) & ~7ull;
  if (room == 0) return 0;
  u8* at = wf_heap_take(heap, room);
  if (at != 0) *(u64*)(at + room - 8) = 0;
  return at;
}
WF_DEVICE WfStringRef wf_made(const u8* at, u64 bytes) {
  return at == 0 ? WfStringRef{0ull, 0u, 0u} : WfStringRef{(u64)at, (u32)bytes, 0u};
}
WF_DEVICE u8* wf_append(u8* to, const u8* from, u64 bytes) {
  for (u64 at = 0; at < bytes; at++) to[at] = from[at];
  return to + bytes;
}
WF_DEVICE WfStringRef wf_part(WfStringRef text, u64 from, u64 to) {
  return WfStringRef{text.address + from, from < to ? (u32)(to - from) : 0u, 0u};
}

WF_DEVICE bool wf_is_ascii(WfStringRef text) {
  u64 bits = 0;
  for (u64 at = 0; at < text.bytes; at += 8)
    bits |= wf_unpack(wf_bytes(text) + at, 0, (u32)wf_min<u64>(text.bytes - at, 8u) * 8u);
  return (bits & 0x8080808080808080ull) == 0;
}
WF_DEVICE u64 wf_characters(WfStringRef text) { return wf_utf8_length(wf_bytes(text), text.bytes); }

// The byte at which character `index` starts, or the end.
WF_DEVICE u64 wf_character_start(WfStringRef text, u64 index) {
  const u8* bytes = wf_bytes(text);
  u64 at = 0;
  for (; index > 0 && at < text.bytes; index--) at += wf_utf8_bytes(bytes[at]);
  return wf_min<u64>(at, text.bytes);
}

WF_DEVICE i32 wf_first_character(WfStringRef text) {
  if (text.bytes == 0) return 0;
  const u8* bytes = wf_bytes(text);
  u32 length = wf_utf8_bytes(bytes[0]);
  if (length == 1u) return bytes[0];
  i32 code = bytes[0] & (0x7f >> length);
  for (u32 at = 1; at < length && at < text.bytes; at++) code = code << 6 | (bytes[at] & 0x3f);
  return code;
}

// From character `start`, counted from 1, `count` characters, or all if it is negative.
WF_DEVICE WfStringRef wf_substr(WfStringRef text, i64 start, i64 count) {
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
WF_DEVICE bool wf_set_has(WfStringRef set, const u8* at, u32 bytes) {
  const u8* of = wf_bytes(set);
  for (u32 item = 0; item < set.bytes;) {
    u32 length = wf_utf8_bytes(of[item]);
    bool same = length == bytes;
    for (u32 byte = 0; same && byte < bytes; byte++) same = of[item + byte] == at[byte];
    if (same) return true;
    item += length;
  }
  return false;
}
WF_DEVICE WfStringRef wf_trim(WfStringRef text, WfStringRef set, bool at_start, bool at_end) {
  const u8* bytes = wf_bytes(text);
  u64 from = 0, to = text.bytes;
  while (at_start && from < to) {
    u32 length = wf_utf8_bytes(bytes[from]);
    if (!wf_set_has(set, bytes + from, length)) break;
    from += length;
  }
  while (at_end && from < to) {
    u64 start = to - 1;
    while (start > from && (bytes[start] & 0xc0u) == 0x80u) start--;
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
WF_DEVICE WfStringRef wf_split_part(WfStringRef text, WfStringRef by, i64 number) {
  const u8 *bytes = wf_bytes(text), *sought = wf_bytes(by);
  if (by.bytes == 0) return number == 1 || number == -1 ? text : wf_part(text, 0, 0);
  if (number > 0) {
    u64 from = 0;
    for (i64 left = number - 1;; left--) {
      i64 at = wf_find(bytes, text.bytes, sought, by.bytes, from);
      if (left == 0) return wf_part(text, from, at < 0 ? text.bytes : (u64)at);
      if (at < 0) return wf_part(text, 0, 0);
      from = (u64)at + by.bytes;
    }
  }
  u64 to = text.bytes;
  for (i64 left = number + 1;; left++) {
    i64 at = (i64)to - (i64)by.bytes;
    while (at >= 0 && !wf_string_equal(bytes + at, by.bytes, sought, by.bytes)) at--;
    if (left >= 0) return wf_part(text, at < 0 ? 0 : (u64)at + by.bytes, to);
    if (at < 0) return wf_part(text, 0, 0);
    to = (u64)at;
  }
}

// Letters of ASCII in the other case.
WF_DEVICE WfStringRef wf_change_case(WfHeap* heap, WfStringRef text, bool upper) {
  u8* to = wf_room(heap, text.bytes);
  const u8* from = wf_bytes(text);
  u8 first = upper ? 'a' : 'A';
  for (u32 at = 0; to != 0 && at < text.bytes; at++)
    to[at] = (u8)(from[at] - first) < 26u ? from[at] ^ 0x20u : from[at];
  return wf_made(to, text.bytes);
}

// Texts one after the other, a separator between them. Those with `reserved` set are not there.
WF_DEVICE WfStringRef wf_join(WfHeap* heap, const WfStringRef* parts, u32 count, WfStringRef separator) {
  u64 bytes = 0;
  bool any = false;
  for (u32 at = 0; at < count; at++) {
    if (parts[at].reserved != 0) continue;
    bytes += parts[at].bytes + (any ? separator.bytes : 0u);
    any = true;
  }
  u8* start = wf_room(heap, bytes);
  u8* to = start;
  any = false;
  for (u32 at = 0; to != 0 && at < count; at++) {
    if (parts[at].reserved != 0) continue;
    if (any) to = wf_append(to, wf_bytes(separator), separator.bytes);
    to = wf_append(to, wf_bytes(parts[at]), parts[at].bytes);
    any = true;
  }
  return wf_made(start, bytes);
}

WF_DEVICE WfStringRef wf_replace(WfHeap* heap, WfStringRef text, WfStringRef from, WfStringRef by) {
  const u8 *bytes = wf_bytes(text), *sought = wf_bytes(from);
  if (from.bytes == 0) return text;
  u64 found = 0;
  for (i64 at = 0; (at = wf_find(bytes, text.bytes, sought, from.bytes, (u64)at)) >= 0; at += from.bytes) found++;
  if (found == 0) return text;
  u64 length = text.bytes - found * from.bytes + found * by.bytes;
  u8* start = wf_room(heap, length);
  u8* to = start;
  for (u64 at = 0; to != 0;) {
    i64 next = wf_find(bytes, text.bytes, sought, from.bytes, at);
    to = wf_append(to, bytes + at, (next < 0 ? text.bytes : (u64)next) - at);
    if (next < 0) break;
    to = wf_append(to, wf_bytes(by), by.bytes);
    at = (u64)next + from.bytes;
  }
  return wf_made(start, length);
}

WF_DEVICE WfStringRef wf_reverse(WfHeap* heap, WfStringRef text) {
  u8* to = wf_room(heap, text.bytes);
  const u8* from = wf_bytes(text);
  for (u32 at = 0; to != 0 && at < text.bytes;) {
    u32 length = wf_min(wf_utf8_bytes(from[at]), text.bytes - at);
    wf_append(to + (text.bytes - at - length), from + at, length);
    at += length;
  }
  return wf_made(to, text.bytes);
}

// A number in decimal digits, of which `scale` follow the point.
WF_DEVICE WfStringRef wf_text_of(WfHeap* heap, u128 magnitude, bool negative, u32 scale) {
  u8 digits[40];
  u32 count = 0;
  // At least one digit before the point.
  while (magnitude != 0 || count <= scale) {
    digits[count++] = (u8)('0' + (u32)(magnitude % 10u));
    magnitude /= 10u;
  }
  u32 bytes = count + (negative ? 1u : 0u) + (scale != 0 ? 1u : 0u);
  u8* start = wf_room(heap, bytes);
  u8* to = start;
  if (to != 0 && negative) *to++ = '-';
  while (to != 0 && count > 0) {
    if (count == scale) *to++ = '.';
    *to++ = digits[--count];
  }
  return wf_made(start, bytes);
}
WF_DEVICE WfStringRef wf_text_of_bool(WfHeap* heap, bool value) {
  u32 bytes = value ? 4u : 5u;
  u8* to = wf_room(heap, bytes);
  if (to != 0) wf_append(to, (const u8*)(value ? "true" : "false"), bytes);
  return wf_made(to, bytes);
}
// Years beyond four digits have a sign.
WF_DEVICE WfStringRef wf_text_of_date(WfHeap* heap, i64 day) {
  WfDate date = wf_date(day);
  bool sign = date.year < 0 || date.year > 9999;
  u64 year = (u64)(date.year < 0 ? -date.year : date.year);
  u32 digits = year > 99999u ? 6u : year > 9999u ? 5u : 4u, bytes = digits + 6u + (sign ? 1u : 0u);
  u8* start = wf_room(heap, bytes);
  if (start == 0) return wf_made(start, 0);
  u8* to = start;
  if (sign) *to++ = date.year < 0 ? '-' : '+';
  for (u32 at = digits; at > 0; at--, year /= 10u) to[at - 1] = (u8)('0' + (u32)(year % 10u));
  to += digits;
  const u32 rest[2] = {date.month, date.day};
  for (u32 at = 0; at < 2u; at++) {
    *to++ = '-';
    *to++ = (u8)('0' + rest[at] / 10u);
    *to++ = (u8)('0' + rest[at] % 10u);
  }
  return wf_made(start, bytes);
}

WF_DEVICE bool wf_is_white(u8 byte) { return byte == ' ' || (byte >= 9u && byte <= 13u && byte != 11u); }
WF_DEVICE bool wf_is_digit(u8 byte) { return byte >= '0' && byte <= '9'; }

// An integer between -`least` and `most`, white space around it.
WF_DEVICE u64 wf_parse(WfStringRef text, u64 least, u64 most, bool* bad) {
  const u8* bytes = wf_bytes(text);
  u32 at = 0, end = text.bytes;
  while (end > 0 && wf_is_white(bytes[end - 1])) end--;
  while (at < end && wf_is_white(bytes[at])) at++;
  bool negative = at < end && bytes[at] == '-';
  if (at < end && (bytes[at] == '-' || bytes[at] == '+')) at++;
  *bad |= at >= end;
  u64 value = 0, limit = negative ? least : most;
  for (; at < end; at++) {
    u64 digit = (u64)(u8)(bytes[at] - '0');
    if (digit > 9u || value > (limit - wf_min(digit, limit)) / 10u || digit > limit) {
      *bad = true;
      return 0;
    }
    value = value * 10u + digit;
  }
  return negative ? (u64)0 - value : value;
}

// A date of digits: year-month-day, or eight without hyphens. Signed years and times of day are the CPU's: `other`.
WF_DEVICE i32 wf_parse_date(WfStringRef text, bool* bad, bool* other) {
  const u8* bytes = wf_bytes(text);
  u32 length = text.bytes;
  if (length > 10u || (length > 0 && (bytes[0] == '+' || bytes[0] == '-'))) {
    *other = true;
    return 0;
  }
  u32 parts[3] = {0u, 0u, 0u}, digits[3] = {0u, 0u, 0u}, part = 0;
  bool hyphens = length > 4u && bytes[4] == '-';
  for (u32 at = 0; at < length && part < 3u; at++) {
    if (hyphens && bytes[at] == '-') {
      part++;
      continue;
    }
    if (!hyphens && (at == 4u || at == 6u)) part++;
    *bad |= !wf_is_digit(bytes[at]);
    parts[part] = parts[part] * 10u + (u32)(u8)(bytes[at] - '0');
    digits[part]++;
  }
  bool shape = hyphens ? digits[0] == 4u && digits[1] >= 1u && digits[1] <= 2u && digits[2] >= 1u && digits[2] <= 2u
                       : length == 8u;
  *bad |= !shape || part != 2u || parts[1] < 1u || parts[1] > 12u;
  if (*bad) return 0;
  *bad |= parts[2] < 1u || parts[2] > wf_days_in_month(parts[0], parts[1]);
  return *bad ? 0 : (i32)wf_days(parts[0], parts[1], parts[2]);
}
