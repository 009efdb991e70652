// Text as numbers and dates.

WF_DEVICE bool wf_is_white(u8 byte) { return byte == ' ' || (byte >= 9u && byte <= 13u && byte != 11u); }
WF_DEVICE bool wf_is_digit(u8 byte) { return byte >= '0' && byte <= '9'; }

// Without white space around it.
WF_CALLED WfStringRef wf_trimmed(WfStringRef text) {
  const u8* bytes = wf_bytes(text);
  u64 at = 0, end = text.bytes;
  WF_ROLLED while (end > 0 && wf_is_white(bytes[end - 1])) end--;
  WF_ROLLED while (at < end && wf_is_white(bytes[at])) at++;
  return wf_part(text, at, end);
}

// An integer between -`least` and `most`, white space around it.
WF_DEVICE u64 wf_parse(WfStringRef text, u64 least, u64 most, bool* bad) {
  text = wf_trimmed(text);
  const u8* bytes = wf_bytes(text);
  u32 at = 0, end = text.bytes;
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

// Whether a text has white space that only Rust's own texts know: a vertical tab, or some of what is not ASCII.
WF_CALLED bool wf_may_be_white(WfStringRef text) {
  bool any = false;
  WF_ROLLED for (u32 at = 0; at < text.bytes; at++) any |= wf_bytes(text)[at] >= 0x80u || wf_bytes(text)[at] == 11u;
  return any;
}

// Whether a text is a number's: a sign, digits, a point, digits, and if it `may_scale`, a power of ten.
struct WfDecimalText {
  u128 digits;    // of all digits, before the point and behind it
  u32 count;      // how many, without zeros in front
  u32 behind;     // how many of them follow the point
  i32 exponent;
  bool negative;
  bool bad;       // no number
  bool other;     // maybe one: the CPU's to tell
};
WF_CALLED WfDecimalText wf_parse_digits(WfStringRef text, bool may_scale) {
  text = wf_trimmed(text);
  const u8* bytes = wf_bytes(text);
  WfDecimalText number = {(u128)0u, 0u, 0u, 0, false, false, false};
  u32 at = 0, end = text.bytes, seen = 0;
  if (at < end && (bytes[at] == '-' || bytes[at] == '+')) number.negative = bytes[at++] == '-';
  u8 first = at < end ? wf_ascii_lower(bytes[at]) : (u8)0;
  // Infinities and what is no number have names.
  number.other = may_scale && (first == 'i' || first == 'n');
  bool point = false;
  WF_ROLLED for (; at < end && (wf_is_digit(bytes[at]) || (bytes[at] == '.' && !point)); at++) {
    if (bytes[at] == '.') {
      point = true;
      continue;
    }
    seen++;
    if (number.count > 0 || bytes[at] != '0') number.count++;
    if (number.count <= 38u) number.digits = number.digits * 10u + (u32)(bytes[at] - '0');
    number.behind += point;
  }
  number.other |= number.count > 38u || number.behind > 70u;
  if (may_scale && seen > 0 && at < end && wf_ascii_lower(bytes[at]) == 'e') {
    at++;
    bool down = at < end && bytes[at] == '-';
    if (at < end && (bytes[at] == '-' || bytes[at] == '+')) at++;
    seen = at < end ? seen : 0u;
    WF_ROLLED for (; at < end && wf_is_digit(bytes[at]); at++)
      number.exponent = wf_min(number.exponent * 10 + (bytes[at] - '0'), 9999);
    if (down) number.exponent = -number.exponent;
  }
  number.bad = seen == 0 || at < end;
  return number;
}
// A number that is exact in the product or quotient of two others that are: all that people write, and what computers
// write in up to 15 digits. The rest is `other`.
WF_CALLED f64 wf_parse_f64(WfStringRef text, bool* bad, bool* other) {
  WfDecimalText number = wf_parse_digits(text, true);
  *other |= number.other;
  *bad |= number.bad && !number.other;
  i32 exponent = number.exponent - (i32)number.behind;
  if (number.digits == 0) exponent = 0;
  bool exact = number.digits <= (u128)(1ull << 53) && exponent <= 22 && exponent >= -22;
  *other |= !number.bad && !exact;
  if (!exact) return 0.0;
  f64 power = 1.0, value = (f64)(u64)number.digits;
  WF_ROLLED for (i32 at = exponent < 0 ? -exponent : exponent; at > 0; at--) power *= 10.0;
  value = exponent < 0 ? value / power : value * power;
  return number.negative ? -value : value;
}
// Rounded once more: not from halfway between two numbers, unless it is an integer and therefore exact, nor to the
// smallest ones.
WF_DEVICE f32 wf_parse_f32(WfStringRef text, bool* bad, bool* other) {
  f64 value = wf_parse_f64(text, bad, other);
  bool halfway = ((u64)__double_as_longlong(value) & 0x1fffffffull) == 0x10000000ull;
  bool exact = fabs(value) < 9007199254740992.0 && (f64)(i64)value == value;
  *other |= (halfway && !exact) || (value != 0.0 && fabs(value) < 1e-37);
  return wf_narrowed(value);
}
// A decimal of `scale` places, rounded half away from zero.
WF_CALLED i128 wf_parse_decimal(WfStringRef text, u32 scale, bool* bad, bool* other) {
  WfDecimalText number = wf_parse_digits(text, false);
  *other |= number.other || (number.bad && wf_may_be_white(text));
  *bad |= number.bad && !number.other;
  if (number.bad || number.other) return 0;
  i128 value = (i128)number.digits;
  if (number.behind > scale) {
    value = number.behind - scale > 38u ? (i128)0 : wf_div_round(value, wf_pow10((i32)(number.behind - scale)));
  } else if (value != 0) {
    bool overflow = number.count + scale - number.behind > 38u;
    *bad |= overflow;
    if (!overflow) value *= wf_pow10((i32)(scale - number.behind));
  }
  return number.negative ? -value : value;
}

// Starts of the words for true and false that no other of them has.
WF_CALLED bool wf_parse_bool(WfStringRef text, bool* bad, bool* other) {
  *other |= wf_may_be_white(text);
  text = wf_trimmed(text);
  u64 word = 0;
  WF_ROLLED for (u32 at = 0; at < text.bytes && at < 6u; at++) word = word << 8 | wf_ascii_lower(wf_bytes(text)[at]);
  bool yes = word == 0x74u || word == 0x7472u || word == 0x747275u || word == 0x74727565u || word == 0x79u || word == 0x7965u ||
             word == 0x796573u || word == 0x6f6eu || word == 0x31u;
  bool no = word == 0x66u || word == 0x6661u || word == 0x66616cu || word == 0x66616c73u || word == 0x66616c7365ull || word == 0x6eu ||
            word == 0x6e6fu || word == 0x6f66u || word == 0x6f6666u || word == 0x30u;
  *bad |= !yes && !no;
  return yes;
}

// A date, and behind a T or a space hours, minutes, seconds and up to nine digits of a second's fraction. Zones other
// than Z, leap seconds and times without colons are the CPU's: `other`. In units of a second.
WF_CALLED i64 wf_parse_timestamp(WfStringRef text, i64 units, bool* bad, bool* other) {
  const u8* bytes = wf_bytes(text);
  u32 length = text.bytes;
  if (length < 10u || bytes[4] != '-' || bytes[7] != '-') {
    *bad = true;
    return 0;
  }
  bool not_bad = true, not_date = false;
  i64 day = wf_parse_date(wf_part(text, 0, 10u), &not_date, &not_date), nanos = 0;
  *bad |= not_date;
  if (length > 10u) {
    not_bad = bytes[10] == ' ' || wf_ascii_lower(bytes[10]) == 't';
    bool colons = length >= 19u && bytes[13] == ':' && bytes[16] == ':';
    *other |= not_bad && !colons;
    u32 parts[3] = {0u, 0u, 0u};
    WF_ROLLED for (u32 at = 11u; colons && at < 19u; at++) {
      if (at == 13u || at == 16u) continue;
      not_bad = not_bad && wf_is_digit(bytes[at]);
      parts[(at - 11u) / 3u] = parts[(at - 11u) / 3u] * 10u + (u32)(u8)(bytes[at] - '0');
    }
    not_bad = not_bad && parts[0] < 24u && parts[1] < 60u && parts[2] < 61u;
    *other |= not_bad && parts[2] == 60u;
    u32 at = 19u, fraction = 0;
    i64 unit = 1000000000ll;
    if (at < length && bytes[at] == '.') {
      at++;
      WF_ROLLED for (; at < length && unit > 1 && wf_is_digit(bytes[at]); at++) {
        fraction = fraction * 10u + (u32)(bytes[at] - '0');
        unit /= 10;
      }
      not_bad = not_bad && unit < 1000000000ll;
    }
    bool ends = at >= length || (at + 1u == length && wf_ascii_lower(bytes[at]) == 'z');
    *other |= not_bad && !ends;
    nanos = (i64)(parts[0] * 3600u + parts[1] * 60u + parts[2]) * 1000000000ll + (i64)fraction * unit;
    *bad |= !not_bad;
  }
  i128 value = (i128)day * (86400ll * units) + nanos / (1000000000ll / units);
  *bad |= value != (i64)value;
  return (i64)value;
}
