//! Operators of two operands, and arithmetic of numbers. Integers wrap in sums, differences and products; quotients
//! check. Floating-point numbers follow IEEE 754.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Operator;

use super::{Code, Value, decimal};
use crate::batch::Repr;
use crate::pipeline::expr::Expr;

impl Code {
    pub(super) fn binary(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Result<Value, String> {
        match operator {
            Operator::And => self.and_or(left, right, true),
            Operator::Or => self.and_or(left, right, false),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom => self.comparison(operator, left, right),
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                self.arithmetic(expr, operator, left, right)
            }
            Operator::BitwiseAnd
            | Operator::BitwiseOr
            | Operator::BitwiseXor
            | Operator::BitwiseShiftLeft
            | Operator::BitwiseShiftRight => self.bitwise(operator, left, right),
            Operator::RegexMatch
            | Operator::RegexIMatch
            | Operator::RegexNotMatch
            | Operator::RegexNotIMatch => {
                let negated = matches!(operator, Operator::RegexNotMatch | Operator::RegexNotIMatch);
                let fold = matches!(operator, Operator::RegexIMatch | Operator::RegexNotIMatch);
                self.regex_match(left, right, negated, fold)
            }
            Operator::StringConcat => self.concat_operator(expr, left, right),
            _ => Err(format!("operator {operator} is not run on the GPU")),
        }
    }

