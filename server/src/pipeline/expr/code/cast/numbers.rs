//! Casts between integers and floating-point numbers.

use arrow::datatypes::DataType;

use super::super::{Code, Value};
use crate::batch::Repr;

/// The smallest and largest number of an integer type.
pub(super) fn range(repr: Repr) -> (i128, i128) {
    match repr {
        Repr::I8 => (i8::MIN.into(), i8::MAX.into()),
        Repr::I16 => (i16::MIN.into(), i16::MAX.into()),
        Repr::I32 => (i32::MIN.into(), i32::MAX.into()),
        Repr::U8 => (0, u8::MAX.into()),
        Repr::U16 => (0, u16::MAX.into()),
        Repr::U32 => (0, u32::MAX.into()),
        Repr::U64 => (0, u64::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    }
}

/// An integer as C++ text.
fn integer(value: i128) -> String {
    if value == i128::from(i64::MIN) {
        "(-9223372036854775807ll - 1)".to_owned()
    } else if value > i128::from(i64::MAX) {
        format!("{value}ull")
    } else {
        format!("{value}ll")
    }
}

/// What is true of a `text` between `least` and `most` that lies outside of `range`.
pub(super) fn outside(text: &str, (least, most): (i128, i128), range: (i128, i128)) -> Option<String> {
    let below = (least < range.0).then(|| format!("{text} < {}", integer(range.0)));
    let above = (most > range.1).then(|| format!("{text} > {}", integer(range.1)));
    match (below, above) {
        (Some(below), Some(above)) => Some(format!("{below} || {above}")),
        (below, above) => below.or(above),
    }
}

impl Code {
    pub(super) fn cast_number(&mut self, value: Value, to: &DataType, safe: bool) -> Result<Value, String> {
        let to = Self::repr_of(to)?;
        let (text, c_type) = (&value.text, to.c_type());
        match (value.repr, to) {
            (Repr::F32, Repr::F64) => {
                return Ok(self.bind_value(to, format_args!("wf_widened({text})"), value.valid));
            }
            (Repr::F64, Repr::F32) => {
                return Ok(self.bind_value(to, format_args!("wf_narrowed({text})"), value.valid));
            }
            _ => {}
        }
        if matches!(to, Repr::F32 | Repr::F64) {
            return Ok(self.bind_value(to, format_args!("({c_type}){text}"), value.valid));
        }
        let (least, most) = range(to);
        let bad = if matches!(value.repr, Repr::F32 | Repr::F64) {
            // Truncated first; of 64-bit integers only powers of two are sure to be floating-point numbers. False for
            // NaN in either form.
            let wide = format!("(f64){text}");
            let above = format!("{wide} < {:.1}", (most + 1) as f64);
            Some(if to == Repr::I64 {
                format!("!({wide} >= {:.1} && {above})", least as f64)
            } else {
                format!("!({wide} > {:.1} && {above})", (least - 1) as f64)
            })
        } else {
            // A signed number is not compared to an unsigned one: the bound has the value's own sign.
            outside(text, range(value.repr), (least, most))
        };
        let Some(bad) = bad else {
            return Ok(self.bind_value(to, format_args!("({c_type}){text}"), value.valid));
        };
        let bad = self.bind_bool(bad);
        let cast = format!("{bad} ? ({c_type})0 : ({c_type}){text}");
        let valid = self.unless(value.valid, bad, safe);
        Ok(self.bind_value(to, cast, valid))
    }
}
