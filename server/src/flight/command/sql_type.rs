//! How SQL names and sizes an Arrow type, for clients that describe columns.
//!
//! Names are those that DataFusion's SQL takes in CREATE TABLE, where it has one for the type.

use arrow::datatypes::{DataType, TimeUnit};

/// How SQL describes a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlType {
    /// Its name.
    pub name: &'static str,
    /// Digits of a number, characters of a date or time as text, bytes of a value of fixed length;
    /// none where values have no fixed size.
    pub size: Option<i32>,
    /// Digits after the point, of a number or of seconds.
    pub scale: Option<i32>,
}

/// The SQL type of an Arrow type. An encoding (dictionary, runs) does not show.
pub fn of(data_type: &DataType) -> SqlType {
    match data_type {
        DataType::Dictionary(_, values) => of(values),
        DataType::RunEndEncoded(_, values) => of(values.data_type()),
        DataType::Null => plain("NULL"),
        DataType::Boolean => sized("BOOLEAN", 1),
        DataType::Int8 => whole("TINYINT", 3),
        DataType::Int16 => whole("SMALLINT", 5),
        DataType::Int32 => whole("INTEGER", 10),
        DataType::Int64 => whole("BIGINT", 19),
        DataType::UInt8 => whole("TINYINT UNSIGNED", 3),
        DataType::UInt16 => whole("SMALLINT UNSIGNED", 5),
        DataType::UInt32 => whole("INTEGER UNSIGNED", 10),
        DataType::UInt64 => whole("BIGINT UNSIGNED", 20),
        // The bits of the significand, as ODBC counts the precision of approximate numbers.
        DataType::Float16 => sized("FLOAT", 11),
        DataType::Float32 => sized("FLOAT", 24),
        DataType::Float64 => sized("DOUBLE", 53),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            scaled("DECIMAL", i32::from(*precision), i32::from(*scale))
        }
        DataType::Utf8 | DataType::Utf8View => plain("VARCHAR"),
        DataType::LargeUtf8 => plain("TEXT"),
        DataType::Binary | DataType::BinaryView => plain("BYTEA"),
        DataType::LargeBinary => plain("LONGVARBINARY"),
        DataType::FixedSizeBinary(bytes) => sized("BINARY", *bytes),
        DataType::Date32 | DataType::Date64 => scaled("DATE", 10, 0),
        DataType::Time32(unit) | DataType::Time64(unit) => time("TIME", 8, unit),
        DataType::Timestamp(unit, None) => time("TIMESTAMP", 19, unit),
        // As text, a zone such as +02:00 follows.
        DataType::Timestamp(unit, Some(_)) => time("TIMESTAMP WITH TIME ZONE", 25, unit),
        DataType::Interval(_) => plain("INTERVAL"),
        DataType::Duration(_) => plain("DURATION"),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(..) => plain("ARRAY"),
        DataType::Struct(_) => plain("STRUCT"),
        DataType::Map(..) => plain("MAP"),
        DataType::Union(..) => plain("UNION"),
    }
}

/// Whether values compare as text, upper and lower case apart.
pub fn is_text(data_type: &DataType) -> bool {
    matches!(of(data_type).name, "VARCHAR" | "TEXT")
}

fn plain(name: &'static str) -> SqlType {
    SqlType {
        name,
        size: None,
        scale: None,
    }
}

fn sized(name: &'static str, size: i32) -> SqlType {
    SqlType {
        name,
        size: Some(size),
        scale: None,
    }
}

fn scaled(name: &'static str, size: i32, scale: i32) -> SqlType {
    SqlType {
        name,
        size: Some(size),
        scale: Some(scale),
    }
}

fn whole(name: &'static str, digits: i32) -> SqlType {
    scaled(name, digits, 0)
}

/// A type of `size` characters and, after a point, the digits of its unit.
fn time(name: &'static str, size: i32, unit: &TimeUnit) -> SqlType {
    match unit {
        TimeUnit::Second => scaled(name, size, 0),
        TimeUnit::Millisecond => scaled(name, size + 4, 3),
        TimeUnit::Microsecond => scaled(name, size + 7, 6),
        TimeUnit::Nanosecond => scaled(name, size + 10, 9),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::util::display::{ArrayFormatter, FormatOptions};

    use super::*;

    #[test]
    fn sizes_are_those_of_the_text() {
        let milliseconds = arrow::array::TimestampMillisecondArray::from(vec![1]).with_timezone("+02:00");
        let array: arrow::array::ArrayRef = Arc::new(milliseconds);
        let options = FormatOptions::default().with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.3f%:z"));
        let text = ArrayFormatter::try_new(&array, &options)
            .unwrap()
            .value(0)
            .to_string();
        assert_eq!(
            of(array.data_type()).size,
            Some(i32::try_from(text.len()).unwrap()),
            "{text}"
        );
        assert_eq!(
            of(&DataType::Time64(TimeUnit::Nanosecond)).size,
            Some("12:34:56.123456789".len() as i32)
        );
        assert_eq!(
            of(&DataType::Timestamp(TimeUnit::Second, None)).size,
            Some("2024-01-01 12:34:56".len() as i32)
        );
        assert_eq!(
            of(&DataType::UInt64).size,
            Some(u64::MAX.to_string().len() as i32)
        );
        assert_eq!(of(&DataType::Int64).size, Some(i64::MAX.to_string().len() as i32));
    }

    #[test]
    fn an_encoding_does_not_show() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        assert_eq!(of(&dictionary), of(&DataType::Utf8));
        assert!(is_text(&dictionary));
        assert!(!is_text(&DataType::Binary));
    }
}
