//! How values of an Arrow type are held on the device.

use arrow::datatypes::DataType;

/// The form of a value in device memory and in a kernel's registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repr {
    /// A bit of a bitmap; `bool` in registers.
    Bool,
    /// 8-bit integer.
    I8,
    /// 16-bit integer.
    I16,
    /// 32-bit integer: also dates and times of day in seconds and milliseconds.
    I32,
    /// 64-bit integer: also timestamps, durations and decimals of precision up to 18.
    I64,
    /// Unsigned.
    U8,
    /// Unsigned.
    U16,
    /// Unsigned.
    U32,
    /// Unsigned.
    U64,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// 128-bit integer: decimals of precision 19 to 38.
    I128,
    /// Bytes elsewhere: a reference of 16 bytes, `WfStringRef` in kernels.
    Str,
}

/// The largest precision of decimals that are held in 64 bits.
pub const DECIMAL_64_DIGITS: u8 = 18;

impl Repr {
    /// The form of values of `data_type`; `None` for types that the GPU does not take.
    pub fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Bool,
            DataType::Int8 => Self::I8,
            DataType::Int16 => Self::I16,
            DataType::Int32 | DataType::Date32 | DataType::Time32(_) => Self::I32,
            DataType::Int64
            | DataType::Date64
            | DataType::Time64(_)
            | DataType::Timestamp(..)
            | DataType::Duration(_) => Self::I64,
            DataType::UInt8 => Self::U8,
            DataType::UInt16 => Self::U16,
            DataType::UInt32 => Self::U32,
            DataType::UInt64 => Self::U64,
            DataType::Float32 => Self::F32,
            DataType::Float64 => Self::F64,
            DataType::Decimal32(..) | DataType::Decimal64(..) => Self::I64,
            DataType::Decimal128(precision, _) if *precision <= DECIMAL_64_DIGITS => Self::I64,
            DataType::Decimal128(..) => Self::I128,
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView => Self::Str,
            _ => return None,
        })
    }

    /// Bytes of a value in memory; 0 for a bitmap.
    pub fn width(self) -> usize {
        match self {
            Self::Bool => 0,
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::I128 | Self::Str => 16,
        }
    }

    /// Bytes of `rows` values in memory.
    pub fn bytes(self, rows: usize) -> usize {
        match self {
            Self::Bool => bitmap_bytes(rows),
            other => rows * other.width(),
        }
    }

    /// Its type in kernels.
    pub fn c_type(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I128 => "i128",
            Self::Str => "WfStringRef",
        }
    }
}

/// Bytes of a bitmap of `rows` bits in whole 32-bit words.
pub fn bitmap_bytes(rows: usize) -> usize {
    rows.div_ceil(32) * 4
}
