//! Comparisons. Floating-point numbers have a total order with one zero, in which NaNs of different bits differ;
//! strings go by bytes.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Operator;

use super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::Expr;

/// Whether values of both types can be compared as they are.
pub(super) fn comparable(left: &DataType, right: &DataType) -> bool {
    let is_text = |data_type: &DataType| data_type.is_string();
    let is_bytes = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
    };
    match (left, right) {
        (DataType::Decimal128(_, a), DataType::Decimal128(_, b)) => a == b,
        (DataType::Timestamp(a, _), DataType::Timestamp(b, _)) => a == b,
        _ => left == right || is_text(left) && is_text(right) || is_bytes(left) && is_bytes(right),
    }
}

impl Code {
    /// Two operands that can be compared, and whether both are valid.
    pub(super) fn comparands(
        &mut self,
        what: &str,
        left: &Expr,
        right: &Expr,
    ) -> Result<(Value, Value), String> {
        if !comparable(&left.data_type, &right.data_type) {
            return Err(format!(
                "{what} of {} and {} is not run on the GPU",
                left.data_type, right.data_type
            ));
        }
        Ok((self.narrow_value(left)?, self.narrow_value(right)?))
    }

    pub(super) fn comparison(
        &mut self,
        operator: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Result<Value, String> {
        let (left, right) = self.comparands(&format!("operator {operator}"), left, right)?;
        let symbol = match operator {
            Operator::Eq | Operator::IsNotDistinctFrom => "==",
            Operator::NotEq | Operator::IsDistinctFrom => "!=",
            Operator::Lt => "<",
            Operator::LtEq => "<=",
            Operator::Gt => ">",
            _ => ">=",
        };
        let text = self.compared(&left, &right, symbol);
        let (left, right) = (left.valid, right.valid);
        match operator {
            Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => {
                let equal_nulls = operator == Operator::IsNotDistinctFrom;
                let text = match (&left, &right) {
                    (None, None) => text,
                    (Some(one), None) | (None, Some(one)) if equal_nulls => format!("{one} && ({text})"),
                    (Some(one), None) | (None, Some(one)) => format!("!{one} || ({text})"),
                    (Some(a), Some(b)) => format!("{a} && {b} ? ({text}) : ({a} == {b}) == {equal_nulls}"),
                };
                Ok(self.bind_value(Repr::Bool, text, None))
            }
            _ => {
                let valid = self.both(&left, &right);
                Ok(self.bind_value(Repr::Bool, text, valid))
            }
        }
    }

    /// The comparison of two values that are there.
    fn compared(&mut self, left: &Value, right: &Value, symbol: &str) -> String {
        let (a, b) = (&left.text, &right.text);
        match left.repr {
            Repr::F32 | Repr::F64 => format!("wf_compare_key({a}) {symbol} wf_compare_key({b})"),
            Repr::Str => {
                self.effects += 1;
                match symbol {
                    "==" => format!("wf_equal({a}, {b})"),
                    "!=" => format!("!wf_equal({a}, {b})"),
                    _ => format!("wf_compare({a}, {b}) {symbol} 0"),
                }
            }
            _ => format!("{a} {symbol} {b}"),
        }
    }

    /// Equality without SQL's one zero, as CASE, IN and NULLIF have it.
    pub(super) fn identical(&mut self, left: &Value, right: &Value) -> String {
        let (a, b) = (&left.text, &right.text);
        match left.repr {
            Repr::F32 | Repr::F64 => format!("wf_order_key({a}) == wf_order_key({b})"),
            Repr::Str => {
                self.effects += 1;
                format!("wf_equal({a}, {b})")
            }
            _ => format!("{a} == {b}"),
        }
    }
}
