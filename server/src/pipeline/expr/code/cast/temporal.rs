//! Casts from and to dates, times, timestamps and durations. Days and units below zero are truncated towards zero
//! where arrow truncates, and floored where it goes through the calendar.

use arrow::datatypes::{DataType, TimeUnit};

use super::super::{Code, Value, widened};
use crate::batch::Repr;

/// Units in a second.
pub(in crate::pipeline::expr::code) fn units(unit: &TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

pub(in crate::pipeline::expr::code) const DAY_SECONDS: i64 = 86_400;
const DAY_MS: i64 = 86_400_000;

impl Code {
    pub(super) fn cast_temporal(
        &mut self,
        value: Value,
        from: &DataType,
        to: &DataType,
        safe: bool,
    ) -> Result<Value, String> {
        use DataType::{Date32, Date64, Duration, Int32, Int64, Time32, Time64, Timestamp};
        let repr = Self::repr_of(to)?;
        let text = value.text.clone();
        match (from, to) {
            (Int32, Date32 | Time32(_)) | (Date32 | Time32(_), Int32) => Ok(value),
            (Int64, Date64 | Time64(_)) | (Date64 | Time64(_), Int64) => Ok(value),
            (Date32 | Time32(_), Int64) => {
                Ok(self.bind_value(repr, format_args!("(i64){text}"), value.valid))
            }
            (Date64, Int32) | (Int64, Date32) => self.cast_number(value, &Int32, safe),
            (Int32 | Date32, Date64) => {
                Ok(self.bind_value(repr, format_args!("(i64){text} * {DAY_MS}ll"), value.valid))
            }
            (Date64, Date32) => {
                let days = self.bind_value(Repr::I64, format_args!("{text} / {DAY_MS}ll"), value.valid);
                self.cast_number(days, &Int32, safe)
            }
            (Timestamp(..) | Duration(_), number) if number.is_numeric() => {
                if matches!(number, DataType::Decimal128(..)) {
                    return Err(Self::no_cast(from, to));
                }
                if *number == Int64 {
                    Ok(value)
                } else {
                    self.cast_number(value, number, safe)
                }
            }
            (number, Timestamp(_, None) | Duration(_)) if number.is_numeric() => {
                if matches!(number, DataType::Decimal128(..)) {
                    return Err(Self::no_cast(from, to));
                }
                if *number == Int64 {
                    Ok(value)
                } else {
                    self.cast_number(value, &Int64, safe)
                }
            }
            (Timestamp(a, from_zone), Timestamp(b, to_zone)) => {
                if from_zone.is_none()
                    && let Some(zone) = to_zone
                {
                    // The time of day there is taken for the one here.
                    if !matches!(&**zone, "UTC" | "+00:00" | "Z") {
                        return Err(Self::no_cast(from, to));
                    }
                    let per_day = units(a) * DAY_SECONDS;
                    let bad = format!("!wf_is_date(wf_floor_div({text}, {per_day}ll))");
                    self.raise("FALLBACK", &value.valid, bad);
                }
                Ok(self.cast_units(value, units(a), units(b), safe))
            }
            (Duration(a), Duration(b)) => Ok(self.cast_units(value, units(a), units(b), safe)),
            (Time32(a) | Time64(a), Time32(b) | Time64(b)) => {
                Ok(self.cast_time(value, units(a), units(b), repr, safe))
            }
            (Date32, Timestamp(unit, None)) => {
                let wide = widened(value, Repr::I64);
                Ok(self.cast_units(wide, 1, units(unit) * DAY_SECONDS, safe))
            }
            (Date64, Timestamp(unit, None)) => match units(unit) {
                1 => Ok(self.bind_value(repr, format_args!("{text} / 1000ll"), value.valid)),
                1_000 => Ok(value),
                // Unchecked in arrow, which wraps where it is built for speed and panics where it is not.
                fine => {
                    let factor = fine / 1_000;
                    let bad = format!("!wf_fits({text}, {factor}ll)");
                    self.raise("FALLBACK", &value.valid, bad);
                    let text = format!("(i64)((u64){text} * {factor}ull)");
                    Ok(self.bind_value(repr, text, value.valid))
                }
            },
            (Timestamp(unit, None), Date32) => {
                let days = units(unit) * DAY_SECONDS;
                let days = self.bind("i64", format_args!("wf_floor_div({text}, {days}ll)"));
                // An error in safe casts, too.
                self.raise("BAD_CAST", &value.valid, format_args!("!wf_is_date({days})"));
                Ok(self.bind_value(repr, format_args!("(i32){days}"), value.valid))
            }
            (Timestamp(unit, _), Date64) => Ok(self.cast_units(value, units(unit), 1_000, safe)),
            (Timestamp(unit, None), Time32(to_unit) | Time64(to_unit)) => {
                let per_day = units(unit) * DAY_SECONDS;
                let days = self.bind("i64", format_args!("wf_floor_div({text}, {per_day}ll)"));
                self.raise("BAD_CAST", &value.valid, format_args!("!wf_is_date({days})"));
                let rest = self.bind_value(
                    Repr::I64,
                    format_args!("{text} - (i64)((u64){days} * {per_day}ull)"),
                    value.valid,
                );
                let time = self.cast_units(rest, units(unit), units(to_unit), true);
                Ok(self.bind_value(repr, format_args!("({}){}", repr.c_type(), time.text), time.valid))
            }
            _ => Err(Self::no_cast(from, to)),
        }
    }

    /// 64-bit units of a second in others.
    fn cast_units(&mut self, value: Value, from: i64, to: i64, safe: bool) -> Value {
        let text = &value.text;
        if from == to {
            return value;
        }
        if from > to {
            return self.bind_value(Repr::I64, format_args!("{text} / {}ll", from / to), value.valid);
        }
        let factor = to / from;
        let product = self.bind("i64", format_args!("(i64)((u64){text} * {factor}ull)"));
        let valid = self.unless(value.valid, format!("!wf_fits({text}, {factor}ll)"), safe);
        Value {
            text: product,
            valid,
            repr: Repr::I64,
            most: None,
        }
    }

    /// Times of day: arrow checks none but seconds to milliseconds, and the others cannot overflow if they are times.
    fn cast_time(&mut self, value: Value, from: i64, to: i64, repr: Repr, safe: bool) -> Value {
        let text = &value.text;
        let c_type = repr.c_type();
        if from >= to {
            let text = format!("({c_type})({text} / {}ll)", from / to);
            return self.bind_value(repr, text, value.valid);
        }
        let factor = to / from;
        if repr == Repr::I32 {
            let wide = self.bind_value(Repr::I64, format_args!("(i64){text} * {factor}ll"), value.valid);
            let bad = format!("{0} != (i32){0}", wide.text);
            let valid = self.unless(wide.valid, bad, safe);
            return self.bind_value(repr, format_args!("(i32){}", wide.text), valid);
        }
        self.bind_value(
            repr,
            format_args!("(i64)((u64)(i64){text} * {factor}ull)"),
            value.valid,
        )
    }
}
