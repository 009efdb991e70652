// The calendar: days since 1970 and their year, month and day, in the proleptic Gregorian calendar. Years count from
// the first of March, so that the leap day is a year's last.

WF_DEVICE i64 wf_floor_div(i64 a, i64 b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }
WF_DEVICE i64 wf_floor_mod(i64 a, i64 b) { return a - wf_floor_div(a, b) * b; }

struct WfDate {
  i64 year;
  u32 month;  // 1 to 12
  u32 day;    // 1 to 31
};

// 719468 days lie between the first of March of the year 0 and 1970; 400 years have 146097 days.
WF_CALLED WfDate wf_date(i64 days) {
  i64 shifted = days + 719468, era = wf_floor_div(shifted, 146097);
  u32 in_era = (u32)(shifted - era * 146097);
  // Without the leap days before it, every year has 365 days: one in 4 years, none in 100, one in 400.
  u32 year = (in_era - in_era / 1460u + in_era / 36524u - in_era / 146096u) / 365u;
  u32 in_year = in_era - (365u * year + year / 4u - year / 100u);
  // From March on, months of 31, 30, 31, 30, 31 days repeat: 153 days in 5 months.
  u32 month = (5u * in_year + 2u) / 153u;
  u32 day = in_year - (153u * month + 2u) / 5u + 1u;
  u32 calendar_month = month < 10u ? month + 3u : month - 9u;
  return WfDate{era * 400 + year + (calendar_month <= 2u ? 1 : 0), calendar_month, day};
}

WF_CALLED i64 wf_days(i64 year, u32 month, u32 day) {
  i64 shifted = month <= 2u ? year - 1 : year, era = wf_floor_div(shifted, 400);
  u32 in_era = (u32)(shifted - era * 400), from_march = month > 2u ? month - 3u : month + 9u;
  u32 in_year = (153u * from_march + 2u) / 5u + day - 1u;
  return era * 146097 + (i64)(in_era * 365u + in_era / 4u - in_era / 100u + in_year) - 719468;
}

WF_DEVICE bool wf_is_leap(i64 year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }
WF_DEVICE u32 wf_days_in_month(i64 year, u32 month) {
  return month == 2u ? (wf_is_leap(year) ? 29u : 28u) : 30u + ((month + (month > 7u ? 1u : 0u)) & 1u);
}

// 0 is Monday; the first of January 1970 was a Thursday.
WF_DEVICE u32 wf_weekday(i64 days) { return (u32)wf_floor_mod(days + 3, 7); }
// 1 to 366.
WF_DEVICE u32 wf_day_of_year(i64 days) { return (u32)(days - wf_days(wf_date(days).year, 1, 1)) + 1u; }

// Week and year of ISO 8601: a week belongs to the year that its Thursday lies in.
WF_DEVICE u32 wf_iso_week(i64 days, i64* iso_year) {
  i64 thursday = days - wf_weekday(days) + 3;
  *iso_year = wf_date(thursday).year;
  return (u32)(thursday - wf_days(*iso_year, 1, 1)) / 7u + 1u;
}

// The same day some months later; the last of the month where it has no such day.
WF_CALLED i64 wf_add_months(i64 days, i64 months) {
  WfDate date = wf_date(days);
  i64 count = date.year * 12 + (date.month - 1u) + months;
  i64 year = wf_floor_div(count, 12);
  u32 month = (u32)wf_floor_mod(count, 12) + 1u;
  return wf_days(year, month, wf_min(date.day, wf_days_in_month(year, month)));
}

WF_DEVICE i32 wf_week_of(i64 days) {
  i64 year;
  return (i32)wf_iso_week(days, &year);
}
WF_DEVICE i32 wf_week_year_of(i64 days) {
  i64 year;
  wf_iso_week(days, &year);
  return (i32)year;
}
WF_DEVICE i64 wf_quarter_start(i64 days) {
  WfDate date = wf_date(days);
  return wf_days(date.year, (date.month - 1u) / 3u * 3u + 1u, 1u);
}

// Whether a day lies in the years that arrow's calendar has: -262143 to 262142.
WF_DEVICE bool wf_is_date(i64 days) { return days >= -96465292ll && days <= 95026236ll; }
