//! Functions of numbers. Square roots are exact; the other functions of floating-point numbers may differ from the
//! CPU's in the last place.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use super::super::arithmetic::smallest;
use super::super::decimal::{constant, power};
use super::super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Function, Node};

const MOST_64: u128 = i64::MAX as u128;
const MOST_128: u128 = i128::MAX as u128;

impl Code {
    /// A constant argument, such as a number of places.
    pub(in super::super) fn constant_integer(expr: &Expr) -> Option<i64> {
        match &expr.node {
            Node::Literal(ScalarValue::Int32(Some(value))) => Some((*value).into()),
            Node::Literal(ScalarValue::Int64(value)) => *value,
            _ => None,
        }
    }

    pub(super) fn float(&mut self, function: Function, expr: &Expr) -> Result<Value, String> {
        match expr.data_type {
            DataType::Float32 | DataType::Float64 => self.narrow_value(expr),
            _ => Err(Self::refused_call(function, std::slice::from_ref(expr))),
        }
    }

    pub(super) fn abs(&mut self, expr: &Expr) -> Result<Value, String> {
        let value = self.narrow_value(expr)?;
        let (text, repr) = (value.text.clone(), value.repr);
        match &expr.data_type {
            DataType::Float32 => Ok(self.bind_value(repr, format_args!("wf_absolute({text})"), value.valid)),
            DataType::Float64 => Ok(self.bind_value(repr, format_args!("fabs({text})"), value.valid)),
            unsigned if unsigned.is_unsigned_integer() => Ok(value),
            signed if signed.is_signed_integer() => {
                self.raise(
                    "OVERFLOW",
                    &value.valid,
                    format_args!("{text} == {}", smallest(repr)),
                );
                let c_type = repr.c_type();
                let positive = format!("({c_type})({text} < 0 ? (u64)0 - (u64){text} : (u64){text})");
                Ok(self.bind_value(repr, positive, value.valid))
            }
            DataType::Decimal128(..) if value.most.is_some_and(|most| most <= MOST_64) => Ok(self.decimal(
                repr,
                format!("{text} < 0 ? -{text} : {text}"),
                value.valid,
                value.most,
            )),
            DataType::Decimal128(..) => {
                // The smallest number of 128 bits stays itself.
                let positive = format!("(i128)({text} < 0 ? (u128)0 - (u128){text} : (u128){text})");
                Ok(self.decimal(Repr::I128, positive, value.valid, value.most))
            }
            _ => Err(Self::refused_call(Function::Abs, std::slice::from_ref(expr))),
        }
    }

    /// The next whole number above or below.
    pub(super) fn whole(&mut self, expr: &Expr, up: bool) -> Result<Value, String> {
        let value = self.narrow_value(expr)?;
        let (text, repr) = (value.text.clone(), value.repr);
        let (digits, scale) = match expr.data_type {
            DataType::Float32 | DataType::Float64 => {
                let name = if up { "ceil" } else { "floor" };
                let suffix = if repr == Repr::F32 { "f" } else { "" };
                let whole = format_args!("{name}{suffix}({text})");
                return Ok(self.bind_float(repr, whole, &[&text], value.valid));
            }
            DataType::Decimal128(_, scale) if scale <= 0 => return Ok(value),
            DataType::Decimal128(digits, scale) => (u32::from(digits), u32::from(scale.unsigned_abs())),
            _ => {
                let function = if up { Function::Ceil } else { Function::Floor };
                return Err(Self::refused_call(function, std::slice::from_ref(expr)));
            }
        };
        let (Some(limit), Some(factor)) = (power(digits), power(scale)) else {
            return Err(format!(
                "whole numbers of {} are not computed on the GPU",
                expr.data_type
            ));
        };
        // 64 bits hold a decimal and a factor if they hold both of 18 digits.
        let narrow = repr == Repr::I64 && value.most.is_some_and(|most| most + factor <= MOST_64);
        let c_type = if narrow { "i64" } else { "i128" };
        let unsigned = if narrow { "u64" } else { "u128" };
        let wide = self.bind(c_type, format_args!("({c_type}){text}"));
        let factor_text = constant(factor);
        let rest = self.bind(c_type, format_args!("{wide} % {factor_text}"));
        let step = if up {
            format!("{wide} < 0 || {rest} == 0 ? ({c_type})0 : ({c_type}){factor_text}")
        } else {
            format!("{wide} >= 0 || {rest} == 0 ? ({c_type})0 : -({c_type}){factor_text}")
        };
        let sum = format!("({c_type})(({unsigned}){wide} - ({unsigned}){rest} + ({unsigned})({step}))");
        let most = value.most.map(|most| most.saturating_add(factor));
        let result = self.decimal(
            if narrow { Repr::I64 } else { Repr::I128 },
            sum,
            value.valid,
            most,
        );
        Ok(self.limited(result, None, limit - 1, false))
    }

