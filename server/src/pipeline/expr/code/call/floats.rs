//! Functions of floating-point numbers: what the C library has by the same name, which may differ from the CPU's in the
//! last place, and those that ask whether a number is one.

use arrow::datatypes::DataType;

use super::super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Function};

/// A number of either width that loses nothing on the way to the kernel.
fn number(repr: Repr, narrow: f32, wide: f64) -> String {
    match repr {
        Repr::F32 => format!("__uint_as_float({:#x}u)", narrow.to_bits()),
        _ => format!("__longlong_as_double({:#x}ll)", wide.to_bits()),
    }
}

impl Code {
    /// A function of one number.
    pub(super) fn float_call(&mut self, function: Function, expr: &Expr) -> Result<Value, String> {
        let value = self.float(function, expr)?;
        let (text, repr) = (value.text.clone(), value.repr);
        let name = match function {
            Function::Cot => "tan",
            Function::Ln => "log",
            other => other.name(),
        };
        if function == Function::Sqrt {
            self.raise("BAD_CAST", &value.valid, format_args!("{text} < 0"));
        }
        let call = match function {
            Function::Degrees => {
                let factor = number(repr, 57.295_78, 180.0 / std::f64::consts::PI);
                format!("{text} * {factor}")
            }
            Function::Radians => {
                let factor = number(repr, std::f32::consts::PI / 180.0, std::f64::consts::PI / 180.0);
                format!("{text} * {factor}")
            }
            _ => {
                let suffix = if repr == Repr::F32 { "f" } else { "" };
                let inverse = if function == Function::Cot { "1 / " } else { "" };
                format!("{inverse}{name}{suffix}({text})")
            }
        };
        Ok(self.bind_float(repr, call, &[&text], value.valid))
    }

    pub(super) fn atan2(&mut self, y: &Expr, x: &Expr) -> Result<Value, String> {
        let (y, x) = (self.float(Function::Atan2, y)?, self.float(Function::Atan2, x)?);
        if y.repr != x.repr {
            return Err("atan2 of numbers of two widths is not run on the GPU".to_owned());
        }
        let valid = self.both(&y.valid, &x.valid);
        let (a, b) = (&y.text, &x.text);
        let suffix = if y.repr == Repr::F32 { "f" } else { "" };
        let call = format_args!("atan2{suffix}({a}, {b})");
        Ok(self.bind_float(y.repr, call, &[a, b], valid))
    }

    /// Whether a number is none, or is zero.
    pub(super) fn is_special(&mut self, function: Function, expr: &Expr) -> Result<Value, String> {
        let is_float = matches!(expr.data_type, DataType::Float32 | DataType::Float64);
        if !is_float && !expr.data_type.is_integer() && !matches!(expr.data_type, DataType::Decimal128(..)) {
            return Err(Self::refused_call(function, std::slice::from_ref(expr)));
        }
        let value = self.narrow_value(expr)?;
        let text = match function {
            Function::IsZero => format!("{} == 0", value.text),
            _ if is_float => format!("{0} != {0}", value.text),
            _ => "false".to_owned(),
        };
        Ok(self.bind_value(Repr::Bool, text, value.valid))
    }

    /// Another number where the first is none.
    pub(super) fn nanvl(&mut self, value: &Expr, other: &Expr) -> Result<Value, String> {
        if value.data_type != other.data_type {
            return Err(Self::refused_call(
                Function::Nanvl,
                &[value.clone(), other.clone()],
            ));
        }
        let (value, other) = (
            self.float(Function::Nanvl, value)?,
            self.float(Function::Nanvl, other)?,
        );
        let is_nan = self.bind_bool(format_args!("{0} != {0}", value.text));
        let valid = match (&value.valid, &other.valid) {
            (valid, None) => valid.clone(),
            (None, Some(other)) => Some(self.bind_bool(format_args!("!{is_nan} || {other}"))),
            (Some(valid), Some(other)) => {
                Some(self.bind_bool(format_args!("{valid} && (!{is_nan} || {other})")))
            }
        };
        let text = format!("{is_nan} ? {} : {}", other.text, value.text);
        Ok(self.bind_value(value.repr, text, valid))
    }

    /// To a constant number of places, or to a whole number, towards zero.
    pub(super) fn trunc(&mut self, expr: &Expr, places: Option<i64>) -> Result<Value, String> {
        let refused = || Self::refused_call(Function::Trunc, std::slice::from_ref(expr));
        if let DataType::Decimal128(_, scale) = expr.data_type {
            return self.trunc_decimal(expr, i64::from(scale).saturating_sub(places.unwrap_or(0)));
        }
        let value = self.float(Function::Trunc, expr)?;
        let (text, repr) = (&value.text, value.repr);
        let suffix = if repr == Repr::F32 { "f" } else { "" };
        let cut = match places {
            // Minus zero becomes zero here only.
            None => format!("{text} == 0 ? ({})0 : trunc{suffix}({text})", repr.c_type()),
            Some(places) => {
                let places = i32::try_from(places).map_err(|_| refused())?;
                let factor = number(repr, 10f32.powi(places), 10f64.powi(places));
                format!("trunc{suffix}({text} * {factor}) / {factor}")
            }
        };
        Ok(self.bind_float(repr, cut, &[text], value.valid))
    }

    fn trunc_decimal(&mut self, expr: &Expr, cut: i64) -> Result<Value, String> {
        let value = self.narrow_value(expr)?;
        let Some(cut) = u32::try_from(cut).ok().filter(|cut| *cut > 0) else {
            return Ok(value);
        };
        let factor = super::super::decimal::power(cut).filter(|_| cut < 38);
        let narrow = value.repr == Repr::I64;
        let text = match factor {
            Some(factor) if !narrow || factor <= i64::MAX as u128 => {
                let factor = super::super::decimal::constant(factor);
                format!("{0} - {0} % {factor}", value.text)
            }
            _ => format!("({})0", value.repr.c_type()),
        };
        Ok(self.decimal(value.repr, text, value.valid, value.most))
    }
}
