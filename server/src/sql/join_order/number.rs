//! Values as plain numbers, so that ranges can be measured.
//!
//! In: a value of SQL. Out: a number in which order and distance are the value's: dates and times in seconds,
//! decimals with their scale. Texts and bytes have none.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

const DAY_SECONDS: f64 = 86_400.0;

/// The number of a value, if its type has one and it is not null.
pub fn of_value(value: &ScalarValue) -> Option<f64> {
    let number = match value {
        ScalarValue::Boolean(value) => f64::from(u8::from((*value)?)),
        ScalarValue::Int8(value) => f64::from((*value)?),
        ScalarValue::Int16(value) => f64::from((*value)?),
        ScalarValue::Int32(value) => f64::from((*value)?),
        ScalarValue::Int64(value) => (*value)? as f64,
        ScalarValue::UInt8(value) => f64::from((*value)?),
        ScalarValue::UInt16(value) => f64::from((*value)?),
        ScalarValue::UInt32(value) => f64::from((*value)?),
        ScalarValue::UInt64(value) => (*value)? as f64,
        ScalarValue::Float32(value) => f64::from((*value)?),
        ScalarValue::Float64(value) => (*value)?,
        ScalarValue::Decimal32(value, _, scale) => f64::from((*value)?) / power(*scale),
        ScalarValue::Decimal64(value, _, scale) => (*value)? as f64 / power(*scale),
        ScalarValue::Decimal128(value, _, scale) => (*value)? as f64 / power(*scale),
        ScalarValue::Date32(value) => f64::from((*value)?) * DAY_SECONDS,
        ScalarValue::Date64(value) => (*value)? as f64 / 1e3,
        ScalarValue::TimestampSecond(value, _) => (*value)? as f64,
        ScalarValue::TimestampMillisecond(value, _) => (*value)? as f64 / 1e3,
        ScalarValue::TimestampMicrosecond(value, _) => (*value)? as f64 / 1e6,
        ScalarValue::TimestampNanosecond(value, _) => (*value)? as f64 / 1e9,
        ScalarValue::Dictionary(_, value) => of_value(value)?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// The distance between neighbouring values of a type, if it has one.
pub fn step(data_type: &DataType) -> Option<f64> {
    match data_type {
        DataType::Boolean => Some(1.0),
        integer if integer.is_integer() => Some(1.0),
        DataType::Date32 | DataType::Date64 => Some(DAY_SECONDS),
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
            Some(1.0 / power(*scale))
        }
        DataType::Dictionary(_, values) => step(values),
        _ => None,
    }
}

fn power(scale: i8) -> f64 {
    10_f64.powi(i32::from(scale))
}
