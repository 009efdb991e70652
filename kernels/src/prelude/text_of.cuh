// Numbers and dates as text.

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
// Years beyond four digits have a sign.
WF_CALLED WfStringRef wf_text_of_date(WfHeap* heap, i64 day) {
  WfDate date = wf_date(day);
  bool sign = date.year < 0 || date.year > 9999;
  u64 year = (u64)(date.year < 0 ? -date.year : date.year);
  u32 digits = year > 99999u ? 6u : year > 9999u ? 5u : 4u, bytes = digits + 6u + (sign ? 1u : 0u);
  u8* start = wf_room(heap, bytes);
  if (start == 0) return wf_made(start, 0);
  u8* to = start;
  if (sign) *to++ = date.year < 0 ? '-' : '+';
  WF_ROLLED for (u32 at = digits; at > 0; at--, year /= 10u) to[at - 1] = (u8)('0' + (u32)(year % 10u));
  to += digits;
  const u32 rest[2] = {date.month, date.day};
  WF_ROLLED for (u32 at = 0; at < 2u; at++) {
    *to++ = '-';
    *to++ = (u8)('0' + rest[at] / 10u);
    *to++ = (u8)('0' + rest[at] % 10u);
  }
  return wf_made(start, bytes);
}