    /// To a constant number of places, half away from zero.
    pub(super) fn round(&mut self, expr: &Expr, arg: &Expr, places: i64) -> Result<Value, String> {
        let refused = || Self::refused_call(Function::Round, std::slice::from_ref(arg));
        let places = i32::try_from(places).map_err(|_| refused())?;
        let value = self.narrow_value(arg)?;
        let text = value.text.clone();
        match (&arg.data_type, &expr.data_type) {
            (DataType::Float64, DataType::Float64) => {
                let factor = format!("__longlong_as_double({:#x}ll)", 10f64.powi(places).to_bits());
                let rounded = format!("round({text} * {factor}) / {factor}");
                Ok(self.bind_value(Repr::F64, rounded, value.valid))
            }
            (DataType::Float32, DataType::Float32) => {
                let factor = format!("__uint_as_float({:#x}u)", (10f64.powi(places) as f32).to_bits());
                let rounded = format_args!("roundf({text} * {factor}) / {factor}");
                Ok(self.bind_float(Repr::F32, rounded, &[&text], value.valid))
            }
            (DataType::Decimal128(_, scale), DataType::Decimal128(_, to)) if places >= 0 && *scale >= 0 => {
                let change = i32::from(*scale) - places;
                if change <= 0 {
                    return Ok(value);
                }
                let (Ok(back), Some(divisor)) =
                    (u32::try_from(i32::from(*to) - places), power(change as u32))
                else {
                    return Err(refused());
                };
                let most = value.most.unwrap_or(MOST_128 + 1) / divisor + 1;
                let repr = if value.repr == Repr::I64 && divisor <= MOST_64 {
                    Repr::I64
                } else {
                    Repr::I128
                };
                let c_type = repr.c_type();
                let rounded = format!("wf_div_round(({c_type}){text}, ({c_type}){})", constant(divisor));
                let rounded = self.decimal(repr, rounded, value.valid, Some(most));
                Ok(self.scaled(rounded, back, "OVERFLOW"))
            }
            _ => Err(refused()),
        }
    }

    pub(super) fn signum(&mut self, expr: &Expr) -> Result<Value, String> {
        let value = self.float(Function::Signum, expr)?;
        let (text, repr) = (&value.text, value.repr);
        let nan = match repr {
            Repr::F32 => "__uint_as_float(0x7fc00000u)",
            _ => "__longlong_as_double(0x7ff8000000000000ll)",
        };
        let c_type = repr.c_type();
        let sign = format!("{text} != {text} ? {nan} : ({c_type})({text} > 0 ? 1 : {text} < 0 ? -1 : 0)");
        Ok(self.bind_value(repr, sign, value.valid))
    }

    pub(super) fn power(&mut self, base: &Expr, exponent: &Expr) -> Result<Value, String> {
        if base.data_type != DataType::Float64 || exponent.data_type != DataType::Float64 {
            return Err(Self::refused_call(
                Function::Power,
                &[base.clone(), exponent.clone()],
            ));
        }
        let (base, exponent) = (self.narrow_value(base)?, self.narrow_value(exponent)?);
        let valid = self.both(&base.valid, &exponent.valid);
        let (a, b) = (&base.text, &exponent.text);
        self.raise(
            "DIVISION_BY_ZERO",
            &valid,
            format_args!("{a} == 0.0 && {b} < 0.0"),
        );
        Ok(self.bind_value(Repr::F64, format_args!("pow({a}, {b})"), valid))
    }
}
