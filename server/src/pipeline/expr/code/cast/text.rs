//! Casts from and to text. Those to text take room.

use arrow::datatypes::DataType;

use super::super::decimal::power;
use super::super::{Code, Value, widened};
use super::numbers::range;
use super::powers::powers;
use super::{DAY_SECONDS, units};
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
            DataType::Float32 | DataType::Float64 => {
                let slot = self.literals.bytes_of(powers(), powers().len());
                let width = if value.repr == Repr::F32 { "f32" } else { "f64" };
                format!("wf_text_of_{width}(heap, wf_powers(literals, {slot}u), {text})")
            }
            DataType::Date32 => {
                self.raise("BAD_CAST", &value.valid, format_args!("!wf_is_date({text})"));
                format!("wf_text_of_date(heap, {text})")
            }
            DataType::Timestamp(unit, None) => {
                let units = units(unit);
                let (day, nanos) = self.day_and_nanos(&text, units);
                self.raise("BAD_CAST", &value.valid, format_args!("!wf_is_date({day})"));
                format!("wf_text_of_timestamp(heap, {day}, {nanos})")
            }
            DataType::Time32(unit) | DataType::Time64(unit) => {
                let units = units(unit);
                let bad = format!("{text} < 0 || {text} >= {}ll", DAY_SECONDS * units);
                self.raise("FALLBACK", &value.valid, bad);
                format!("wf_text_of_time(heap, (i64){text} * {}ll)", 1_000_000_000 / units)
            }
            _ => return Err(Self::no_cast(from, to)),
        };
        Ok(self.made(value.valid, &call))
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
        let (bad, other) = (self.overflow_flag(), self.overflow_flag());
        let call = match to {
            integer if integer.is_integer() => {
                let (least, most) = range(repr);
                format!(
                    "({c_type})wf_parse({text}, {}ull, {most}ull, &{bad})",
                    least.unsigned_abs()
                )
            }
            DataType::Boolean => format!("wf_parse_bool({text}, &{bad}, &{other})"),
            DataType::Float64 => format!("wf_parse_f64({text}, &{bad}, &{other})"),
            DataType::Float32 => format!("wf_parse_f32({text}, &{bad}, &{other})"),
            DataType::Date32 => format!("wf_parse_date({text}, &{bad}, &{other})"),
            DataType::Timestamp(unit, None) => {
                format!("wf_parse_timestamp({text}, {}ll, &{bad}, &{other})", units(unit))
            }
            DataType::Decimal128(digits, scale) if *scale >= 0 => {
                return self.decimal_of_text(value, (*digits, *scale), [bad, other], safe);
            }
            _ => return Err(Self::no_cast(from, to)),
        };
        let parsed = self.bind_value(repr, &call, value.valid);
        if call.contains(&other) {
            self.raise("FALLBACK", &parsed.valid, &other);
        }
        let valid = self.unless(parsed.valid.clone(), bad, safe);
        Ok(Value { valid, ..parsed })
    }

    fn decimal_of_text(
        &mut self,
        text: Value,
        (digits, scale): (u8, i8),
        [bad, other]: [String; 2],
        safe: bool,
    ) -> Result<Value, String> {
        let limit = power(u32::from(digits)).ok_or("decimals of such a precision are not held on the GPU")?;
        let call = format!("wf_parse_decimal({}, {scale}u, &{bad}, &{other})", text.text);
        let parsed = self.decimal(Repr::I128, call, text.valid, None);
        self.raise("FALLBACK", &parsed.valid, &other);
        Ok(self.limited(parsed, Some(bad), limit - 1, safe))
    }

    /// The day of a timestamp, and the nanoseconds since it began.
    pub(in super::super) fn day_and_nanos(&mut self, text: &str, units: i64) -> (String, String) {
        let per_day = units * DAY_SECONDS;
        let day = self.bind("i64", format_args!("wf_floor_div({text}, {per_day}ll)"));
        let nanos = self.bind(
            "i64",
            format_args!(
                "(i64)((u64){text} - (u64){day} * {per_day}ull) * {}ll",
                1_000_000_000 / units
            ),
        );
        (day, nanos)
    }
}
