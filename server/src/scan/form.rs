//! How a column of a file becomes a column of the table.
//!
//! In: the column as Parquet describes it, its type in the file and in the table. Out: what the device decoder is told,
//! or why it does not take the column. It knows neither pages nor row groups.

use arrow::datatypes::{DataType, TimeUnit};
use kernels::parquet::{Conversion, Encoding};
use parquet::basic::Type as PhysicalType;
use parquet::schema::types::ColumnDescriptor;

use crate::batch::Repr;

/// What the device decoder is told of a column of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) conversion: Conversion,
    /// Bytes of a value in plain pages; 0 for strings.
    pub(super) source_bytes: u32,
    /// Bytes of a value on the device; 0 for booleans.
    pub(super) output_bytes: u32,
    /// Definition level of a value that is there: 0 or 1.
    pub(super) max_level: u32,
    physical: PhysicalType,
}

impl Form {
    /// How values of type `file` become values of type `table`.
    ///
    /// # Errors
    /// Why the device does not do it, in words.
    pub(super) fn of(descr: &ColumnDescriptor, file: &DataType, table: &DataType) -> Result<Self, String> {
        if descr.path().parts().len() != 1 || descr.max_rep_level() > 0 || descr.max_def_level() > 1 {
            return Err("it is nested in the file".to_owned());
        }
        let physical = descr.physical_type();
        let output = Repr::of(table).map_or(0, Repr::width) as u32;
        let (conversion, source_bytes) = match (physical, target(file, table)) {
            (PhysicalType::BOOLEAN, Some(Target::Same)) if *table == DataType::Boolean => {
                (Conversion::Boolean, 1)
            }
            (PhysicalType::INT32, Some(_)) if is_plain_int32(table) => (Conversion::Signed, 4),
            (PhysicalType::INT64, Some(_)) if is_plain_int64(table) => (Conversion::Signed, 8),
            (PhysicalType::INT96, Some(Target::Same)) if is_nanoseconds(table) => (Conversion::Int96, 12),
            (PhysicalType::FLOAT, Some(Target::Same)) if *table == DataType::Float32 => (Conversion::Same, 4),
            (PhysicalType::DOUBLE, Some(Target::Same)) if *table == DataType::Float64 => {
                (Conversion::Same, 8)
            }
            (PhysicalType::BYTE_ARRAY, Some(Target::Text)) => (Conversion::String, 0),
            (PhysicalType::FIXED_LEN_BYTE_ARRAY, Some(_)) if table.is_decimal() => {
                let length = u32::try_from(descr.type_length()).unwrap_or(0);
                if !(1..=32).contains(&length) {
                    return Err(format!("its values have {length} bytes"));
                }
                (Conversion::BigEndian, length)
            }
            _ if file == table => return Err(format!("{file} is held as {physical} in the file")),
            _ => return Err(format!("the file has {file}, the table {table}")),
        };
        Ok(Self {
            conversion,
            source_bytes,
            output_bytes: output,
            max_level: u32::try_from(descr.max_def_level()).unwrap_or(0),
            physical,
        })
    }

    pub(super) fn is_string(&self) -> bool {
        self.conversion == Conversion::String
    }

    /// The device decoder's name for Parquet's encoding of a data page, where it takes it for this column.
    pub(super) fn encoding(&self, number: i32) -> Option<Encoding> {
        let integer = matches!(self.physical, PhysicalType::INT32 | PhysicalType::INT64);
        let boolean = self.conversion == Conversion::Boolean;
        let fixed = self.physical == PhysicalType::FIXED_LEN_BYTE_ARRAY;
        match number {
            0 => Some(Encoding::Plain),
            2 | 8 if !boolean => Some(Encoding::Dictionary),
            3 if boolean => Some(Encoding::RunLength),
            5 if integer => Some(Encoding::DeltaBinaryPacked),
            6 if self.is_string() => Some(Encoding::DeltaLengthByteArray),
            7 if self.is_string() || fixed => Some(Encoding::DeltaByteArray),
            9 if !boolean && !self.is_string() && self.source_bytes <= 16 => Some(Encoding::ByteStreamSplit),
            _ => None,
        }
    }
}

/// What lies between a file's type and the table's.
enum Target {
    /// Nothing.
    Same,
    /// The table's type holds all values, with the same meaning.
    Wider,
    /// Both are bytes elsewhere.
    Text,
}

fn target(file: &DataType, table: &DataType) -> Option<Target> {
    use DataType::{
        Binary, BinaryView, Decimal32, Decimal64, Decimal128, Dictionary, Int8, Int16, Int32, Int64,
        LargeBinary, LargeUtf8, Utf8, Utf8View,
    };
    match (file, table) {
        (Dictionary(_, values), _) => target(values, table),
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView)
        | (Binary | LargeBinary | BinaryView, Binary | LargeBinary | BinaryView) => Some(Target::Text),
        // A time zone says how an instant is shown, not which it is.
        (DataType::Timestamp(unit, Some(_)), DataType::Timestamp(same, Some(_))) if unit == same => {
            Some(Target::Same)
        }
        _ if file == table => Some(Target::Same),
        (Int8, Int16 | Int32 | Int64) | (Int16, Int32 | Int64) | (Int32, Int64) => Some(Target::Wider),
        (
            Decimal32(from, scale) | Decimal64(from, scale) | Decimal128(from, scale),
            Decimal32(to, same) | Decimal64(to, same) | Decimal128(to, same),
        ) if scale == same && from <= to => Some(Target::Wider),
        _ => None,
    }
}

/// Types whose values are the number in the file, cut to the type's width.
fn is_plain_int32(table: &DataType) -> bool {
    matches!(
        table,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::Date32
            | DataType::Time32(_)
    ) || table.is_decimal()
}

fn is_plain_int64(table: &DataType) -> bool {
    matches!(
        table,
        DataType::Int64
            | DataType::UInt64
            | DataType::Date64
            | DataType::Time64(_)
            | DataType::Timestamp(..)
            | DataType::Duration(_)
    ) || table.is_decimal()
}

fn is_nanoseconds(table: &DataType) -> bool {
    matches!(table, DataType::Timestamp(TimeUnit::Nanosecond, _))
}
