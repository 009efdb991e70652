//! Arrays of every type, sliced and with nulls, come back as they went.

use arrow::array::*;
use arrow::compute::cast;
use arrow::datatypes::TimeUnit;

use super::*;
use crate::batch::testing::{downloaded, sim};

const ROWS: usize = 1000;

/// Rows that are null in `share` of `of` cases.
fn numbers(of: usize, share: usize) -> Int64Array {
    (0..ROWS)
        .map(|row| {
            let value = (row as i64 * 7919) % 1000 - 500;
            (row * 31 % of >= share).then_some(value)
        })
        .collect()
}

fn types() -> Vec<DataType> {
    use DataType::*;
    vec![
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float32,
        Float64,
        Date32,
        Date64,
        Time32(TimeUnit::Second),
        Time64(TimeUnit::Microsecond),
        Timestamp(TimeUnit::Millisecond, None),
        Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Duration(TimeUnit::Second),
        Decimal32(9, 2),
        Decimal64(18, 2),
        Decimal128(10, 2),
        Decimal128(18, 0),
        Decimal128(19, 0),
        Decimal128(38, 4),
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
    ]
}

fn of_type(numbers: &Int64Array, data_type: &DataType) -> ArrayRef {
    // Values that all types hold, except where the sign is cut off: those become null.
    let narrow: Int64Array = numbers.unary(|value| value.abs() % 100);
    match data_type {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            cast(&of_type(numbers, &DataType::Utf8), data_type)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts: StringArray = numbers
                .iter()
                .map(|value| value.map(|v| "ü".repeat(v.unsigned_abs() as usize % 30)))
                .collect();
            cast(&texts, data_type)
        }
        DataType::Date32 | DataType::Time32(_) => cast(&cast(&narrow, &DataType::Int32).unwrap(), data_type),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 | DataType::Int8 => {
            cast(&narrow, data_type)
        }
        DataType::Time64(_) => cast(&narrow, data_type),
        DataType::Decimal128(38, 4) => {
            let wide: Decimal128Array = numbers.unary(|value| i128::from(value) << 80);
            Ok(Arc::new(wide.with_precision_and_scale(38, 4).unwrap()) as ArrayRef)
        }
        _ => cast(numbers, data_type),
    }
    .unwrap()
}

#[test]
fn every_type_survives_the_way() {
    let device = sim(1);
    let stream = device.stream().unwrap();
    for data_type in types() {
        for (of, share) in [(1, 0), (3, 1), (1, 1)] {
            let whole = of_type(&numbers(of, share), &data_type);
            for (offset, len) in [(0, ROWS), (0, 0), (1, 64), (37, 500), (32, 33), (999, 1)] {
                let array = whole.slice(offset, len);
                let bytes = upload_bytes(&array);
                let reservation = device.reserve(bytes).unwrap();
                let column = upload(&array, &stream, &reservation).unwrap();
                assert_eq!(
                    reservation.used_bytes(),
                    bytes,
                    "{data_type}: what was said is what is drawn"
                );
                let back = downloaded(&column, len, &stream);
                assert_eq!(
                    &back, &array,
                    "{data_type} nulls {share} of {of} rows {offset}..+{len}"
                );
                assert_eq!(column.validity.is_some(), array.null_count() > 0);
            }
        }
    }
}

#[test]
fn pieces_of_large_columns_meet() {
    let device = sim(2);
    let stream = device.stream().unwrap();
    let rows = 17 << 17;
    let array: Decimal128Array = (0..rows).map(|row| (row % 7 > 0).then_some(row)).collect();
    let array = array.with_precision_and_scale(20, 0).unwrap();
    let reservation = device.reserve(upload_bytes(&array)).unwrap();
    let column = upload(&array, &stream, &reservation).unwrap();
    let back = downloaded(&column, rows as usize, &stream);
    assert_eq!(back.as_ref(), &array as &dyn Array);
}

#[test]
fn what_has_no_form_is_refused() {
    let device = sim(3);
    let stream = device.stream().unwrap();
    let reservation = device.reserve(1 << 20).unwrap();
    let refused = upload(&NullArray::new(3), &stream, &reservation).unwrap_err();
    assert_eq!(refused.message(), "type Null has no form on the device");
    let too_large = Decimal128Array::from(vec![1i128 << 70])
        .with_precision_and_scale(18, 0)
        .unwrap();
    let refused = upload(&too_large, &stream, &reservation).unwrap_err();
    assert_eq!(refused.kind(), crate::error::Kind::Data);
}
