//! Parts of dates and timestamps, and timestamps cut to them. None of them knows a zone.

use arrow::compute::DatePart;
use arrow::datatypes::{DataType, TimeUnit};

use super::super::cast::{DAY_SECONDS, units};
use super::super::literal::text_of;
use super::super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Function, Node};

/// The name of a part, without quotes and in small letters.
fn part_name(expr: &Expr) -> Option<String> {
    let Node::Literal(constant) = &expr.node else {
        return None;
    };
    let text = text_of(constant)?;
    let quote = ['\'', '"'];
    let inner = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    Some(inner.unwrap_or(text).to_lowercase())
}

/// What a name means: those of arrow's interval units, in the spellings that need no thought, and a few more.
fn part_of(name: &str) -> Option<(DatePart, &'static str)> {
    Some(match name {
        "year" | "years" => (DatePart::Year, "(i32)wf_date(DAY).year"),
        "month" | "months" => (DatePart::Month, "(i32)wf_date(DAY).month"),
        "day" | "days" => (DatePart::Day, "(i32)wf_date(DAY).day"),
        "week" | "weeks" => (DatePart::Week, "wf_week_of(DAY)"),
        "isoyear" => (DatePart::YearISO, "wf_week_year_of(DAY)"),
        "qtr" | "quarter" => (DatePart::Quarter, "(i32)((wf_date(DAY).month - 1u) / 3u + 1u)"),
        "doy" => (DatePart::DayOfYear, "(i32)wf_day_of_year(DAY)"),
        "dow" => (DatePart::DayOfWeekSunday0, "(i32)((wf_weekday(DAY) + 1u) % 7u)"),
        "isodow" => (DatePart::DayOfWeekMonday1, "(i32)wf_weekday(DAY) + 1"),
        "hour" | "hours" => (DatePart::Hour, "(i32)(NANOS / 3600000000000ll)"),
        "minute" | "minutes" => (DatePart::Minute, "(i32)(NANOS / 60000000000ll % 60ll)"),
        "second" | "seconds" => (DatePart::Second, "(i32)(NANOS / 1000000000ll % 60ll)"),
        "millisecond" | "milliseconds" => (DatePart::Millisecond, "(i32)(NANOS % 60000000000ll / 1000000ll)"),
        "microsecond" | "microseconds" => (DatePart::Microsecond, "(i32)(NANOS % 60000000000ll / 1000ll)"),
        "nanosecond" | "nanoseconds" => (DatePart::Nanosecond, "NANOS % 60000000000ll"),
        _ => return None,
    })
}

impl Code {
    pub(super) fn date_part(&mut self, expr: &Expr, part: &Expr, arg: &Expr) -> Result<Value, String> {
        let refused = || Self::refused_call(Function::DatePart, &[part.clone(), arg.clone()]);
        let name = part_name(part).ok_or_else(refused)?;
        let repr = expr.repr()?;
        let value = self.narrow_value(arg)?;
        let text = value.text.clone();
        let units = match &arg.data_type {
            DataType::Date32 => 0,
            DataType::Date64 => units(&TimeUnit::Millisecond),
            DataType::Timestamp(unit, None) => units(unit),
            _ => return Err(refused()),
        };
        if name == "epoch" {
            let seconds = match units {
                0 => format!("(f64){text} * 86400.0"),
                1 => format!("(f64){text}"),
                _ => format!("(f64){text} / {units}.0"),
            };
            return Ok(self.bind_value(repr, seconds, value.valid));
        }
        let (part, code) =
            part_of(&name).ok_or_else(|| format!("date part {name} is not computed on the GPU"))?;
        let fine = matches!(
            part,
            DatePart::Millisecond | DatePart::Microsecond | DatePart::Nanosecond
        );
        let of_time = fine || matches!(part, DatePart::Hour | DatePart::Minute | DatePart::Second);
        if of_time && units == 0 || fine && arg.data_type == DataType::Date64 {
            return Ok(self.bind_value(repr, "0", value.valid));
        }
        let (day, nanos) = if units == 0 {
            (self.bind("i64", format_args!("(i64){text}")), String::new())
        } else {
            let per_day = units * DAY_SECONDS;
            let day = self.bind("i64", format_args!("wf_floor_div({text}, {per_day}ll)"));
            let nanos = self.bind(
                "i64",
                format_args!(
                    "(i64)((u64){text} - (u64){day} * {per_day}ull) * {}ll",
                    1_000_000_000 / units
                ),
            );
            (day, nanos)
        };
        // Beyond arrow's calendar there is no part.
        let known = self.bind_bool(format_args!("wf_is_date({day})"));
        let valid = self.both(&value.valid, &Some(known));
        let code = code.replace("DAY", &day).replace("NANOS", &nanos);
        Ok(self.bind_value(repr, code, valid))
    }

    pub(super) fn date_trunc(&mut self, part: &Expr, arg: &Expr) -> Result<Value, String> {
        let refused = || Self::refused_call(Function::DateTrunc, &[part.clone(), arg.clone()]);
        let name = match &part.node {
            Node::Literal(constant) => text_of(constant).map(str::to_lowercase),
            _ => None,
        };
        let name = name.ok_or_else(refused)?;
        let DataType::Timestamp(unit, None) = &arg.data_type else {
            return Err(refused());
        };
        let units = units(unit);
        let value = self.narrow_value(arg)?;
        let text = value.text.clone();
        let seconds = match name.as_str() {
            "microsecond" | "millisecond" | "second" => 1,
            "minute" => 60,
            "hour" => 3_600,
            "day" => DAY_SECONDS,
            "week" | "month" | "quarter" | "year" => 0,
            _ => return Err(format!("date_trunc to {name} is not run on the GPU")),
        };
        if seconds > 0 {
            let step = match name.as_str() {
                "microsecond" => units / 1_000_000,
                "millisecond" => units / 1_000,
                _ => units * seconds,
            };
            if step <= 1 {
                return Ok(value);
            }
            let cut = self.bind_value(
                Repr::I64,
                format_args!("(i64)((u64){text} - (u64)wf_floor_mod({text}, {step}ll))"),
                value.valid,
            );
            // Before the first whole step, where DataFusion's subtraction wraps or panics as it was built.
            self.raise("FALLBACK", &cut.valid, format_args!("{} > {text}", cut.text));
            return Ok(cut);
        }
        let per_day = units * DAY_SECONDS;
        let nanos = 1_000_000_000 / units;
        let day = self.bind("i64", format_args!("wf_floor_div({text}, {per_day}ll)"));
        let start = match name.as_str() {
            "week" => format!("{day} - (i64)wf_weekday({day})"),
            "month" => format!("{day} - (i64)wf_date({day}).day + 1"),
            "quarter" => format!("wf_quarter_start({day})"),
            _ => format!("wf_days(wf_date({day}).year, 1u, 1u)"),
        };
        let start = self.bind("i64", start);
        // DataFusion goes through nanoseconds, which must fit before and after.
        let bad = format!(
            "!wf_fits({text}, {nanos}ll) || !wf_fits({start}, {}ll)",
            1_000_000_000 * DAY_SECONDS
        );
        self.raise("OVERFLOW", &value.valid, bad);
        Ok(self.bind_value(
            Repr::I64,
            format_args!("(i64)((u64){start} * {per_day}ull)"),
            value.valid,
        ))
    }
}
