//! Constants: slots of the block of literals, so that the text does not depend on them. Of a decimal, the number of
//! digits decides in how many bits is computed, and only so far does it show in the text.

use datafusion::common::ScalarValue;

use super::{Code, Value, block};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Node};

/// The bytes of a constant that is not null, in its form on the device; `None` for types that it does not take.
pub(super) fn bytes_of(value: &ScalarValue) -> Option<Vec<u8>> {
    macro_rules! number {
        ($value:expr) => {
            Some($value.to_le_bytes().to_vec())
        };
    }
    match value {
        ScalarValue::Boolean(Some(value)) => Some(vec![u8::from(*value)]),
        ScalarValue::Int8(Some(value)) => number!(value),
        ScalarValue::Int16(Some(value)) => number!(value),
        ScalarValue::Int32(Some(value)) => number!(value),
        ScalarValue::Int64(Some(value)) => number!(value),
        ScalarValue::UInt8(Some(value)) => number!(value),
        ScalarValue::UInt16(Some(value)) => number!(value),
        ScalarValue::UInt32(Some(value)) => number!(value),
        ScalarValue::UInt64(Some(value)) => number!(value),
        ScalarValue::Float32(Some(value)) => number!(value),
        ScalarValue::Float64(Some(value)) => number!(value),
        ScalarValue::Date32(Some(value)) => number!(value),
        ScalarValue::Date64(Some(value)) => number!(value),
        ScalarValue::Time32Second(Some(value)) | ScalarValue::Time32Millisecond(Some(value)) => {
            number!(value)
        }
        ScalarValue::Time64Microsecond(Some(value)) | ScalarValue::Time64Nanosecond(Some(value)) => {
            number!(value)
        }
        ScalarValue::TimestampSecond(Some(value), _)
        | ScalarValue::TimestampMillisecond(Some(value), _)
        | ScalarValue::TimestampMicrosecond(Some(value), _)
        | ScalarValue::TimestampNanosecond(Some(value), _) => number!(value),
        ScalarValue::DurationSecond(Some(value))
        | ScalarValue::DurationMillisecond(Some(value))
        | ScalarValue::DurationMicrosecond(Some(value))
        | ScalarValue::DurationNanosecond(Some(value)) => number!(value),
        ScalarValue::Decimal32(Some(value), ..) => number!(i128::from(*value)),
        ScalarValue::Decimal64(Some(value), ..) => number!(i128::from(*value)),
        ScalarValue::Decimal128(Some(value), ..) => number!(value),
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)) => Some(text.clone().into_bytes()),
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes)) => Some(bytes.clone()),
        _ => None,
    }
}

/// The text of an expression that is a string constant; `None` if it is null or anything else.
pub(super) fn constant_text(expr: &Expr) -> Option<&str> {
    match &expr.node {
        Node::Literal(constant) => text_of(constant),
        _ => None,
    }
}

/// The text of a string constant; `None` if it is null or no string.
pub(super) fn text_of(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)) => Some(text),
        _ => None,
    }
}

impl Code {
    pub(super) fn literal(&mut self, value: &ScalarValue) -> Result<Value, String> {
        let data_type = value.data_type();
        let repr = Repr::of(&data_type)
            .ok_or_else(|| format!("a constant of type {data_type} is not held on the GPU"))?;
        if value.is_null() {
            return Ok(Self::null(repr));
        }
        let bytes = bytes_of(value)
            .ok_or_else(|| format!("a constant of type {data_type} is not held on the GPU"))?;
        if repr == Repr::Str {
            let offset = self.literals.bytes_of(&bytes, bytes.len());
            return Ok(self.bind_value(repr, block::load(repr, offset), None));
        }
        let (mut repr, mut most) = (repr, None);
        if let ScalarValue::Decimal128(Some(value), ..) = value {
            let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
            most = 10u128.checked_pow(digits).map(|power| power - 1);
            if digits <= 18 {
                repr = Repr::I64;
            }
        } else if matches!(value, ScalarValue::Decimal32(..) | ScalarValue::Decimal64(..)) {
            most = super::decimal::most_of(&data_type);
        }
        let offset = self.literals.value(&bytes);
        let mut value = self.bind_value(repr, block::load(repr, offset), None);
        value.most = most;
        Ok(value)
    }

    /// A value that is always null.
    pub(super) fn null(repr: Repr) -> Value {
        let text = match repr {
            Repr::Bool => "false".to_owned(),
            Repr::Str => "WfStringRef{0ull, 0u, 0u}".to_owned(),
            other => format!("(({})0)", other.c_type()),
        };
        Value {
            text,
            valid: Some("false".to_owned()),
            repr,
            most: Some(0),
        }
    }
}
