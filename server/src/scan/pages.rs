//! The pages of a column chunk, from its bytes in host memory.
//!
//! In: a chunk's bytes. Out: a description of each page, bodies untouched. What a header claims of its bytes is checked
//! against the chunk here; what a body holds is checked on the device, but for the frames of codecs that a library
//! decompresses there.

use std::ops::Range;

use bytes::Bytes;
use kernels::compress::{Codec, frame};
use kernels::parquet::Encoding;

use super::chunk::{ChosenPages, Chunk};
use super::form::Form;
use super::listing::Listing;
use super::names::ChunkName;
use super::page_header::{HEADER_BYTES_MAX, PageHeader};
use super::pieces::Spans;
use super::thrift::Malformed;
use crate::error::Error;

/// Bytes in which most headers end.
const HEADER_BYTES_USUAL: usize = 512;

/// The most bytes that a compressed byte can stand for: a byte of LZ4 adds up to 255 to a length, one of Snappy less.
const EXPANSION_MAX: u64 = 256;

/// A page that the device decodes.
#[derive(Debug, Clone)]
pub(super) struct HostPage {
    /// Its number in the chunk, the dictionary's page counted too.
    pub(super) number: usize,
    pub(super) body: Body,
    /// Rows, nulls included; entries of a dictionary.
    pub(super) rows: u32,
    /// Those of them that are read; none if all are.
    pub(super) kept: Vec<Range<u32>>,
    pub(super) encoding: Encoding,
    /// Bytes of levels in front of the values, or [`LEVELS_PREFIXED`].
    pub(super) level_bytes: u32,
    pub(super) max_level: u32,
}

impl HostPage {
    /// The parts of it that are read, at least one.
    pub(super) fn parts(&self) -> impl Iterator<Item = Range<u32>> {
        let all = self.kept.is_empty().then_some(0..self.rows);
        all.into_iter().chain(self.kept.iter().cloned())
    }

    /// Rows of it that are read.
    pub(super) fn kept_rows(&self) -> usize {
        self.parts().map(|part| part.len()).sum()
    }
}

/// Where a page's body is: levels, where there are some, and values.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// In the file, plain.
    Plain { start: u64, bytes: u32 },
    /// In the file; the first `plain_bytes` are plain, the rest is compressed and becomes `unpacked_bytes`.
    Packed {
        start: u64,
        plain_bytes: u32,
        packed_bytes: u32,
        unpacked_bytes: u32,
        codec: Codec,
    },
    /// In host memory, plain.
    Host(Bytes),
}

impl Body {
    /// Its length when it is plain.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plain { bytes, .. } => *bytes as usize,
            Self::Packed {
                plain_bytes,
                unpacked_bytes,
                ..
            } => *plain_bytes as usize + *unpacked_bytes as usize,
            Self::Host(bytes) => bytes.len(),
        }
    }
}

/// The pages of a chunk.
#[derive(Debug, Clone, Default)]
pub(super) struct ChunkPages {
    pub(super) dictionary: Option<HostPage>,
    pub(super) data: Vec<HostPage>,
}

/// Why there are no pages for the device.
#[derive(Debug)]
pub(super) enum NoPages {
    /// The file is damaged.
    Malformed(Error),
    /// The CPU must decode the column, for this reason.
    Unsupported(String),
    /// The CPU must decompress them, or say what is wrong with them: the device's library is not given such.
    ForHost,
}

/// Lists the pages of a chunk whose pages the device decompresses.
pub(super) fn list(
    chunk: &Chunk,
    form: Form,
    codec: Codec,
    rows: usize,
    spans: &Spans,
    name: &ChunkName,
) -> Result<ChunkPages, NoPages> {
    if let Some(chosen) = &chunk.pages {
        return list_chosen(chosen, form, codec, spans, name).and_then(|pages| framed(pages, spans));
    }
    let mut listing = Listing::new(form, rows, name);
    let (mut at, mut number) = (chunk.range.start, 0);
    while listing.rows_left > 0 {
        let header = header(spans, at, chunk.range.end).map_err(|what| listing.malformed(number, what))?;
        let start = at + header.header_bytes as u64;
        let end = start + u64::from(header.compressed_bytes);
        if end > chunk.range.end {
            let what = format!(
                "{} compressed bytes, {} are left of the column chunk",
                header.compressed_bytes,
                chunk.range.end - start
            );
            return Err(listing.malformed(number, what));
        }
        listing.add(number, &header, |skipped, plain| {
            body(&header, start, skipped, plain, codec)
        })?;
        (at, number) = (end, number + 1);
    }
    framed(listing.pages, spans)
}

