//! Results as text, by one set of rules for every engine.
//!
//! In: Arrow record batches, from whichever engine. Out: a string a value. All engines hand over Arrow, so a
//! difference in the text is a difference in the values or their types:
//!
//! - NULL is `NULL`, an empty string or binary is `(empty)`;
//! - booleans are `true` and `false`; integers and decimals are exact, decimals with all places of their scale;
//! - floats are rounded to 12 significant digits (single precision: 6), at least one place kept (`2.0`), `NaN`, `inf`, `-inf`;
//! - in strings, spaces at an end or beside another space show as `·`, line breaks, tabs and backslashes as `\n`, `\t`, `\\`;
//! - binaries are lower-case hex after `\x`;
//! - dates are `2024-02-29`, times `12:34:56.789`, timestamps `2024-02-29 12:34:56.789`, with a zone in UTC and `+00` at the end; fractions
//!   lose their trailing zeros, so that the unit of the type does not show;
//! - intervals and durations are `14 months 3 days 01:02:03.5`, parts that are zero left out, a duration's days being of 24 hours;
//! - lists are `[1, 2]`, structs `{a: 1, b: x}`, maps `{k: 1}`, recursively.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::*;
use arrow::temporal_conversions as temporal;
use arrow::util::display::array_value_to_string;

use super::Result;

/// All rows of `batches`, a string a value.
pub fn format_rows(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push(
                batch
                    .columns()
                    .iter()
                    .map(|column| format_value(column, row))
                    .collect::<Result<_>>()?,
            );
        }
    }
    Ok(rows)
}

fn format_value(column: &dyn Array, row: usize) -> Result<String> {
    if column.is_null(row) {
        return Ok("NULL".to_owned());
    }
    Ok(match column.data_type() {
        DataType::Null => "NULL".to_owned(),
        DataType::Float16 => format_float(column.as_primitive::<Float16Type>().value(row).to_f64(), 3),
        DataType::Float32 => format_float(column.as_primitive::<Float32Type>().value(row).into(), 6),
        DataType::Float64 => format_float(column.as_primitive::<Float64Type>().value(row), 12),
        DataType::Utf8 => format_string(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => format_string(column.as_string::<i64>().value(row)),
        DataType::Utf8View => format_string(column.as_string_view().value(row)),
        DataType::Binary => format_binary(column.as_binary::<i32>().value(row)),
        DataType::LargeBinary => format_binary(column.as_binary::<i64>().value(row)),
        DataType::BinaryView => format_binary(column.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => format_binary(column.as_fixed_size_binary().value(row)),
        DataType::Timestamp(unit, zone) => format_timestamp(column, row, *unit, zone.is_some())?,
        DataType::Time32(_) | DataType::Time64(_) => trim_fraction(&array_value_to_string(column, row)?),
        DataType::Interval(_) => format_interval(column, row)?,
        DataType::Duration(unit) => format_duration(column, row, *unit),
        DataType::List(_) => format_list(column.as_list::<i32>().value(row).as_ref())?,
        DataType::LargeList(_) => format_list(column.as_list::<i64>().value(row).as_ref())?,
        DataType::FixedSizeList(_, _) => format_list(column.as_fixed_size_list().value(row).as_ref())?,
        DataType::Struct(_) => format_struct(column, row)?,
        DataType::Map(_, _) => format_map(column, row)?,
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            format_value(dictionary.values(), dictionary.normalized_keys()[row])?
        }
        _ => array_value_to_string(column, row)?,
    })
}

/// `value` with `digits` significant digits, as an exponent only where its magnitude needs one.
fn format_float(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN".to_owned()
        } else {
            format!("{value}")
        };
    }
    let rounded: f64 = format!("{value:.*e}", digits - 1).parse().unwrap_or(value);
    // Debug rather than Display: it keeps `.0` and turns to an exponent by itself.
    format!("{rounded:?}")
}

fn format_string(value: &str) -> String {
    if value.is_empty() {
        return "(empty)".to_owned();
    }
    let characters: Vec<char> = value.chars().collect();
    let is_space = |index: Option<usize>| index.is_none_or(|i| characters.get(i).is_none_or(|c| *c == ' '));
    let mut text = String::with_capacity(value.len());
    for (i, character) in characters.iter().enumerate() {
        match character {
            ' ' if is_space(i.checked_sub(1)) || is_space(Some(i + 1)) => text.push('·'),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\\' => text.push_str("\\\\"),
            '\0' => text.push_str("\\0"),
            other => text.push(*other),
        }
    }
    text
}

