// Numbers, dates and times as text.

// A number in decimal digits, of which `scale` follow the point.
WF_CALLED WfStringRef wf_text_of(WfHeap* heap, u128 magnitude, bool negative, u32 scale) {
  u8 digits[40];
  u32 count = 0;
  // At least one digit before the point.
  WF_ROLLED while (magnitude != 0 || count <= scale) {
    u128 rest = wf_quotient(magnitude, (u128)10u);
    digits[count++] = (u8)('0' + (u32)(magnitude - rest * 10u));
    magnitude = rest;
  }
  u32 bytes = count + (negative ? 1u : 0u) + (scale != 0 ? 1u : 0u);
  u8* start = wf_room(heap, bytes);
  u8* to = start;
  if (to != 0 && negative) *to++ = '-';
  WF_ROLLED while (to != 0 && count > 0) {
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
// What was written to a buffer, in room of its own.
WF_DEVICE WfStringRef wf_text_from(WfHeap* heap, const u8* buffer, u64 bytes) {
  u8* to = wf_room(heap, bytes);
  if (to != 0) wf_append(to, buffer, bytes);
  return wf_made(to, bytes);
}
// A number in so many digits at `to`; returns where they end.
WF_CALLED u8* wf_put_digits(u8* to, u64 value, u32 digits) {
  WF_ROLLED for (u32 at = digits; at > 0; at--, value /= 10u) to[at - 1u] = (u8)('0' + (u32)(value % 10u));
  return to + digits;
}
// Up to 13 bytes. Years beyond four digits have a sign.
WF_CALLED u8* wf_put_date(u8* to, i64 day) {
  WfDate date = wf_date(day);
  if (date.year < 0 || date.year > 9999) *to++ = date.year < 0 ? '-' : '+';
  u64 year = (u64)(date.year < 0 ? -date.year : date.year);
  to = wf_put_digits(to, year, year > 99999u ? 6u : year > 9999u ? 5u : 4u);
  *to++ = '-';
  to = wf_put_digits(to, date.month, 2u);
  *to++ = '-';
  return wf_put_digits(to, date.day, 2u);
}
// Up to 18 bytes: of a second as many thousandths of thousandths as are not zero.
WF_CALLED u8* wf_put_time(u8* to, u64 nanos) {
  u64 seconds = nanos / 1000000000ull, rest = nanos % 1000000000ull;
  to = wf_put_digits(to, seconds / 3600u, 2u);
  *to++ = ':';
  to = wf_put_digits(to, seconds / 60u % 60u, 2u);
  *to++ = ':';
  to = wf_put_digits(to, seconds % 60u, 2u);
  if (rest == 0) return to;
  *to++ = '.';
  if (rest % 1000000u == 0) return wf_put_digits(to, rest / 1000000u, 3u);
  return rest % 1000u == 0 ? wf_put_digits(to, rest / 1000u, 6u) : wf_put_digits(to, rest, 9u);
}
WF_CALLED WfStringRef wf_text_of_date(WfHeap* heap, i64 day) {
  u8 text[16];
  return wf_text_from(heap, text, (u64)(wf_put_date(text, day) - text));
}
WF_CALLED WfStringRef wf_text_of_time(WfHeap* heap, i64 nanos) {
  u8 text[20];
  return wf_text_from(heap, text, (u64)(wf_put_time(text, (u64)nanos) - text));
}
WF_CALLED WfStringRef wf_text_of_timestamp(WfHeap* heap, i64 day, i64 nanos) {
  u8 text[34];
  u8* to = wf_put_date(text, day);
  *to++ = 'T';
  return wf_text_from(heap, text, (u64)(wf_put_time(to, (u64)nanos) - text));
}
