// Dates and timestamps with intervals.

struct WfInterval {
  i32 months;
  i32 days;
  i64 nanos;
};

// A day and an interval, one part after the other: each sum must be a date. Of the nanoseconds only whole days count.
WF_DEVICE i64 wf_date_plus(i64 day, WfInterval by, i64 sign, bool* bad) {
  *bad |= !wf_is_date(day);
  if (by.months != 0) day = wf_add_months(day, sign * by.months);
  *bad |= !wf_is_date(day);
  day += sign * by.days;
  *bad |= !wf_is_date(day);
  day += sign * (by.nanos / 86400000000000ll);
  *bad |= !wf_is_date(day);
  return day;
}

// The bin of `stride` nanoseconds or months, counted from `origin` in nanoseconds, that a time lies in.
WF_DEVICE i64 wf_date_bin(i64 value, i64 unit_nanos, i64 origin, i64 stride, bool* bad) {
  *bad |= !wf_fits(value, unit_nanos);
  i64 since = wf_sub<i64>((i64)((u64)value * (u64)unit_nanos), origin, bad);
  i64 rest = since % stride, start = since - rest;
  if (since < 0 && rest != 0) start = wf_sub<i64>(start, stride, bad);
  return wf_add<i64>(origin, start, bad) / unit_nanos;
}
WF_DEVICE i64 wf_date_bin_months(i64 value, i64 unit_nanos, i64 origin, i64 stride, bool* bad) {
  const i64 day_nanos = 86400000000000ll;
  *bad |= !wf_fits(value, unit_nanos);
  i64 nanos = (i64)((u64)value * (u64)unit_nanos);
  i64 day = wf_floor_div(nanos, day_nanos), first = wf_floor_div(origin, day_nanos);
  i64 of_day = nanos - day * day_nanos, first_of_day = origin - first * day_nanos;
  WfDate from = wf_date(first), to = wf_date(day);
  i64 months = (to.year - from.year) * 12 + (i64)to.month - (i64)from.month;
  months = wf_floor_div(months, stride) * stride;
  i64 start = wf_add_months(first, months);
  // Where the origin is not the first of a month, that may be later than the time.
  if (start > day || (start == day && first_of_day > of_day)) start = wf_add_months(first, months - stride);
  i128 bin = (i128)start * day_nanos + first_of_day;
  *bad |= bin != (i64)bin;
  return (i64)bin / unit_nanos;
}

WF_DEVICE i64 wf_timestamp_plus(i64 value, i64 units, WfInterval by, i64 sign, bool* bad) {
  const i64 day_nanos = 86400000000000ll;
  i64 per_day = 86400ll * units, unit_nanos = 1000000000ll / units;
  i64 day = wf_floor_div(value, per_day);
  i64 nanos = (value - day * per_day) * unit_nanos;
  WfInterval whole = {by.months, by.days, 0ll};
  day = wf_date_plus(day, whole, sign, bad);
  nanos += sign * (by.nanos % day_nanos);
  day += sign * (by.nanos / day_nanos) + wf_floor_div(nanos, day_nanos);
  nanos = wf_floor_mod(nanos, day_nanos);
  *bad |= !wf_is_date(day);
  // Seconds first: of nanoseconds, they must fit by themselves.
  i64 seconds = (i64)((u64)day * 86400ull) + nanos / 1000000000ll;
  *bad |= units == 1000000000ll && !wf_fits(seconds, units);
  bool overflow = false;
  i64 sum = wf_add<i64>((i64)((u64)seconds * (u64)units), nanos % 1000000000ll / unit_nanos, &overflow);
  *bad |= overflow;
  return sum;
}