fn format_binary(value: &[u8]) -> String {
    if value.is_empty() {
        return "(empty)".to_owned();
    }
    value
        .iter()
        .fold("\\x".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn format_timestamp(column: &dyn Array, row: usize, unit: TimeUnit, has_zone: bool) -> Result<String> {
    let (value, instant) = match unit {
        TimeUnit::Second => {
            let value = column.as_primitive::<TimestampSecondType>().value(row);
            (value, temporal::timestamp_s_to_datetime(value))
        }
        TimeUnit::Millisecond => {
            let value = column.as_primitive::<TimestampMillisecondType>().value(row);
            (value, temporal::timestamp_ms_to_datetime(value))
        }
        TimeUnit::Microsecond => {
            let value = column.as_primitive::<TimestampMicrosecondType>().value(row);
            (value, temporal::timestamp_us_to_datetime(value))
        }
        TimeUnit::Nanosecond => {
            let value = column.as_primitive::<TimestampNanosecondType>().value(row);
            (value, temporal::timestamp_ns_to_datetime(value))
        }
    };
    let instant = instant.ok_or_else(|| format!("the timestamp {value} is out of range"))?;
    let text = trim_fraction(&instant.format("%Y-%m-%d %H:%M:%S%.9f").to_string());
    Ok(if has_zone { text + "+00" } else { text })
}

fn trim_fraction(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

fn format_interval(column: &dyn Array, row: usize) -> Result<String> {
    Ok(match column.data_type() {
        DataType::Interval(IntervalUnit::YearMonth) => {
            format_period(column.as_primitive::<IntervalYearMonthType>().value(row), 0, 0)
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let value = column.as_primitive::<IntervalDayTimeType>().value(row);
            format_period(0, value.days.into(), i128::from(value.milliseconds) * 1_000_000)
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = column.as_primitive::<IntervalMonthDayNanoType>().value(row);
            format_period(value.months, value.days.into(), value.nanoseconds.into())
        }
        other => return Err(format!("{other} is not an interval").into()),
    })
}

fn format_duration(column: &dyn Array, row: usize, unit: TimeUnit) -> String {
    const DAY_NS: i128 = 86_400_000_000_000;
    let ns: i128 = match unit {
        TimeUnit::Second => {
            i128::from(column.as_primitive::<DurationSecondType>().value(row)) * 1_000_000_000
        }
        TimeUnit::Millisecond => {
            i128::from(column.as_primitive::<DurationMillisecondType>().value(row)) * 1_000_000
        }
        TimeUnit::Microsecond => {
            i128::from(column.as_primitive::<DurationMicrosecondType>().value(row)) * 1_000
        }
        TimeUnit::Nanosecond => column.as_primitive::<DurationNanosecondType>().value(row).into(),
    };
    format_period(0, (ns / DAY_NS) as i64, ns % DAY_NS)
}

fn format_period(months: i32, days: i64, ns: i128) -> String {
    let mut parts = Vec::new();
    if months != 0 {
        parts.push(format!("{months} months"));
    }
    if days != 0 {
        parts.push(format!("{days} days"));
    }
    if ns != 0 || parts.is_empty() {
        let (sign, ns) = (if ns < 0 { "-" } else { "" }, ns.unsigned_abs());
        let seconds = ns / 1_000_000_000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let fraction = ns % 1_000_000_000;
        parts.push(trim_fraction(&format!(
            "{sign}{hour:02}:{minute:02}:{second:02}.{fraction:09}"
        )));
    }
    parts.join(" ")
}

fn format_list(items: &dyn Array) -> Result<String> {
    let items = (0..items.len())
        .map(|i| format_value(items, i))
        .collect::<Result<Vec<_>>>()?;
    Ok(format!("[{}]", items.join(", ")))
}

fn format_struct(column: &dyn Array, row: usize) -> Result<String> {
    let structs = column.as_struct();
    let members = structs.fields().iter().zip(structs.columns());
    let members =
        members.map(|(field, values)| Ok(format!("{}: {}", field.name(), format_value(values, row)?)));
    Ok(format!("{{{}}}", members.collect::<Result<Vec<_>>>()?.join(", ")))
}

fn format_map(column: &dyn Array, row: usize) -> Result<String> {
    let entries = column.as_map().value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    let entry = |i| {
        Ok(format!(
            "{}: {}",
            format_value(keys, i)?,
            format_value(values, i)?
        ))
    };
    Ok(format!(
        "{{{}}}",
        (0..entries.len())
            .map(entry)
            .collect::<Result<Vec<_>>>()?
            .join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_keep_as_many_digits_as_engines_agree_on() {
        assert_eq!(format_float(0.1 + 0.2, 12), "0.3");
        assert_eq!(format_float(2.0, 12), "2.0");
        assert_eq!(format_float(-1.0 / 3.0, 12), "-0.333333333333");
        assert_eq!(format_float(1.7976931348623157e308, 12), "1.79769313486e308");
        assert_eq!(format_float(f64::NEG_INFINITY, 12), "-inf");
        assert_eq!(format_float(f64::NAN, 12), "NaN");
    }

    #[test]
    fn spaces_that_could_be_lost_show() {
        assert_eq!(format_string(""), "(empty)");
        assert_eq!(format_string(" a b  c "), "·a b··c·");
        assert_eq!(format_string("a\tb\\c\nd"), "a\\tb\\\\c\\nd");
    }

    #[test]
    fn periods_name_what_they_hold() {
        assert_eq!(
            format_period(14, 3, 3_723_500_000_000),
            "14 months 3 days 01:02:03.5"
        );
        assert_eq!(format_period(0, 0, 0), "00:00:00");
        assert_eq!(format_period(0, 0, -60_000_000_000), "-00:01:00");
    }
}
