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
