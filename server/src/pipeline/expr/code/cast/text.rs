//! Casts from and to text. Those to text take room.

use arrow::datatypes::DataType;

use super::super::{Code, Value, widened};
use super::numbers::range;
use crate::batch::Repr;

impl Code {
    pub(super) fn cast_to_text(
        &mut self,
        value: Value,
        from: &DataType,
        to: &DataType,
    ) -> Result<Value, String> {
        let text = value.text.clone();
        let call = match from {
            DataType::Boolean => format!("wf_text_of_bool(heap, {text})"),
            number if number.is_integer() && value.repr == Repr::U64 => {
                format!("wf_text_of(heap, (u128){text}, false, 0u)")
            }
            number if number.is_integer() => {
                format!("wf_text_of(heap, (u128)({text} < 0 ? -(i128){text} : (i128){text}), {text} < 0, 0u)")
            }
            DataType::Decimal128(digits, scale) if *scale >= 0 && *digits < 38 => {
                let wide = widened(value.clone(), Repr::I128).text;
                format!("wf_text_of(heap, (u128)({text} < 0 ? -{wide} : {wide}), {text} < 0, {scale}u)")
            }
            DataType::Date32 => {
                self.raise("BAD_CAST", &value.valid, format_args!("!wf_is_date({text})"));
                format!("wf_text_of_date(heap, {text})")
            }
            _ => return Err(Self::no_cast(from, to)),
        };
        self.effects += 1;
        let when = value
            .valid
            .as_ref()
            .map(|valid| format!(" && {valid}"))
            .unwrap_or_default();
        let made = format!("active{when} ? {call} : WfStringRef{{0ull, 0u, 0u}}");
        Ok(self.bind_value(Repr::Str, made, value.valid))
    }

    pub(super) fn cast_from_text(
        &mut self,
        value: Value,
        from: &DataType,
        to: &DataType,
        safe: bool,
    ) -> Result<Value, String> {
        let repr = Self::repr_of(to)?;
        let c_type = repr.c_type();
        let text = value.text.clone();
        self.effects += 1;
        match to {
            integer if integer.is_integer() => {
                let (least, most) = range(repr);
                let bad = self.overflow_flag();
                let call = format!("wf_parse({text}, {}ull, {most}ull, &{bad})", least.unsigned_abs());
                let parsed = self.bind_value(repr, format_args!("({c_type}){call}"), value.valid.clone());
                let valid = self.unless(value.valid, bad, safe);
                Ok(Value { valid, ..parsed })
            }
            DataType::Date32 => {
                let (bad, other) = (self.overflow_flag(), self.overflow_flag());
                let call = format!("wf_parse_date({text}, &{bad}, &{other})");
                let parsed = self.bind_value(repr, call, value.valid.clone());
                self.raise("FALLBACK", &value.valid, &other);
                let valid = self.unless(value.valid, bad, safe);
                Ok(Value { valid, ..parsed })
            }
            _ => Err(Self::no_cast(from, to)),
        }
    }
}
