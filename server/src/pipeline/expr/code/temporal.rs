//! Arithmetic of dates, times, timestamps and durations. Intervals are constants only.

use arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;

use super::cast::{DAY_SECONDS, units};
use super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Node};

/// The slot of a constant interval, as the prelude's `WfInterval`; `None` if it is null.
fn interval_slot(value: &ScalarValue) -> Option<[u8; 16]> {
    let (months, days, nanos) = match value {
        ScalarValue::IntervalYearMonth(Some(months)) => (*months, 0, 0),
        ScalarValue::IntervalDayTime(Some(span)) => (0, span.days, i64::from(span.milliseconds) * 1_000_000),
        ScalarValue::IntervalMonthDayNano(Some(span)) => (span.months, span.days, span.nanoseconds),
        _ => return None,
    };
    let mut slot = [0; 16];
    slot[..4].copy_from_slice(&months.to_le_bytes());
    slot[4..8].copy_from_slice(&days.to_le_bytes());
    slot[8..].copy_from_slice(&nanos.to_le_bytes());
    Some(slot)
}

impl Code {
    pub(super) fn temporal_arithmetic(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Result<Value, String> {
        use DataType::{Date32, Date64, Duration, Interval, Timestamp};
        let refused = || {
            format!(
                "operator {operator} of {} and {} is not run on the GPU",
                left.data_type, right.data_type
            )
        };
        let plus = operator == Operator::Plus;
        if !plus && operator != Operator::Minus {
            return Err(refused());
        }
        match (&left.data_type, &right.data_type) {
            (Interval(_), other) if plus && !matches!(other, Interval(_)) => {
                self.plus_interval(right, left, true)
            }
            (_, Interval(_)) if !matches!(left.data_type, Interval(_)) => {
                self.plus_interval(left, right, plus)
            }
            (Date32, Date32) if !plus && expr.data_type == DataType::Int64 => {
                let (a, b) = (self.narrow_value(left)?, self.narrow_value(right)?);
                let valid = self.both(&a.valid, &b.valid);
                Ok(self.bind_value(
                    Repr::I64,
                    format_args!("(i64){} - (i64){}", a.text, b.text),
                    valid,
                ))
            }
            (Date64, Date64) if !plus && expr.data_type == DataType::Int64 => {
                let (a, b) = (self.narrow_value(left)?, self.narrow_value(right)?);
                let valid = self.both(&a.valid, &b.valid);
                let ms = format!("(i64)((u64){} - (u64){})", a.text, b.text);
                Ok(self.bind_value(Repr::I64, format_args!("{ms} / 86400000ll"), valid))
            }
            (Timestamp(a, _), Timestamp(b, _)) if !plus && a == b => self.checked_sum(left, right, false),
            (Timestamp(a, _), Duration(b)) if a == b => self.checked_sum(left, right, plus),
            (Duration(a), Timestamp(b, _)) if plus && a == b => self.checked_sum(left, right, true),
            (Duration(a), Duration(b)) if a == b => self.checked_sum(left, right, plus),
            _ => Err(refused()),
        }
    }

    fn checked_sum(&mut self, left: &Expr, right: &Expr, plus: bool) -> Result<Value, String> {
        let (a, b) = (self.narrow_value(left)?, self.narrow_value(right)?);
        let valid = self.both(&a.valid, &b.valid);
        let overflow = self.overflow_flag();
        let function = if plus { "wf_add" } else { "wf_sub" };
        let text = format!("{function}<i64>({}, {}, &{overflow})", a.text, b.text);
        let sum = self.bind_value(Repr::I64, text, valid.clone());
        self.raise("OVERFLOW", &valid, &overflow);
        Ok(sum)
    }

    fn plus_interval(&mut self, value: &Expr, interval: &Expr, plus: bool) -> Result<Value, String> {
        let data_type = &value.data_type;
        let Node::Literal(constant) = &interval.node else {
            return Err("an interval that is not a constant is not held on the GPU".to_owned());
        };
        let operand = self.narrow_value(value)?;
        let (text, valid) = (operand.text.clone(), operand.valid.clone());
        let Some(slot) = interval_slot(constant) else {
            return Ok(Self::null(operand.repr));
        };
        let offset = self.literals.value(&slot);
        let by = format!("*(const WfInterval*)(literals + {offset})");
        let sign = if plus { "1ll" } else { "-1ll" };
        let bad = self.overflow_flag();
        let (repr, sum) = match data_type {
            DataType::Date32 => (
                Repr::I32,
                format!("(i32)wf_date_plus({text}, {by}, {sign}, &{bad})"),
            ),
            DataType::Date64 => {
                let days = format!("{text} / 86400000ll");
                (
                    Repr::I64,
                    format!("wf_date_plus({days}, {by}, {sign}, &{bad}) * 86400000ll"),
                )
            }
            DataType::Timestamp(unit, None) => {
                let units = units(unit);
                (
                    Repr::I64,
                    format!("wf_timestamp_plus({text}, {units}ll, {by}, {sign}, &{bad})"),
                )
            }
            DataType::Time32(unit) | DataType::Time64(unit)
                if interval.data_type == DataType::Interval(IntervalUnit::MonthDayNano) =>
            {
                let units = units(unit);
                let nanos = format!("{sign} * (({by}).nanos % 86400000000000ll)");
                let delta = format!("wf_floor_div({nanos}, {}ll)", 1_000_000_000 / units);
                let sum = format!("wf_floor_mod((i64){text} + {delta}, {}ll)", DAY_SECONDS * units);
                (operand.repr, format!("({}){sum}", operand.repr.c_type()))
            }
            other => return Err(format!("{other} and an interval are not added on the GPU")),
        };
        let result = self.bind_value(repr, sum, valid.clone());
        self.raise("OVERFLOW", &valid, &bad);
        Ok(result)
    }
}
