//! What the CPU does of a scan: codecs that the device does not know, and columns that its decoder does not take.
//!
//! In: chunks in host memory. Out: plain pages, or whole columns as Arrow arrays of the table's type.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast_with_options;
use arrow::datatypes::DataType;
use bytes::Bytes;
use datafusion::common::format::DEFAULT_CAST_OPTIONS;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelectionPolicy,
};
use parquet::basic::Encoding as FileEncoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::serialized_reader::SerializedPageReader;

use super::chunk::Chunk;
use super::form::Form;
use super::listing::Listing;
use super::names::ChunkName;
use super::open::Group;
use super::page_header::{PageHeader, PageKind};
use super::pages::{Body, ChunkPages, NoPages};
use super::pieces::{PartOfFile, Spans};
use super::readers::Stopped;
use crate::error::Result;

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 64 << 10;

fn part_of_file(group: &Group, spans: &Spans) -> PartOfFile {
    PartOfFile {
        file_bytes: group.file.meta.size,
        spans: spans.clone(),
    }
}

/// Decompresses the pages of a chunk, with parquet's own reader.
pub(super) fn unpacked_pages(
    group: &Group,
    chunk: &Chunk,
    form: Form,
    spans: &Spans,
    name: &ChunkName,
    stop: &Stopped,
) -> Result<ChunkPages, NoPages> {
    let reader = pages_of(group, chunk, spans).map_err(|error| NoPages::Malformed(name.error(error)))?;
    let mut unpacking = Unpacking { reader, stop };
    let Some(chosen) = &chunk.pages else {
        let mut listing = Listing::new(form, group.rows, name);
        let mut number = 0;
        while listing.rows_left > 0 {
            let (header, bytes) = unpacking.page(&listing, number)?;
            listing.add(number, &header, |skipped, _| Ok(rest(&bytes, skipped)))?;
            number += 1;
        }
        return Ok(listing.pages);
    };
    let mut listing = Listing::of_chosen(form, chosen, name);
    let first = usize::from(chosen.dictionary.is_some());
    if first > 0 {
        let (header, bytes) = unpacking.page(&listing, 0)?;
        listing.add_chosen(0, &header, None, |skipped, _| Ok(rest(&bytes, skipped)))?;
    }
    let mut next = 0;
    for page in &chosen.data {
        let number = first + page.index;
        for _ in next..page.index {
            let skipped = unpacking.reader.skip_next_page();
            skipped.map_err(|error| listing.malformed(number, error))?;
        }
        next = page.index + 1;
        let (header, bytes) = unpacking.page(&listing, number)?;
        listing.add_chosen(number, &header, Some(page), |skipped, _| {
            Ok(rest(&bytes, skipped))
        })?;
    }
    Ok(listing.pages)
}

/// A chunk's pages, from its offset index where some of them are left out.
fn pages_of(
    group: &Group,
    chunk: &Chunk,
    spans: &Spans,
) -> Result<SerializedPageReader<PartOfFile>, ParquetError> {
    let metadata = &group.file.metadata;
    let row_group = metadata.row_group(group.index);
    let locations = chunk.pages.as_ref().and_then(|_| {
        let index = metadata.offset_index()?.get(group.index)?.get(chunk.leaf)?;
        Some(index.page_locations().clone())
    });
    let reader = Arc::new(part_of_file(group, spans));
    let rows = usize::try_from(row_group.num_rows())?;
    SerializedPageReader::new(reader, row_group.column(chunk.leaf), rows, locations)
}

/// Pages as they are decompressed.
struct Unpacking<'a> {
    reader: SerializedPageReader<PartOfFile>,
    stop: &'a Stopped,
}

impl Unpacking<'_> {
    fn page(&mut self, listing: &Listing<'_>, number: usize) -> Result<(PageHeader, Bytes), NoPages> {
        if self.stop.is_set() {
            return Err(NoPages::Malformed(super::readers::stopped()));
        }
        let page = self
            .reader
            .get_next_page()
            .map_err(|error| listing.malformed(number, error))?
            .ok_or_else(|| listing.malformed(number, "the column chunk ends before all rows are there"))?;
        Ok((header_of(&page), page.buffer().clone()))
    }
}

