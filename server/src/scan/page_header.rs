//! Headers of Parquet pages.
//!
//! In: bytes at which a page starts. Out: what its header says, checked as far as the header alone allows, and the
//! header's length. Format: parquet.thrift of apache/parquet-format. It knows no column.

use super::thrift::{Kind, Malformed, Reader};

/// Bytes of a header that are looked at: statistics in it can be long, but not longer.
pub(super) const HEADER_BYTES_MAX: usize = 1 << 20;

/// What kind of page it is, with what its kind adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    /// Version 1: levels and values are compressed together.
    Data {
        /// How definition levels are encoded.
        level_encoding: i32,
    },
    /// Version 2: levels come first and are never compressed.
    DataV2 {
        rows: u32,
        definition_bytes: u32,
        repetition_bytes: u32,
        is_compressed: bool,
    },
    /// The dictionary of the pages that follow.
    Dictionary,
    /// An index, or a kind that did not exist when this was written: it is passed over.
    Other,
}

/// What a page's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) kind: PageKind,
    pub(super) compressed_bytes: u32,
    pub(super) uncompressed_bytes: u32,
    /// Nulls included.
    pub(super) values: u32,
    /// Parquet's number of the encoding.
    pub(super) encoding: i32,
    /// Bytes of the header itself.
    pub(super) header_bytes: usize,
}

/// What is in the structure of a kind of page.
#[derive(Debug, Clone, Copy, Default)]
struct Body {
    values: Option<i32>,
    encoding: Option<i32>,
    level_encoding: Option<i32>,
    rows: Option<i32>,
    definition_bytes: Option<i32>,
    repetition_bytes: Option<i32>,
    is_uncompressed: bool,
}

impl PageHeader {
    /// Reads the header at the start of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let (mut page_type, mut uncompressed, mut compressed) = (None, None, None);
        let (mut data, mut dictionary, mut data_v2) = (None, None, None);
        let mut last = 0;
        while let Some(field) = reader.field(&mut last)? {
            match field {
                (1, Kind::I32) => page_type = Some(reader.i32()?),
                (2, Kind::I32) => uncompressed = Some(reader.i32()?),
                (3, Kind::I32) => compressed = Some(reader.i32()?),
                (5, Kind::Struct) => data = Some(body(&mut reader, data_field)?),
                (7, Kind::Struct) => dictionary = Some(body(&mut reader, data_field)?),
                (8, Kind::Struct) => data_v2 = Some(body(&mut reader, data_v2_field)?),
                (_, kind) => reader.skip(kind)?,
            }
        }
        let (kind, body) = match page_type {
            Some(0) => {
                let body = data.ok_or(Malformed::Wrong("a data page without its header"))?;
                let level_encoding = body
                    .level_encoding
                    .ok_or(Malformed::Wrong("a data page without the encoding of its levels"))?;
                (PageKind::Data { level_encoding }, body)
            }
            Some(2) => (
                PageKind::Dictionary,
                dictionary.ok_or(Malformed::Wrong("a dictionary page without its header"))?,
            ),
            Some(3) => {
                let body = data_v2.ok_or(Malformed::Wrong("a data page without its header"))?;
                let kind = PageKind::DataV2 {
                    rows: size(body.rows, "rows")?,
                    definition_bytes: size(body.definition_bytes, "bytes of definition levels")?,
                    repetition_bytes: size(body.repetition_bytes, "bytes of repetition levels")?,
                    is_compressed: !body.is_uncompressed,
                };
                (kind, body)
            }
            Some(_) => (PageKind::Other, Body::default()),
            None => return Err(Malformed::Wrong("a page without a type")),
        };
        let is_other = kind == PageKind::Other;
        Ok(Self {
            kind,
            compressed_bytes: size(compressed, "compressed bytes")?,
            uncompressed_bytes: size(uncompressed, "uncompressed bytes")?,
            values: if is_other { 0 } else { size(body.values, "values")? },
            encoding: match body.encoding {
                Some(encoding) => encoding,
                None if is_other => 0,
                None => return Err(Malformed::Wrong("a page without an encoding")),
            },
            header_bytes: reader.position(),
        })
    }
}

/// A number that the header must have and that is not negative.
fn size(value: Option<i32>, what: &'static str) -> Result<u32, Malformed> {
    let value = value.ok_or(Malformed::Wrong(match what {
        "values" => "a page without a number of values",
        "rows" => "a page without a number of rows",
        _ => "a page without its sizes",
    }))?;
    u32::try_from(value).map_err(|_| Malformed::Wrong("a page with a negative size"))
}

/// Takes a field of a structure, or passes over it.
type TakeField = fn(&mut Reader<'_>, &mut Body, (i32, Kind)) -> Result<(), Malformed>;

fn body(reader: &mut Reader<'_>, field: TakeField) -> Result<Body, Malformed> {
    let (mut body, mut last) = (Body::default(), 0);
    while let Some(next) = reader.field(&mut last)? {
        field(reader, &mut body, next)?;
    }
    Ok(body)
}

/// Fields of `DataPageHeader`, of which `DictionaryPageHeader` has the first two.
fn data_field(reader: &mut Reader<'_>, body: &mut Body, field: (i32, Kind)) -> Result<(), Malformed> {
    match field {
        (1, Kind::I32) => body.values = Some(reader.i32()?),
        (2, Kind::I32) => body.encoding = Some(reader.i32()?),
        (3, Kind::I32) => body.level_encoding = Some(reader.i32()?),
        (_, kind) => reader.skip(kind)?,
    }
    Ok(())
}

fn data_v2_field(reader: &mut Reader<'_>, body: &mut Body, field: (i32, Kind)) -> Result<(), Malformed> {
    match field {
        (1, Kind::I32) => body.values = Some(reader.i32()?),
        (3, Kind::I32) => body.rows = Some(reader.i32()?),
        (4, Kind::I32) => body.encoding = Some(reader.i32()?),
        (5, Kind::I32) => body.definition_bytes = Some(reader.i32()?),
        (6, Kind::I32) => body.repetition_bytes = Some(reader.i32()?),
        (7, Kind::False) => body.is_uncompressed = true,
        (_, kind) => reader.skip(kind)?,
    }
    Ok(())
}
