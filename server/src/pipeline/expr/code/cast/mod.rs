//! Casts. What does not fit is null where the cast is safe, and raised where it is not.

mod decimals;
mod numbers;
mod powers;
mod temporal;
mod text;

use arrow::datatypes::DataType;

use super::{Code, Value};
use crate::pipeline::expr::Expr;

pub(super) use self::temporal::{DAY_SECONDS, units};

impl Code {
    pub(super) fn cast(&mut self, expr: &Expr, to: &DataType, safe: bool) -> Result<Value, String> {
        let from = &expr.data_type;
        let is_bytes = |data_type: &DataType| {
            data_type.is_string()
                || matches!(
                    data_type,
                    DataType::Binary | DataType::LargeBinary | DataType::BinaryView
                )
        };
        let is_number = |data_type: &DataType| {
            data_type.is_integer() || matches!(data_type, DataType::Float32 | DataType::Float64)
        };
        // Text is not made of bytes: they would have to be checked.
        let same = from == to || is_bytes(from) && is_bytes(to) && (from.is_string() || !to.is_string());
        let value = self.narrow_value(expr)?;
        match (from, to) {
            _ if same => Ok(value),
            (a, b) if is_number(a) && is_number(b) => self.cast_number(value, b, safe),
            (DataType::Boolean, b) if is_number(b) => {
                let repr = Self::repr_of(to)?;
                let text = format!("({}){}", repr.c_type(), value.text);
                Ok(self.bind_value(repr, text, value.valid))
            }
            (a, DataType::Boolean) if is_number(a) => Ok(self.bind_value(
                crate::batch::Repr::Bool,
                format_args!("{} != 0", value.text),
                value.valid,
            )),
            (a, DataType::Decimal128(digits, scale)) if a.is_integer() => {
                self.cast_integer_to_decimal(value, *digits, *scale, safe)
            }
            (DataType::Float32 | DataType::Float64, DataType::Decimal128(digits, scale)) => {
                self.cast_float_to_decimal(value, *digits, *scale, safe)
            }
            (DataType::Decimal128(_, a), DataType::Decimal128(digits, b)) => {
                self.cast_decimal(value, *a, *digits, *b, safe)
            }
            (DataType::Decimal128(_, scale), b) if is_number(b) => {
                self.cast_decimal_to_number(value, *scale, b, safe)
            }
            (a, b) if b.is_string() => self.cast_to_text(value, a, b),
            (a, b) if a.is_string() => self.cast_from_text(value, a, b, safe),
            (a, b) if a.is_temporal() || b.is_temporal() => self.cast_temporal(value, a, b, safe),
            _ => Err(Self::no_cast(from, to)),
        }
    }

    fn no_cast(from: &DataType, to: &DataType) -> String {
        format!("a cast from {from} to {to} is not run on the GPU")
    }

    fn repr_of(data_type: &DataType) -> Result<crate::batch::Repr, String> {
        crate::batch::Repr::of(data_type)
            .ok_or_else(|| format!("values of type {data_type} are not held on the GPU"))
    }

    /// Deals with values for which `bad` is true: what is valid then.
    pub(super) fn unless(&mut self, valid: Option<String>, bad: String, safe: bool) -> Option<String> {
        if safe {
            let valid = valid.map(|valid| format!("{valid} && ")).unwrap_or_default();
            Some(self.bind_bool(format_args!("{valid}!({bad})")))
        } else {
            self.raise("BAD_CAST", &valid, bad);
            valid
        }
    }
}
