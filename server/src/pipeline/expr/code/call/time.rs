//! Parts of dates and timestamps, and timestamps cut to them. None of them knows a zone.

use arrow::compute::DatePart;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;

use super::super::cast::{DAY_SECONDS, units};
use super::super::literal::{constant_text, text_of};
use super::super::{Code, Value, block};
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
            DataType::Time32(unit) | DataType::Time64(unit) => {
                return self.time_part(expr, &name, value, units(unit));
            }
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
            self.day_and_nanos(&text, units)
        };
        // Beyond arrow's calendar there is no part.
        let known = self.bind_bool(format_args!("wf_is_date({day})"));
        let valid = self.both(&value.valid, &Some(known));
        let code = code.replace("DAY", &day).replace("NANOS", &nanos);
        Ok(self.bind_value(repr, code, valid))
    }

    /// A part of a time of day, of so many units a second.
    fn time_part(&mut self, expr: &Expr, name: &str, value: Value, units: i64) -> Result<Value, String> {
        let code = part_of(name)
            .map(|(_, code)| code)
            .filter(|code| code.contains("NANOS"));
        let code = code.ok_or_else(|| format!("date part {name} of a time is not computed on the GPU"))?;
        let known = self.bind_bool(format_args!(
            "{0} >= 0 && {0} < {1}ll",
            value.text,
            DAY_SECONDS * units
        ));
        let nanos = self.bind(
            "i64",
            format_args!(
                "{known} ? (i64){} * {}ll : 0ll",
                value.text,
                1_000_000_000 / units
            ),
        );
        let valid = self.both(&value.valid, &Some(known));
        Ok(self.bind_value(expr.repr()?, code.replace("NANOS", &nanos), valid))
    }

    /// The start of a bin of constant width, counted from a constant time. Where it cannot be computed, it is null.
    pub(super) fn date_bin(&mut self, args: &[Expr]) -> Result<Value, String> {
        let refused = || Self::refused_call(Function::DateBin, args);
        let [stride, source, origin @ ..] = args else {
            return Err(refused());
        };
        let (Node::Literal(stride), DataType::Timestamp(unit, _)) = (&stride.node, &source.data_type) else {
            return Err(refused());
        };
        let origin = match origin.first().map(|origin| &origin.node) {
            None => 0,
            Some(Node::Literal(ScalarValue::TimestampNanosecond(Some(origin), _))) => *origin,
            Some(_) => return Err(refused()),
        };
        let day_nanos = DAY_SECONDS * 1_000_000_000;
        let (months, days, nanos) = match stride {
            ScalarValue::IntervalDayTime(Some(span)) => {
                (0, span.days, Some(i64::from(span.milliseconds) * 1_000_000))
            }
            ScalarValue::IntervalMonthDayNano(Some(span)) => (span.months, span.days, Some(span.nanoseconds)),
            _ => return Err(refused()),
        };
        let nanos = nanos.and_then(|nanos| i64::from(days).checked_mul(day_nanos)?.checked_add(nanos));
        let (function, stride) = match nanos {
            Some(nanos) if months == 0 && nanos > 0 => ("wf_date_bin", nanos),
            Some(0) if months > 0 && days == 0 => ("wf_date_bin_months", i64::from(months)),
            _ => return Err(refused()),
        };
        let value = self.narrow_value(source)?;
        let (stride, origin) = (
            self.literals.value(&stride.to_le_bytes()),
            self.literals.value(&origin.to_le_bytes()),
        );
        let bad = self.overflow_flag();
        let call = format!(
            "{function}({}, {}ll, {}, {}, &{bad})",
            value.text,
            1_000_000_000 / units(unit),
            block::load(Repr::I64, origin),
            block::load(Repr::I64, stride)
        );
        let bin = self.bind_value(Repr::I64, call, value.valid);
        let valid = self.unless(bin.valid.clone(), bad, true);
        Ok(Value { valid, ..bin })
    }

    pub(super) fn date_trunc(&mut self, part: &Expr, arg: &Expr) -> Result<Value, String> {
        let refused = || Self::refused_call(Function::DateTrunc, &[part.clone(), arg.clone()]);
        let name = constant_text(part).map(str::to_lowercase).ok_or_else(refused)?;
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