    fn arithmetic(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Result<Value, String> {
        match (&left.data_type, &right.data_type) {
            (DataType::Decimal128(..), DataType::Decimal128(..)) => {
                self.decimal_arithmetic(expr, operator, left, right)
            }
            (a, b) if a == b && a.is_integer() && expr.data_type == *a => {
                let (a, b) = (self.narrow_value(left)?, self.narrow_value(right)?);
                Ok(self.integers(operator, a, b))
            }
            (a, b) if a == b && matches!(a, DataType::Float32 | DataType::Float64) => {
                let (a, b) = (self.narrow_value(left)?, self.narrow_value(right)?);
                Ok(self.floats(operator, a, b))
            }
            _ => self.temporal_arithmetic(expr, operator, left, right),
        }
    }

    pub(super) fn integers(&mut self, operator: Operator, left: Value, right: Value) -> Value {
        let repr = left.repr;
        let valid = self.both(&left.valid, &right.valid);
        let (a, b) = (&left.text, &right.text);
        match operator {
            Operator::Divide | Operator::Modulo => {
                self.raise("DIVISION_BY_ZERO", &valid, format_args!("{b} == 0"));
                let signed = matches!(repr, Repr::I8 | Repr::I16 | Repr::I32 | Repr::I64);
                let mut unsafe_divisor = format!("{b} == 0");
                if signed {
                    // The smallest number by -1 has no quotient; its remainder is 0.
                    let smallest = smallest(repr);
                    if operator == Operator::Divide {
                        let overflow = self.bind_bool(format_args!("{b} == -1 && {a} == {smallest}"));
                        self.raise("OVERFLOW", &valid, &overflow);
                        unsafe_divisor = format!("{unsafe_divisor} || {overflow}");
                    } else {
                        unsafe_divisor = format!("{unsafe_divisor} || {b} == -1");
                    }
                }
                let symbol = if operator == Operator::Divide { '/' } else { '%' };
                let c_type = repr.c_type();
                let text = format!("{unsafe_divisor} ? ({c_type})0 : ({c_type})({a} {symbol} {b})");
                self.bind_value(repr, text, valid)
            }
            _ => {
                let symbol = match operator {
                    Operator::Plus => '+',
                    Operator::Minus => '-',
                    _ => '*',
                };
                // Unsigned numbers wrap; signed ones must not overflow in C++.
                let wide = if matches!(repr, Repr::I64 | Repr::U64) {
                    "u64"
                } else {
                    "u32"
                };
                let c_type = repr.c_type();
                self.bind_value(
                    repr,
                    format_args!("({c_type})(({wide}){a} {symbol} ({wide}){b})"),
                    valid,
                )
            }
        }
    }

    fn floats(&mut self, operator: Operator, left: Value, right: Value) -> Value {
        let valid = self.both(&left.valid, &right.valid);
        let (a, b) = (&left.text, &right.text);
        let text = match operator {
            Operator::Plus => format!("{a} + {b}"),
            Operator::Minus => format!("{a} - {b}"),
            Operator::Multiply => format!("{a} * {b}"),
            Operator::Divide => format!("{a} / {b}"),
            _ if left.repr == Repr::F32 => format!("fmodf({a}, {b})"),
            _ => format!("fmod({a}, {b})"),
        };
        self.bind_float(left.repr, text, &[a, b], valid)
    }

    fn bitwise(&mut self, operator: Operator, left: &Expr, right: &Expr) -> Result<Value, String> {
        if left.data_type != right.data_type || !left.data_type.is_integer() {
            return Err(format!(
                "operator {operator} of {} and {} is not run on the GPU",
                left.data_type, right.data_type
            ));
        }
        let (left, right) = (self.narrow_value(left)?, self.narrow_value(right)?);
        let valid = self.both(&left.valid, &right.valid);
        let (a, b, c_type) = (&left.text, &right.text, left.repr.c_type());
        // Distances of shifts count modulo the width.
        let bits = left.repr.width() * 8;
        let text = match operator {
            Operator::BitwiseAnd => format!("{a} & {b}"),
            Operator::BitwiseOr => format!("{a} | {b}"),
            Operator::BitwiseXor => format!("{a} ^ {b}"),
            Operator::BitwiseShiftLeft => format!("(u64){a} << ((u32){b} & {}u)", bits - 1),
            _ => format!("{a} >> ((u32){b} & {}u)", bits - 1),
        };
        Ok(self.bind_value(left.repr, format_args!("({c_type})({text})"), valid))
    }

    pub(super) fn negative(&mut self, value: &Expr) -> Result<Value, String> {
        let data_type = &value.data_type;
        let value = self.narrow_value(value)?;
        let (text, repr) = (value.text.clone(), value.repr);
        match data_type {
            // Its most stays: the range of every type but the widest is symmetric.
            DataType::Decimal128(..) if value.most.is_some() => {
                // Only the smallest of 64 bits, once an integer, has no opposite in them.
                let repr = if value.most > Some(i64::MAX as u128) {
                    Repr::I128
                } else {
                    repr
                };
                let text = format!("-({}){text}", repr.c_type());
                Ok(self.decimal(repr, text, value.valid, value.most))
            }
            DataType::Decimal128(..) => {
                let overflow = self.overflow_flag();
                let negated = self.bind_value(
                    repr,
                    format_args!("wf_neg({text}, &{overflow})"),
                    value.valid.clone(),
                );
                self.raise("OVERFLOW", &value.valid, &overflow);
                Ok(negated)
            }
            DataType::Float32 => Ok(self.bind_value(repr, format_args!("wf_negated({text})"), value.valid)),
            DataType::Float64 => Ok(self.bind_value(repr, format_args!("-{text}"), value.valid)),
            DataType::Duration(_) => {
                self.raise(
                    "OVERFLOW",
                    &value.valid,
                    format_args!("{text} == {}", smallest(repr)),
                );
                Ok(self.bind_value(repr, format_args!("(i64)((u64)0 - (u64){text})"), value.valid))
            }
            _ if data_type.is_signed_integer() => {
                let wide = if repr == Repr::I64 { "u64" } else { "u32" };
                let c_type = repr.c_type();
                Ok(self.bind_value(
                    repr,
                    format_args!("({c_type})(({wide})0 - ({wide}){text})"),
                    value.valid,
                ))
            }
            other => Err(format!("the negative of {other} is not computed on the GPU")),
        }
    }

    /// A variable for the prelude's arithmetic to say that it overflowed.
    pub(super) fn overflow_flag(&mut self) -> String {
        let name = self.name();
        self.line(format_args!("bool {name} = false;"));
        name
    }

    fn decimal_arithmetic(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: &Expr,
        right: &Expr,
    ) -> Result<Value, String> {
        let scales = decimal::Scales::of(expr, left, right)?;
        let (left, right) = (self.narrow_value(left)?, self.narrow_value(right)?);
        Ok(match operator {
            Operator::Multiply => self.decimal_product(left, right),
            Operator::Divide => self.decimal_quotient(left, right, &scales),
            Operator::Modulo => self.decimal_remainder(left, right, &scales),
            _ => self.decimal_sum(left, right, &scales, operator == Operator::Plus),
        })
    }
}

/// The smallest number of a signed type.
pub(super) fn smallest(repr: Repr) -> &'static str {
    match repr {
        Repr::I8 => "-128",
        Repr::I16 => "-32768",
        Repr::I32 => "(-2147483647 - 1)",
        _ => "(-9223372036854775807ll - 1)",
    }
}