/// The pages, if those of batched codecs are what the device's library may be given.
fn framed(pages: ChunkPages, spans: &Spans) -> Result<ChunkPages, NoPages> {
    for page in pages.dictionary.iter().chain(&pages.data) {
        let Body::Packed {
            start,
            plain_bytes,
            packed_bytes,
            unpacked_bytes,
            codec,
        } = page.body
        else {
            continue;
        };
        let start = start + u64::from(plain_bytes);
        let read = |at: usize, into: &mut [u8]| {
            let at = start + at as u64;
            let bytes = spans.read(at..at + into.len() as u64);
            bytes.map(|bytes| into.copy_from_slice(&bytes)).is_some()
        };
        if frame::check(codec, packed_bytes as usize, unpacked_bytes as usize, &read).is_err() {
            return Err(NoPages::ForHost);
        }
    }
    Ok(pages)
}

/// The same where some of its pages are read.
fn list_chosen(
    chosen: &ChosenPages,
    form: Form,
    codec: Codec,
    spans: &Spans,
    name: &ChunkName,
) -> Result<ChunkPages, NoPages> {
    let mut listing = Listing::of_chosen(form, chosen, name);
    let dictionary = chosen.dictionary.iter().map(|range| (0, range, None));
    let first = usize::from(chosen.dictionary.is_some());
    let data = chosen.data.iter();
    let data = data.map(|page| (first + page.index, &page.bytes, Some(page)));
    for (number, range, kept) in dictionary.chain(data) {
        let header = header(spans, range.start, range.end).map_err(|what| listing.malformed(number, what))?;
        let start = range.start + header.header_bytes as u64;
        let indexed = range.end.saturating_sub(start);
        // A dictionary may have more behind it.
        if u64::from(header.compressed_bytes) > indexed {
            let what = format!(
                "{} compressed bytes, the offset index has {indexed}",
                header.compressed_bytes
            );
            return Err(listing.malformed(number, what));
        }
        listing.add_chosen(number, &header, kept, |skipped, plain| {
            body(&header, start, skipped, plain, codec)
        })?;
    }
    Ok(listing.pages)
}

/// The header at byte `at` of the file.
fn header(spans: &Spans, at: u64, end: u64) -> Result<PageHeader, String> {
    let mut limit = HEADER_BYTES_USUAL;
    loop {
        let stop = end.min(at + limit as u64);
        let bytes = spans.read(at..stop).ok_or("it lies outside of what was read")?;
        match PageHeader::read(&bytes) {
            Ok(header) => return Ok(header),
            Err(Malformed::Truncated) if stop < end && limit < HEADER_BYTES_MAX => limit *= 8,
            Err(Malformed::Truncated) if at >= end => {
                return Err("the column chunk ends before all rows are there".to_owned());
            }
            Err(Malformed::Truncated) => return Err("its header has no end".to_owned()),
            Err(Malformed::Wrong(what)) => return Err(format!("its header is malformed: {what}")),
        }
    }
}

/// The body after `skipped` bytes; `plain` more bytes of it are not compressed.
fn body(
    header: &PageHeader,
    start: u64,
    skipped: u32,
    plain: Option<u32>,
    codec: Codec,
) -> Result<Body, String> {
    let start = start + u64::from(skipped);
    let stored = header.compressed_bytes - skipped;
    let (Some(plain_bytes), true) = (plain, codec != Codec::None) else {
        if header.compressed_bytes != header.uncompressed_bytes {
            return Err(format!(
                "it is not compressed, and has {} compressed and {} uncompressed bytes",
                header.compressed_bytes, header.uncompressed_bytes
            ));
        }
        return Ok(Body::Plain { start, bytes: stored });
    };
    let prefix = skipped + plain_bytes;
    let unpacked_bytes = header.uncompressed_bytes.checked_sub(prefix).ok_or_else(|| {
        format!(
            "{} uncompressed bytes, less than its levels",
            header.uncompressed_bytes
        )
    })?;
    let packed_bytes = stored - plain_bytes;
    // What can come out of a frame, its own check knows.
    let is_bounded = !codec.is_batched();
    if is_bounded && u64::from(unpacked_bytes) > u64::from(packed_bytes) * EXPANSION_MAX + EXPANSION_MAX {
        return Err(format!(
            "{unpacked_bytes} bytes cannot come out of {packed_bytes} compressed ones"
        ));
    }
    Ok(Body::Packed {
        start,
        plain_bytes,
        packed_bytes,
        unpacked_bytes,
        codec,
    })
}
