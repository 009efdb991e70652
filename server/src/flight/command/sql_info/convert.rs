//! Code 517: which types CAST turns into which.

use std::collections::BTreeMap;

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use arrow_flight::sql::SqlSupportsConvert::{
    self, SqlConvertBigint, SqlConvertBinary, SqlConvertBit, SqlConvertChar, SqlConvertDate,
    SqlConvertDecimal, SqlConvertFloat, SqlConvertInteger, SqlConvertIntervalDayTime,
    SqlConvertIntervalYearMonth, SqlConvertLongvarbinary, SqlConvertLongvarchar, SqlConvertNumeric,
    SqlConvertReal, SqlConvertSmallint, SqlConvertTime, SqlConvertTimestamp, SqlConvertTinyint,
    SqlConvertVarbinary, SqlConvertVarchar,
};

/// The types that have a code, and what DataFusion makes of them.
const TYPES: [(SqlSupportsConvert, DataType); 20] = [
    (SqlConvertBigint, DataType::Int64),
    (SqlConvertBinary, DataType::Binary),
    (SqlConvertBit, DataType::Boolean),
    (SqlConvertChar, DataType::Utf8),
    (SqlConvertDate, DataType::Date32),
    (SqlConvertDecimal, DataType::Decimal128(38, 10)),
    (SqlConvertFloat, DataType::Float32),
    (SqlConvertInteger, DataType::Int32),
    (
        SqlConvertIntervalDayTime,
        DataType::Interval(IntervalUnit::MonthDayNano),
    ),
    (
        SqlConvertIntervalYearMonth,
        DataType::Interval(IntervalUnit::MonthDayNano),
    ),
    (SqlConvertLongvarbinary, DataType::LargeBinary),
    (SqlConvertLongvarchar, DataType::LargeUtf8),
    (SqlConvertNumeric, DataType::Decimal128(38, 10)),
    (SqlConvertReal, DataType::Float32),
    (SqlConvertSmallint, DataType::Int16),
    (SqlConvertTime, DataType::Time64(TimeUnit::Nanosecond)),
    (
        SqlConvertTimestamp,
        DataType::Timestamp(TimeUnit::Nanosecond, None),
    ),
    (SqlConvertTinyint, DataType::Int8),
    (SqlConvertVarbinary, DataType::Binary),
    (SqlConvertVarchar, DataType::Utf8),
];

/// For each type's code, the codes of those that it can be cast to: DataFusion's casts are Arrow's.
pub fn supported() -> BTreeMap<i32, Vec<i32>> {
    let targets = |from: &DataType| {
        let castable = TYPES.iter().filter(|(_, to)| can_cast_types(from, to));
        castable.map(|(code, _)| *code as i32).collect()
    };
    TYPES
        .iter()
        .map(|(code, from)| (*code as i32, targets(from)))
        .collect()
}
