//! A page as the kernels see it. Comes in: what the reader of metadata and headers knows. Goes out: a plain
//! descriptor. It does not parse: a header's numbers are taken as they are and checked on the device.

use crate::module::KernelSource;
use crate::plain::Plain;

/// Rows of a page that one block decodes.
pub const TILE_ROWS: u32 = 1024;

/// [`Page::level_bytes`] of a version 1 page: the length stands in front of the levels.
pub const LEVELS_PREFIXED: u32 = u32::MAX;

/// How the values of a page are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Encoding {
    /// One after the other, little-endian; booleans as bits; byte arrays with their length in front.
    Plain = 0,
    /// Indexes into a dictionary, run-length and bit-packed, their width in front.
    Dictionary = 1,
    /// Booleans, run-length and bit-packed, a length in front.
    RunLength = 2,
    /// The first bytes of all values, then the second bytes, and so on.
    ByteStreamSplit = 3,
    /// Differences in bit-packed blocks.
    DeltaBinaryPacked = 4,
    /// Lengths as differences, then all bytes.
    DeltaLengthByteArray = 5,
    /// What is shared with the value before, as differences, and the rest. Needs room: see
    /// [`super::PageDecoder::measure_sync`].
    DeltaByteArray = 6,
}

/// What becomes of a value on its way to the output. Dictionary pages are converted; what refers to them is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Conversion {
    /// The same bytes: `output_bytes == source_bytes`, 1 to 16, or any number for [`Encoding::Plain`].
    Same = 0,
    /// A signed integer of 4 or 8 bytes, cut or sign-extended to 1, 2, 4, 8 or 16.
    Signed = 1,
    /// A big-endian two's complement number of any length, to 4, 8 or 16 bytes; one that does not fit raises.
    BigEndian = 2,
    /// 12 bytes, nanoseconds of a day and a Julian day, to nanoseconds since 1970 in 8 bytes.
    Int96 = 3,
    /// A bit, to a bit of a bitmap that was zero before.
    Boolean = 4,
    /// The dictionary index itself, plus [`Page::code_base`], in 4 bytes; [`NO_CODE`] for rows without a value.
    Code = 5,
    /// A byte array, to a [`StringRef`] of 16 bytes.
    String = 6,
}

/// The code of a row without a value.
pub const NO_CODE: u32 = u32::MAX;

/// Where a string's bytes are: what string columns are made of until their bytes are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct StringRef {
    /// Address of the first byte.
    pub address: u64,
    /// Number of bytes.
    pub bytes: u32,
    /// Always 0.
    pub reserved: u32,
}
// SAFETY: numbers that fill 16 bytes without padding.
unsafe impl Plain for StringRef {}

/// One data page, or a dictionary page on its way to becoming a dictionary. `WfPage` of `page.cuh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Page {
    /// Address of the uncompressed body. After it, 8 more bytes of the buffer must be readable.
    pub section: u64,
    /// Address of the column's values: element 0, not this page's first.
    pub output: u64,
    /// Address of the column's validity bitmap, zero before; or 0 for a column without.
    pub validity: u64,
    /// Address of the dictionary's entries, each `output_bytes` wide; of room for the values of an
    /// [`Encoding::DeltaByteArray`], zero before and with 8 more bytes at its buffer's end; or 0.
    pub dictionary: u64,
    /// Set by [`super::decode`].
    pub scratch: u64,
    /// Output row of the first row that is kept.
    pub first_row: u64,
    /// Bytes of the body.
    pub section_bytes: u32,
    /// Rows, nulls included.
    pub rows: u32,
    /// Bytes of definition levels in front of the values, or [`LEVELS_PREFIXED`].
    pub level_bytes: u32,
    /// Definition level of a value that is there; 0 if the page has no levels.
    pub max_level: u32,
    /// Number of the dictionary's entries, or bytes of that room.
    pub dictionary_count: u32,
    /// Set by [`super::decode`].
    pub first_tile: u32,
    /// An [`Encoding`].
    pub encoding: u32,
    /// A [`Conversion`].
    pub conversion: u32,
    /// Bytes of a value in the page: 4, 8, 12, or the length of a fixed-length array.
    pub source_bytes: u32,
    /// Bytes of a value in the output.
    pub output_bytes: u32,
    /// The number that the error word reports for this page.
    pub item: u32,
    /// Added to a dictionary index that is kept as a code.
    pub code_base: u32,
    /// Rows before the first one that is kept.
    pub skip: u32,
    /// Rows that are kept, one after the other: `rows`, if all are.
    pub kept: u32,
    /// Filled on the device.
    pub filled: [u64; 5],
}
// SAFETY: numbers only; 48 + 56 + 40 bytes without padding.
unsafe impl Plain for Page {}

impl Page {
    /// Tiles that it is cut into.
    pub fn tiles(&self) -> u32 {
        self.rows.div_ceil(TILE_ROWS)
    }
}

/// A source of this family: the shared part, its own text, and the constants of this file.
pub(super) fn source(name: &'static str, text: &'static str, kernels: &[&'static str]) -> KernelSource {
    KernelSource::library(name, text, kernels)
        .define("WF_TILE", format!("{TILE_ROWS}u"))
        .define("WF_LEVELS_PREFIXED", format!("{LEVELS_PREFIXED:#x}u"))
        .define("WF_PLAIN", format!("{}u", Encoding::Plain as u32))
        .define("WF_DICTIONARY", format!("{}u", Encoding::Dictionary as u32))
        .define("WF_RUN_LENGTH", format!("{}u", Encoding::RunLength as u32))
        .define(
            "WF_BYTE_STREAM_SPLIT",
            format!("{}u", Encoding::ByteStreamSplit as u32),
        )
        .define(
            "WF_DELTA_BINARY_PACKED",
            format!("{}u", Encoding::DeltaBinaryPacked as u32),
        )
        .define(
            "WF_DELTA_LENGTH_BYTE_ARRAY",
            format!("{}u", Encoding::DeltaLengthByteArray as u32),
        )
        .define(
            "WF_DELTA_BYTE_ARRAY",
            format!("{}u", Encoding::DeltaByteArray as u32),
        )
        .define("WF_SAME", format!("{}u", Conversion::Same as u32))
        .define("WF_SIGNED", format!("{}u", Conversion::Signed as u32))
        .define("WF_BIG_ENDIAN", format!("{}u", Conversion::BigEndian as u32))
        .define("WF_INT96", format!("{}u", Conversion::Int96 as u32))
        .define("WF_BOOLEAN", format!("{}u", Conversion::Boolean as u32))
        .define("WF_CODE", format!("{}u", Conversion::Code as u32))
        .define("WF_STRING", format!("{}u", Conversion::String as u32))
}
