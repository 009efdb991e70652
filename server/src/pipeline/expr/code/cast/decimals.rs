//! Casts from and to decimals. Those between decimals round half away from zero; those to integers truncate.

use arrow::datatypes::DataType;

use super::super::decimal::{constant, power};
use super::super::{Code, Value, widened};
use super::numbers::{outside, range};
use crate::batch::Repr;

const MOST_64: u128 = i64::MAX as u128;
const MOST_128: u128 = i128::MAX as u128;

fn no_scale(scale: i8) -> String {
    format!("a cast of decimals by a scale of {scale} is not run on the GPU")
}

impl Code {
    pub(super) fn cast_integer_to_decimal(
        &mut self,
        mut value: Value,
        digits: u8,
        scale: i8,
        safe: bool,
    ) -> Result<Value, String> {
        let (least, most) = range(value.repr);
        let wide = if value.repr == Repr::U64 {
            Repr::I128
        } else {
            Repr::I64
        };
        value = widened(value, wide);
        value.most = Some(least.unsigned_abs().max(most.unsigned_abs()));
        let exponent = u32::try_from(scale).map_err(|_| no_scale(scale))?;
        self.multiplied(value, exponent, digits, safe)
    }

    /// `value` times 10 to the power of `exponent`, of at most `digits` digits.
    fn multiplied(&mut self, value: Value, exponent: u32, digits: u8, safe: bool) -> Result<Value, String> {
        let limit = power(u32::from(digits)).ok_or_else(|| no_scale(exponent as i8))? - 1;
        let factor = power(exponent).ok_or_else(|| no_scale(exponent as i8))?;
        let most = value
            .most
            .and_then(|most| most.checked_mul(factor))
            .filter(|most| *most <= MOST_128);
        if most.is_some() {
            let scaled = self.scaled(value, exponent, "BAD_CAST");
            return Ok(self.limited(scaled, None, limit, safe));
        }
        let overflow = self.overflow_flag();
        let text = format!(
            "wf_mul((i128){}, (i128){}, &{overflow})",
            value.text,
            constant(factor)
        );
        let scaled = self.decimal(Repr::I128, text, value.valid, None);
        Ok(self.limited(scaled, Some(overflow), limit, safe))
    }

    /// `value` where it is not `bad` and not beyond `limit`.
    pub(in crate::pipeline::expr::code) fn limited(
        &mut self,
        value: Value,
        bad: Option<String>,
        limit: u128,
        safe: bool,
    ) -> Value {
        let text = value.text.clone();
        let beyond = value.most.is_none_or(|most| most > limit).then(|| {
            let limit = constant(limit);
            format!("{text} > {limit} || {text} < -{limit}")
        });
        let bad = match (bad, beyond) {
            (Some(bad), Some(beyond)) => format!("{bad} || {beyond}"),
            (Some(bad), None) => bad,
            (None, Some(beyond)) => beyond,
            (None, None) => return value,
        };
        let valid = self.unless(value.valid.clone(), bad, safe);
        let most = value.most.map_or(limit, |most| most.min(limit));
        let repr = if most <= MOST_64 { Repr::I64 } else { value.repr };
        let text = format!("({}){text}", repr.c_type());
        self.decimal(repr, text, valid, Some(most))
    }

    pub(super) fn cast_float_to_decimal(
        &mut self,
        value: Value,
        digits: u8,
        scale: i8,
        safe: bool,
    ) -> Result<Value, String> {
        let limit = power(u32::from(digits)).ok_or_else(|| no_scale(scale))? - 1;
        let factor = 10f64.powi(i32::from(scale)).to_bits();
        let scaled = self.bind(
            "f64",
            format_args!("round(__longlong_as_double({factor:#x}ll) * (f64){})", value.text),
        );
        // Powers of two are exact.
        let (repr, bound) = if limit <= MOST_64 {
            (Repr::I64, 63)
        } else {
            (Repr::I128, 127)
        };
        let bound = 2f64.powi(bound);
        let bad = self.bind_bool(format_args!(
            "!({scaled} >= -{bound:.1} && {scaled} < {bound:.1})"
        ));
        let c_type = repr.c_type();
        let text = format!("{bad} ? ({c_type})0 : ({c_type}){scaled}");
        let whole = self.decimal(repr, text, value.valid, None);
        Ok(self.limited(whole, Some(bad), limit, safe))
    }

    pub(super) fn cast_decimal(
        &mut self,
        value: Value,
        from: i8,
        digits: u8,
        to: i8,
        safe: bool,
    ) -> Result<Value, String> {
        let change = i32::from(to) - i32::from(from);
        if change == 0 && digits >= 38 {
            return Ok(value);
        }
        if change >= 0 {
            return self.multiplied(value, change as u32, digits, safe);
        }
        let limit = power(u32::from(digits)).ok_or_else(|| no_scale(to))? - 1;
        let divisor = power(change.unsigned_abs()).ok_or_else(|| no_scale(to))?;
        let most = value.most.unwrap_or(MOST_128 + 1) / divisor + 1;
        let divided = if value.repr == Repr::I64 && divisor <= MOST_64 {
            let text = format!("wf_div_round({}, {})", value.text, constant(divisor));
            self.decimal(Repr::I64, text, value.valid, Some(most))
        } else {
            let text = format!("wf_div_round((i128){}, (i128){})", value.text, constant(divisor));
            self.decimal(Repr::I128, text, value.valid, Some(most))
        };
        let divided = self.limited(divided, None, limit, safe);
        Ok(if most <= MOST_64 {
            widened(divided, Repr::I64)
        } else {
            divided
        })
    }

    pub(super) fn cast_decimal_to_number(
        &mut self,
        value: Value,
        scale: i8,
        to: &DataType,
        safe: bool,
    ) -> Result<Value, String> {
        let to = Self::repr_of(to)?;
        let (text, c_type) = (value.text.clone(), to.c_type());
        if matches!(to, Repr::F32 | Repr::F64) {
            let divisor = 10f64.powi(i32::from(scale)).to_bits();
            let text = format!("({c_type})((f64){text} / __longlong_as_double({divisor:#x}ll))");
            return Ok(self.bind_value(to, text, value.valid));
        }
        let exponent = u32::try_from(scale).map_err(|_| no_scale(scale))?;
        let divisor = power(exponent).ok_or_else(|| no_scale(scale))?;
        let whole = match exponent {
            0 => text,
            _ if value.repr == Repr::I64 && divisor > MOST_64 => "0ll".to_owned(),
            _ => self.bind(
                value.repr.c_type(),
                format_args!("{text} / {}", constant(divisor)),
            ),
        };
        // Bounds of 64 bits unsigned are compared as 128 bits.
        let most = value.most.map_or(i128::MAX, |most| (most / divisor) as i128);
        let compared = if to == Repr::U64 {
            format!("(i128){whole}")
        } else {
            whole.clone()
        };
        let Some(bad) = outside(&compared, (-most, most), range(to)) else {
            return Ok(self.bind_value(to, format_args!("({c_type}){whole}"), value.valid));
        };
        let valid = self.unless(value.valid, bad, safe);
        Ok(self.bind_value(to, format_args!("({c_type}){whole}"), valid))
    }
}
