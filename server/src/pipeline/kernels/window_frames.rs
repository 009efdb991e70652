//! The bounds of frames, as DataFusion computes them: statements for one row, in which `here` is the row, its partition
//! is `first` to before `end`, and its peers, number `peer`, are `peers_from` to before `peers_to`.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;

use super::super::expr::{Code, Expr, Node};
use super::super::sort::SortKey;
use super::super::window::{Bound, Frame, Units};
use super::window::column_of;
use crate::batch::Repr;

/// Statements that define `low{index}` and `high{index}`.
pub(super) fn write_frame(
    code: &mut Code,
    index: usize,
    frame: &Frame,
    order: &[SortKey],
) -> Result<(), String> {
    let low = bound(code, frame, order, true)?;
    let high = bound(code, frame, order, false)?;
    code.write(&format!(
        "const u64 low{index} = {low}, high{index} = wf_max<u64>({high}, low{index});\n"
    ));
    Ok(())
}

fn bound(code: &mut Code, frame: &Frame, order: &[SortKey], is_start: bool) -> Result<String, String> {
    let bound = if is_start { &frame.start } else { &frame.end };
    let (preceding, distance) = match bound {
        Bound::Unbounded => return Ok(if is_start { "first" } else { "end" }.into()),
        Bound::Current => {
            return Ok(match (frame.units, is_start) {
                (Units::Rows, true) => "here".into(),
                (Units::Rows, false) => "here + 1u".into(),
                (_, true) => "peers_from".into(),
                (_, false) => "peers_to".into(),
            });
        }
        Bound::Preceding(distance) => (true, distance),
        Bound::Following(distance) => (false, distance),
    };
    if frame.units == Units::Range {
        let [key] = order else {
            return Err("RANGE with a distance wants one ORDER BY key".into());
        };
        return Range {
            key,
            is_start,
            preceding,
        }
        .write(code, distance);
    }
    let by = code.value(distance)?.text;
    Ok(match (frame.units, is_start, preceding) {
        (Units::Rows, true, true) => format!("wf_rows_before(here, first, {by})"),
        (Units::Rows, true, false) => format!("wf_rows_after(here, end, {by})"),
        (Units::Rows, false, true) => format!("wf_rows_end_before(here, first, {by})"),
        (Units::Rows, false, false) => format!("wf_rows_end_after(here, end, {by})"),
        // Peers of the partition have the numbers `first_peer` to `last_peer`.
        (_, true, true) => format!("(u64)peer_firsts[wf_rows_before(peer, first_peer, {by})]"),
        (_, true, false) => format!("(u64)peer_firsts[wf_rows_after(peer, last_peer + 1u, {by})]"),
        (_, false, true) => {
            format!("({by} > peer - first_peer ? first : (u64)peer_firsts[peer - {by} + 1u])")
        }
        (_, false, false) => format!("(u64)peer_firsts[wf_rows_end_after(peer, last_peer + 1u, {by})]"),
    })
}

/// A bound at a distance of the order's key.
struct Range<'a> {
    key: &'a SortKey,
    is_start: bool,
    preceding: bool,
}

