//! Arithmetic of decimals. Arrow computes all of it in 128 bits and fails where they overflow. Here every value comes
//! with the largest size that it can have, from the precision of columns and the digits of constants: where that
//! fits, 64 bits are enough, and where it fits 128 bits, there is nothing to check.

use arrow::datatypes::DataType;

use super::{Code, Value, widened};
use crate::batch::Repr;
use crate::pipeline::expr::Expr;

const MOST_64: u128 = i64::MAX as u128;
const MOST_128: u128 = i128::MAX as u128;

/// The largest absolute value of a type of decimals. Of 38 digits nothing is known: sums may exceed them.
pub(super) fn most_of(data_type: &DataType) -> Option<u128> {
    match data_type {
        DataType::Decimal32(digits, _) | DataType::Decimal64(digits, _) => {
            Some(power(u32::from(*digits))? - 1)
        }
        DataType::Decimal128(digits, _) if *digits < 38 => Some(power(u32::from(*digits))? - 1),
        _ => None,
    }
}

/// 10 to the power of `exponent`, if 128 bits hold it.
pub(super) fn power(exponent: u32) -> Option<u128> {
    10u128.checked_pow(exponent).filter(|power| *power <= MOST_128)
}

/// A number as C++ text.
pub(super) fn constant(value: u128) -> String {
    if value <= MOST_64 {
        return format!("{value}ll");
    }
    format!("(i128)((u128){}ull << 64 | {}ull)", value >> 64, value as u64)
}

/// By what powers of ten the operands of an operation are multiplied.
pub(super) struct Scales {
    /// For sums and remainders.
    left: u32,
    right: u32,
    /// For the dividend.
    quotient: u32,
}

impl Scales {
    pub(super) fn of(expr: &Expr, left: &Expr, right: &Expr) -> Result<Self, String> {
        let scale = |expr: &Expr| match expr.data_type {
            DataType::Decimal128(_, scale) if scale >= 0 => Ok(i32::from(scale)),
            _ => Err(format!("arithmetic of {} is not run on the GPU", expr.data_type)),
        };
        let (left, right, result) = (scale(left)?, scale(right)?, scale(expr)?);
        let larger = left.max(right);
        let quotient = u32::try_from(result - left + right)
            .map_err(|_| format!("a quotient of scale {result} is not computed on the GPU"));
        Ok(Self {
            left: (larger - left) as u32,
            right: (larger - right) as u32,
            quotient: quotient.unwrap_or(0),
        })
    }
}

/// The size of a product, if 128 bits hold it.
fn product(left: Option<u128>, right: Option<u128>) -> Option<u128> {
    left?.checked_mul(right?).filter(|most| *most <= MOST_128)
}

fn fits_64(most: Option<u128>) -> bool {
    most.is_some_and(|most| most <= MOST_64)
}

impl Value {
    /// The same as an operand of what is valid where `valid` says so: only there it may raise.
    fn with_valid(self, valid: &Option<String>) -> Self {
        Self {
            valid: valid.clone(),
            ..self
        }
    }
}

impl Code {
    pub(super) fn decimal(
        &mut self,
        repr: Repr,
        text: String,
        valid: Option<String>,
        most: Option<u128>,
    ) -> Value {
        let mut value = self.bind_value(repr, text, valid);
        value.most = most;
        value
    }

    /// `value` times 10 to the power of `exponent`; what does not fit 128 bits is raised as `flag`.
    pub(super) fn scaled(&mut self, value: Value, exponent: u32, flag: &str) -> Value {
        if exponent == 0 {
            return value;
        }
        let factor = power(exponent).unwrap_or(MOST_128);
        let most = product(value.most, Some(factor));
        if fits_64(most) && value.repr == Repr::I64 {
            let text = format!("{} * {}", value.text, constant(factor));
            return self.decimal(Repr::I64, text, value.valid, most);
        }
        if most.is_some() {
            let text = format!("(i128){} * {}", value.text, constant(factor));
            return self.decimal(Repr::I128, text, value.valid, most);
        }
        let overflow = self.overflow_flag();
        let text = format!(
            "wf_mul((i128){}, (i128){}, &{overflow})",
            value.text,
            constant(factor)
        );
        let scaled = self.decimal(Repr::I128, text, value.valid.clone(), None);
        self.raise(flag, &value.valid, &overflow);
        scaled
    }

