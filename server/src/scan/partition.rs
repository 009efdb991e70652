//! Partitions: consecutive row groups that are read and decoded at once.
//!
//! In: the row groups left, and how large a partition should be. Out: partitions with bounds of what they take.

use std::ops::Range;

use kernels::compress::{Blob, Codec, Decompressor, Unpacker};
use kernels::parquet::{Page, SLACK_BYTES, TILE_ROWS};
use kernels::{ErrorWord, Reservation};
use parquet::basic::Encoding;
use parquet::file::metadata::ColumnChunkMetaData;

use super::chunk::{Chunk, Way};
use super::codes::has_codes_alone;
use super::open::Group;
use super::spec::ScanSpec;
use crate::batch::{Repr, bitmap_bytes};
use crate::error::Result;
use crate::error_device::on_device;

/// The most rows of a partition: row numbers are 31 bits.
const ROWS_MAX: usize = i32::MAX as usize;

/// Row groups that become one batch.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    /// Which of the scan's row groups.
    pub(super) groups: Range<usize>,
    pub(super) rows: usize,
    /// Their column chunks, by row group and column.
    pub(super) chunks: Vec<Chunk>,
    /// Device bytes that fetching and decoding takes.
    pub(super) reservation_bytes: usize,
    /// Bytes of the chunks in files.
    pub(super) host_bytes: usize,
}

/// The least bytes of the partitions at either end, which are smaller than those between: so that the device starts
/// early, and has little left when all is read. Less than this is read sooner than its work is queued.
const END_BYTES_MIN: usize = 128 << 20;

/// Bytes of a partition that is the `number`th and has `left` bytes behind it and in it.
fn target(target_bytes: usize, number: usize, left: usize) -> usize {
    // All in one, if that is what is asked for.
    if target_bytes == usize::MAX {
        return target_bytes;
    }
    let ramp = target_bytes >> 4usize.saturating_sub(number);
    target_bytes.min(ramp.min(left / 2).max(END_BYTES_MIN))
}

/// Cuts the row groups behind those of `partitions` into more of them, of up to `target_bytes` in device memory, one row
/// group at least. The first and the last ones are smaller.
pub(super) fn cut(
    spec: &ScanSpec,
    groups: &[Group],
    target_bytes: usize,
    unpacker: Option<Unpacker>,
    partitions: &mut Vec<Partition>,
) -> Result<()> {
    let (first, known) = (
        partitions.last().map_or(0, |last| last.groups.end),
        partitions.len(),
    );
    let mut chunks_of: Vec<(Vec<Chunk>, usize)> = Vec::with_capacity(groups.len());
    for (index, group) in groups.iter().enumerate().skip(first) {
        let in_files = 0..group.file.columns.len();
        let chunks: Vec<Chunk> = in_files
            .filter_map(|column| Chunk::of(groups, index, column, unpacker.is_some()).transpose())
            .collect::<Result<_>>()?;
        let bytes = decoded_bytes(spec, group, &chunks);
        chunks_of.push((chunks, bytes));
    }
    let mut left: usize = chunks_of.iter().map(|(_, bytes)| bytes).sum();
    let (mut last_bytes, mut last_target, mut last_cpu) = (0, 0, Vec::new());
    for (index, (group, (chunks, bytes))) in groups.iter().skip(first).zip(chunks_of).enumerate() {
        let index = first + index;
        // A column is decoded by the CPU in all of a partition or in nothing of it.
        let cpu: Vec<usize> = chunks
            .iter()
            .filter(|chunk| matches!(chunk.way, Way::Cpu(_)))
            .map(|chunk| chunk.column)
            .collect();
        match partitions[known..].last_mut() {
            Some(last)
                if last_cpu == cpu
                    && last_bytes + bytes <= last_target
                    && last.rows + group.rows <= ROWS_MAX =>
            {
                last_bytes += bytes;
                last.groups.end = index + 1;
                last.rows += group.rows;
                last.chunks.extend(chunks);
            }
            _ => {
                last_target = target(target_bytes, partitions.len(), left);
                partitions.push(Partition {
                    groups: index..index + 1,
                    rows: group.rows,
                    chunks,
                    reservation_bytes: 0,
                    host_bytes: 0,
                });
                (last_bytes, last_cpu) = (bytes, cpu);
            }
        }
        left -= bytes;
    }
    for partition in &mut partitions[known..] {
        partition.host_bytes = partition.chunks.iter().map(Chunk::read_bytes).sum();
        partition.reservation_bytes = reservation_bytes(spec, groups, partition, unpacker)?;
    }
    Ok(())
}

/// Bytes of a row group's columns when they are decoded, strings' own bytes among them.
fn decoded_bytes(spec: &ScanSpec, group: &Group, chunks: &[Chunk]) -> usize {
    let values: usize = columns(spec).map(|repr| repr.bytes(group.rows)).sum();
    let validity = spec.columns.len() * bitmap_bytes(group.rows);
    let strings: usize = chunks
        .iter()
        .filter(|chunk| repr_of(spec, chunk.column) == Repr::Str)
        .map(|chunk| uncompressed_bytes(group, chunk))
        .sum();
    values + validity + strings
}

fn columns(spec: &ScanSpec) -> impl Iterator<Item = Repr> {
    (0..spec.columns.len()).map(|column| repr_of(spec, column))
}

/// The form of one of the columns read.
pub(super) fn repr_of(spec: &ScanSpec, column: usize) -> Repr {
    let field = spec.table_schema.field(spec.columns[column]);
    // Types without a form were refused when the specification was made.
    Repr::of(field.data_type()).unwrap_or(Repr::Str)
}