impl Range<'_> {
    /// The bound: a search in the partition for the key at that distance. Rows without a key have their peers as bounds;
    /// a distance that leads out of the type's range, all rows on that side.
    fn write(&self, code: &mut Code, distance: &Expr) -> Result<String, String> {
        let column = column_of(&self.key.expr)?;
        let repr = self.key.expr.repr()?;
        let name = code.name();
        let c_type = repr.c_type();
        // Downwards, what precedes is larger.
        let plus = self.preceding == self.key.descending;
        code.write(&format!(
            "const {c_type}* keys_{name} = (const {c_type}*)columns[{column}].values;\n\
             const u32* valid_{name} = (const u32*)columns[{column}].validity;\n\
             const {c_type} key_{name} = keys_{name}[here];\nbool over_{name} = false;\n"
        ));
        let (form, target) = self.target(code, &name, distance, plus)?;
        let ordered = |value: String| match form {
            Form::Integer => format!("(i128)({value})"),
            Form::Float => format!("wf_order_key({value})"),
        };
        let relation = match (self.is_start, self.key.descending) {
            (true, false) => "<",
            (true, true) => ">",
            (false, false) => "<=",
            (false, true) => ">=",
        };
        let nulls_first = self.key.nulls_first;
        let at_key = ordered(format!("keys_{name}[at]"));
        let (own, beyond) = match (self.is_start, self.preceding) {
            (true, true) => ("peers_from", "first".to_owned()),
            (true, false) => ("peers_from", "end".to_owned()),
            (false, false) => ("peers_to", "end".to_owned()),
            (false, true) if nulls_first => (
                "peers_to",
                format!(
                    "wf_partition_point(first, end, [&](u64 at) {{ return !wf_bit(valid_{name}, at); }})"
                ),
            ),
            (false, true) => ("peers_to", "first".to_owned()),
        };
        code.write(&format!(
            "const auto target_{name} = {target};\n\
             const u64 bound_{name} = !wf_bit(valid_{name}, here) ? {own} : over_{name} ? {beyond} :\n\
             wf_partition_point(first, end, [&](u64 at) {{\n\
             return wf_bit(valid_{name}, at) ? {at_key} {relation} target_{name} : {nulls_first};\n}});\n"
        ));
        Ok(format!("bound_{name}"))
    }

    /// The key at the distance, in the form in which keys are compared.
    fn target(
        &self,
        code: &mut Code,
        name: &str,
        distance: &Expr,
        plus: bool,
    ) -> Result<(Form, String), String> {
        let data_type = &self.key.expr.data_type;
        let repr = self.key.expr.repr()?;
        let key = format!("key_{name}");
        let (sign, function) = if plus { ("+", "wf_add") } else { ("-", "wf_sub") };
        match data_type {
            DataType::Float32 | DataType::Float64 => {
                let by = code.value(distance)?.text;
                // A NaN keeps its bits, by which it is compared.
                let target = format!("wf_order_key({key} != {key} ? {key} : {key} {sign} {by})");
                Ok((Form::Float, target))
            }
            DataType::Date32 | DataType::Timestamp(_, None)
                if matches!(distance.data_type, DataType::Interval(_)) =>
            {
                let by = interval(code, distance)?;
                let sign = if plus { 1 } else { -1 };
                let target = match data_type {
                    DataType::Timestamp(unit, _) => {
                        let units = units(unit);
                        format!("wf_timestamp_plus({key}, {units}ll, {by}, {sign}ll, &over_{name})")
                    }
                    _ => format!("wf_date_plus({key}, {by}, {sign}ll, &over_{name})"),
                };
                Ok((Form::Integer, self.fitting(name, &repr, &target)))
            }
            other if other.is_integer() && distance.data_type == *other => {
                let by = code.value(distance)?.text;
                if !plus && other.is_unsigned_integer() {
                    return Ok((Form::Integer, format!("(i128)({key} < {by} ? 0u : {key} - {by})")));
                }
                let target = format!("(i128){key} {sign} (i128){by}");
                Ok((Form::Integer, self.fitting(name, &repr, &target)))
            }
            DataType::Decimal128(_, scale) if matches!(&distance.data_type, DataType::Decimal128(_, by) if by == scale) =>
            {
                let by = code.value(distance)?.text;
                let target = format!("{function}<i128>((i128){key}, (i128){by}, &over_{name})");
                Ok((Form::Integer, target))
            }
            other => Err(format!(
                "a RANGE of {} around {other} is not run on the GPU",
                distance.data_type
            )),
        }
    }

    /// `target`, and whether it lies outside the range of the key's type.
    fn fitting(&self, name: &str, repr: &Repr, target: &str) -> String {
        let c_type = repr.c_type();
        format!(
            "[&]() {{ i128 wide = (i128)({target}); over_{name} = over_{name} || wide != (i128)({c_type})wide; \
             return wide; }}()"
        )
    }
}

/// How keys are compared: as numbers of 128 bits, or by words of their order.
enum Form {
    Integer,
    Float,
}

/// Units in a second.
fn units(unit: &TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A constant interval as the prelude's `WfInterval`.
fn interval(code: &mut Code, distance: &Expr) -> Result<String, String> {
    let (months, days, nanos) = match &distance.node {
        Node::Literal(ScalarValue::IntervalYearMonth(Some(months))) => (*months, 0, 0),
        Node::Literal(ScalarValue::IntervalDayTime(Some(span))) => {
            (0, span.days, i64::from(span.milliseconds) * 1_000_000)
        }
        Node::Literal(ScalarValue::IntervalMonthDayNano(Some(span))) => {
            (span.months, span.days, span.nanoseconds)
        }
        _ => return Err(format!("the distance {distance} is no constant interval")),
    };
    let mut part = |value: ScalarValue| {
        let literal = Expr {
            data_type: value.data_type(),
            nullable: false,
            node: Node::Literal(value),
        };
        code.value(&literal).map(|value| value.text)
    };
    let months = part(ScalarValue::Int32(Some(months)))?;
    let days = part(ScalarValue::Int32(Some(days)))?;
    let nanos = part(ScalarValue::Int64(Some(nanos)))?;
    Ok(format!("WfInterval{{{months}, {days}, {nanos}}}"))
}
