// Text as numbers and dates.

WF_DEVICE bool wf_is_white(u8 byte) { return byte == ' ' || (byte >= 9u && byte <= 13u && byte != 11u); }
WF_DEVICE bool wf_is_digit(u8 byte) { return byte >= '0' && byte <= '9'; }

// An integer between -`least` and `most`, white space around it.
WF_DEVICE u64 wf_parse(WfStringRef text, u64 least, u64 most, bool* bad) {
  const u8* bytes = wf_bytes(text);
  u32 at = 0, end = text.bytes;
  WF_ROLLED while (end > 0 && wf_is_white(bytes[end - 1])) end--;
  WF_ROLLED while (at < end && wf_is_white(bytes[at])) at++;
  bool negative = at < end && bytes[at] == '-';
  if (at < end && (bytes[at] == '-' || bytes[at] == '+')) at++;
  *bad |= at >= end;
  u64 value = 0, limit = negative ? least : most;
  WF_ROLLED for (; at < end; at++) {
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
  WF_ROLLED for (u32 at = 0; at < length && part < 3u; at++) {
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