    pub(super) fn decimal_sum(&mut self, left: Value, right: Value, scales: &Scales, plus: bool) -> Value {
        let valid = self.both(&left.valid, &right.valid);
        let left = self.scaled(left.with_valid(&valid), scales.left, "OVERFLOW");
        let right = self.scaled(right.with_valid(&valid), scales.right, "OVERFLOW");
        let most = match (left.most, right.most) {
            (Some(left), Some(right)) => left.checked_add(right).filter(|most| *most <= MOST_128),
            _ => None,
        };
        let (a, b, symbol) = (&left.text, &right.text, if plus { '+' } else { '-' });
        if fits_64(most) && left.repr == Repr::I64 && right.repr == Repr::I64 {
            return self.decimal(Repr::I64, format!("{a} {symbol} {b}"), valid, most);
        }
        let takes_narrow = !plus && right.repr == Repr::I64;
        if most.is_some() {
            let text = match takes_narrow {
                true => format!("wf_minus((i128){a}, {b})"),
                false => format!("(i128){a} {symbol} (i128){b}"),
            };
            return self.decimal(Repr::I128, text, valid, most);
        }
        let overflow = self.overflow_flag();
        let text = match (plus, takes_narrow) {
            (true, _) => format!("wf_add<i128>((i128){a}, (i128){b}, &{overflow})"),
            (false, true) => format!("wf_minus((i128){a}, {b}, &{overflow})"),
            (false, false) => format!("wf_sub<i128>((i128){a}, (i128){b}, &{overflow})"),
        };
        let sum = self.decimal(Repr::I128, text, valid.clone(), None);
        self.raise("OVERFLOW", &valid, &overflow);
        sum
    }

    pub(super) fn decimal_product(&mut self, left: Value, right: Value) -> Value {
        let valid = self.both(&left.valid, &right.valid);
        let most = product(left.most, right.most);
        let (a, b) = (&left.text, &right.text);
        let narrow = left.repr == Repr::I64 && right.repr == Repr::I64;
        if narrow && fits_64(most) {
            return self.decimal(Repr::I64, format!("{a} * {b}"), valid, most);
        }
        // Two factors of 64 bits have a product of 128 whatever they are.
        if narrow || most.is_some() {
            return self.decimal(Repr::I128, format!("(i128){a} * (i128){b}"), valid, most);
        }
        let overflow = self.overflow_flag();
        let text = format!("wf_mul((i128){a}, (i128){b}, &{overflow})");
        let result = self.decimal(Repr::I128, text, valid.clone(), None);
        self.raise("OVERFLOW", &valid, &overflow);
        result
    }

    pub(super) fn decimal_quotient(&mut self, left: Value, right: Value, scales: &Scales) -> Value {
        let valid = self.both(&left.valid, &right.valid);
        self.raise("DIVISION_BY_ZERO", &valid, format_args!("{} == 0", right.text));
        let left = self.scaled(left.with_valid(&valid), scales.quotient, "OVERFLOW");
        let (a, b) = (&left.text, &right.text);
        if fits_64(left.most) && left.repr == Repr::I64 && right.repr == Repr::I64 {
            let text = format!("{b} == 0 ? 0ll : {a} / {b}");
            return self.decimal(Repr::I64, text, valid, left.most);
        }
        let wide = format!("(i128){a} / (i128){b}");
        if left.most.is_some() {
            return self.decimal(
                Repr::I128,
                format!("{b} == 0 ? (i128)0 : {wide}"),
                valid,
                left.most,
            );
        }
        let overflow = self.overflow_flag();
        let by_zero = self.overflow_flag();
        let text = format!("wf_div<i128>((i128){a}, (i128){b}, &{overflow}, &{by_zero})");
        let quotient = self.decimal(Repr::I128, text, valid.clone(), None);
        self.raise("OVERFLOW", &valid, &overflow);
        quotient
    }

    pub(super) fn decimal_remainder(&mut self, left: Value, right: Value, scales: &Scales) -> Value {
        let valid = self.both(&left.valid, &right.valid);
        self.raise("DIVISION_BY_ZERO", &valid, format_args!("{} == 0", right.text));
        let left = self.scaled(left.with_valid(&valid), scales.left, "OVERFLOW");
        let right = self.scaled(right.with_valid(&valid), scales.right, "OVERFLOW");
        // Not larger than either.
        let most = match (left.most, right.most) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (one, other) => one.or(other),
        };
        let (a, b) = (&left.text, &right.text);
        if left.repr == Repr::I64 && right.repr == Repr::I64 {
            let text = format!("{b} == 0 || {b} == -1 ? 0ll : {a} % {b}");
            return self.decimal(Repr::I64, text, valid, most);
        }
        if left.most.is_none() {
            // Arrow's checked remainder fails here, although it is 0.
            let smallest = format!("{b} == -1 && (i128){a} == (i128)((u128)1 << 127)");
            self.raise("OVERFLOW", &valid, smallest);
        }
        let text = format!("{b} == 0 || {b} == -1 ? (i128)0 : (i128){a} % (i128){b}");
        let result = self.decimal(Repr::I128, text, valid, most);
        // A narrow operand leaves a narrow remainder.
        if fits_64(most) {
            widened(result, Repr::I64)
        } else {
            result
        }
    }
}