fn uncompressed_bytes(group: &Group, chunk: &Chunk) -> usize {
    let bytes = usize::try_from(metadata(group, chunk).uncompressed_size()).unwrap_or(0);
    match (&chunk.pages, chunk.range.end - chunk.range.start) {
        (None, _) | (_, 0) => bytes,
        // Pages of a chunk are packed about alike.
        (Some(_), all) => (bytes as f64 * (chunk.read_bytes() as f64 / all as f64)) as usize,
    }
}

fn metadata<'a>(group: &'a Group, chunk: &Chunk) -> &'a ColumnChunkMetaData {
    group.file.metadata.row_group(group.index).column(chunk.leaf)
}

/// A bound from footers alone. What headers of pages may still add beyond it (dictionaries larger than writers make
/// them, pages smaller than that, strings with shared beginnings) is asked of the reservation when it is known.
fn reservation_bytes(
    spec: &ScanSpec,
    groups: &[Group],
    partition: &Partition,
    unpacker: Option<Unpacker>,
) -> Result<usize> {
    let charged = Reservation::charged_bytes;
    let outputs: usize = columns(spec)
        .map(|repr| charged(repr.bytes(partition.rows)) + charged(bitmap_bytes(partition.rows)))
        .sum();
    let (mut packed, mut plain, mut pages, mut tiles, mut rest) = (SLACK_BYTES, 0, 0, 0, 0);
    // Pages of each batched codec, and their bytes.
    let mut batched = [(Codec::Zstd, 0, 0), (Codec::Gzip, 0, 0)];
    for chunk in &partition.chunks {
        let group = &groups[chunk.group];
        let compressed = chunk.read_bytes();
        let uncompressed = uncompressed_bytes(group, chunk).max(compressed);
        let chunk_pages = page_count(group, chunk, compressed);
        pages += chunk_pages;
        tiles += group.rows / TILE_ROWS as usize + chunk_pages;
        match &chunk.way {
            Way::Device(_, codec) => {
                packed += compressed;
                for (_, pages, bytes) in batched.iter_mut().filter(|(of, ..)| of == codec) {
                    (*pages, *bytes) = (*pages + chunk_pages, *bytes + uncompressed);
                }
            }
            Way::HostPages(_) => {}
            Way::Cpu(_) => {
                rest += uncompressed;
                continue;
            }
        }
        // Pages are padded, and uncompressed strings are copied out of the file's bytes.
        plain += uncompressed + chunk_pages * 16;
        rest += scratch_bytes(spec, group, chunk, compressed, uncompressed);
    }
    if let Some(unpacker) = unpacker {
        for (codec, pages, bytes) in batched {
            rest += unpacker
                .scratch_bytes_about(codec, pages, bytes)
                .map_err(on_device)?;
        }
    }
    let tables = charged(pages * size_of::<Page>()) * 2 + charged(tiles * 8) * 2 + charged(tiles * 4);
    Ok(outputs
        + charged(packed)
        + charged(plain + 2 * SLACK_BYTES)
        + charged(rest)
        + tables
        + Decompressor::scratch_bytes(2 * pages)
        + charged(size_of::<Blob>())
        + ErrorWord::RESERVED_BYTES
        // A partition value, its string, and their padding, for each column of folders.
        + (spec.columns.len() - groups[partition.groups.start].file.columns.len()) * 1024
        + (16 << 10))
}

/// Pages of a chunk: as many as its offset index has, or as many as there would be of a small size.
fn page_count(group: &Group, chunk: &Chunk, compressed: usize) -> usize {
    if let Some(chosen) = &chunk.pages {
        return 1 + chosen.data.iter().map(|page| page.kept.len()).sum::<usize>();
    }
    let indexed = group
        .file
        .metadata
        .offset_index()
        .and_then(|index| index.get(group.index)?.get(chunk.leaf))
        .map(|index| index.page_locations().len());
    match indexed {
        Some(pages) if pages > 0 => pages + 1,
        _ => compressed / 4096 + group.rows / 4096 + 2,
    }
}

/// Bytes of dictionaries, and of values on their way from encodings that do not say where they lie.
fn scratch_bytes(
    spec: &ScanSpec,
    group: &Group,
    chunk: &Chunk,
    compressed: usize,
    uncompressed: usize,
) -> usize {
    let metadata = metadata(group, chunk);
    let repr = repr_of(spec, chunk.column);
    let width = repr.width();
    let mut bytes = 0;
    let has_dictionary = metadata.dictionary_page_offset().is_some();
    if has_dictionary {
        // Writers end a dictionary at 1 MiB, where they do not ask for another limit.
        let offset = metadata.dictionary_page_offset().unwrap_or(0);
        let stored = usize::try_from(metadata.data_page_offset() - offset).unwrap_or(0);
        let plain = if stored > 0 {
            stored.min(compressed) * 4 + (64 << 10)
        } else {
            1 << 20
        };
        let smallest = if repr == Repr::Str { 4 } else { width.clamp(1, 8) };
        let entries = (plain.min(uncompressed) / smallest).min(group.rows);
        bytes += entries * width * if repr == Repr::Str { 2 } else { 1 };
    }
    let is_plain_only = |encoding: Encoding| matches!(encoding, Encoding::PLAIN | Encoding::RLE);
    if !has_codes_alone(metadata)
        && (repr == Repr::Str || metadata.encodings().any(|encoding| !is_plain_only(encoding)))
    {
        bytes += group.rows * if repr == Repr::Str { 16 } else { width.max(8) };
    }
    bytes
}