fn rest(bytes: &Bytes, skipped: u32) -> Body {
    Body::Host(bytes.slice((skipped as usize).min(bytes.len())..))
}

/// The header that a plain page would have.
fn header_of(page: &Page) -> PageHeader {
    let kind = match page {
        Page::DataPage {
            def_level_encoding, ..
        } => PageKind::Data {
            level_encoding: number_of(*def_level_encoding),
        },
        Page::DataPageV2 {
            num_rows,
            def_levels_byte_len,
            rep_levels_byte_len,
            ..
        } => PageKind::DataV2 {
            rows: *num_rows,
            definition_bytes: *def_levels_byte_len,
            repetition_bytes: *rep_levels_byte_len,
            is_compressed: false,
        },
        Page::DictionaryPage { .. } => PageKind::Dictionary,
    };
    let bytes = u32::try_from(page.buffer().len()).unwrap_or(u32::MAX);
    PageHeader {
        kind,
        compressed_bytes: bytes,
        uncompressed_bytes: bytes,
        values: page.num_values(),
        encoding: number_of(page.encoding()),
        header_bytes: 0,
    }
}

/// Parquet's number of an encoding.
fn number_of(encoding: FileEncoding) -> i32 {
    #[expect(deprecated, reason = "files may still have it")]
    match encoding {
        FileEncoding::PLAIN => 0,
        FileEncoding::PLAIN_DICTIONARY => 2,
        FileEncoding::RLE => 3,
        FileEncoding::BIT_PACKED => 4,
        FileEncoding::DELTA_BINARY_PACKED => 5,
        FileEncoding::DELTA_LENGTH_BYTE_ARRAY => 6,
        FileEncoding::DELTA_BYTE_ARRAY => 7,
        FileEncoding::RLE_DICTIONARY => 8,
        FileEncoding::BYTE_STREAM_SPLIT => 9,
    }
}

/// Decodes a chunk with parquet's Arrow reader, and casts it as DataFusion would.
pub(super) fn decoded(
    group: &Group,
    leaf: usize,
    table_type: &DataType,
    spans: &Spans,
    name: &ChunkName,
    stop: &Stopped,
) -> Result<Vec<ArrayRef>> {
    let file = &group.file;
    let options = ArrowReaderOptions::new().with_schema(Arc::clone(&file.schema));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(&file.metadata), options)
        .map_err(|error| name.error(error))?;
    let mask = ProjectionMask::leaves(file.metadata.file_metadata().schema_descr(), [leaf]);
    let mut builder =
        ParquetRecordBatchReaderBuilder::new_with_metadata(part_of_file(group, spans), metadata)
            .with_row_groups(vec![group.index])
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS);
    if let Some(kept) = &group.kept {
        let rows = usize::try_from(file.metadata.row_group(group.index).num_rows())
            .map_err(|error| name.error(error))?;
        let chosen = RowSelection::from_consecutive_ranges(kept.iter().cloned(), rows);
        // Only then no page is asked for that was not read.
        builder = builder
            .with_row_selection(chosen)
            .with_row_selection_policy(RowSelectionPolicy::Selectors);
    }
    let reader = builder.build().map_err(|error| name.error(error))?;
    let mut arrays = Vec::new();
    for batch in reader {
        if stop.is_set() {
            return Err(super::readers::stopped());
        }
        let batch = batch.map_err(|error| name.error(error))?;
        let array = cast_with_options(batch.column(0), table_type, &DEFAULT_CAST_OPTIONS)
            .map_err(|error| name.error(error))?;
        arrays.push(array);
    }
    let rows: usize = arrays.iter().map(|array| array.len()).sum();
    if rows != group.rows {
        return Err(name.error(format!("{rows} rows, the row group has {}", group.rows)));
    }
    Ok(arrays)
}
