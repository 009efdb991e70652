//! A column chunk: where it lies, and which of the ways it goes.
//!
//! In: a row group and a column, and what the device can decompress. Out: a range of the file and a way. It reads nothing.

use std::ops::Range;

use kernels::compress::Codec;
use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;

use super::form::Form;
use super::kept::{self, KeptPage};
use super::names::ChunkName;
use super::open::{FileColumn, Group};
use crate::error::Result;

/// A column chunk of a row group that is read.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    /// Which of the columns that the scan reads.
    pub(super) column: usize,
    /// Which of the scan's row groups.
    pub(super) group: usize,
    /// Where it lies in its file.
    pub(super) range: Range<u64>,
    /// Which of the file's columns it is.
    pub(super) leaf: usize,
    pub(super) way: Way,
    /// What is read of it, where not all is.
    pub(super) pages: Option<ChosenPages>,
}

/// The pages of a chunk that are read.
#[derive(Debug, Clone)]
pub(super) struct ChosenPages {
    /// Where its dictionary is, if it has one.
    pub(super) dictionary: Option<Range<u64>>,
    pub(super) data: Vec<KeptPage>,
    /// Data pages that are not read.
    pub(super) left_out: usize,
}

/// How a chunk becomes rows of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Pages are decompressed and decoded on the device.
    Device(Form, Codec),
    /// Pages are decompressed by the CPU and decoded on the device.
    HostPages(Form),
    /// All is done by the CPU, and why.
    Cpu(String),
}

impl Chunk {
    /// The chunk of a row group's column; `None` if the file does not have the column.
    ///
    /// `unpacks` says whether the device has a library for codecs that its kernels do not know.
    pub(super) fn of(groups: &[Group], group: usize, column: usize, unpacks: bool) -> Result<Option<Self>> {
        let row_group = &groups[group];
        let (leaf, way) = match &row_group.file.columns[column] {
            FileColumn::Missing => return Ok(None),
            FileColumn::Cpu { leaf, reason } => (*leaf, Way::Cpu(reason.clone())),
            FileColumn::Device { leaf, form } => {
                let metadata = row_group.file.metadata.row_group(row_group.index).column(*leaf);
                (*leaf, way(*form, metadata.compression(), unpacks))
            }
        };
        let metadata = row_group.file.metadata.row_group(row_group.index).column(leaf);
        let range = range(metadata, row_group.file.meta.size)
            .map_err(|what| name(row_group, metadata.column_descr().name()).error(what))?;
        let pages = row_group.kept.as_deref().and_then(|rows| {
            let pages = kept::data_pages(&row_group.file.metadata, row_group.index, leaf, &range)?;
            let first = pages.first()?.bytes.start;
            let data = kept::kept_pages(&pages, rows);
            Some(ChosenPages {
                dictionary: (range.start < first).then_some(range.start..first),
                left_out: pages.len() - data.len(),
                data,
            })
        });
        Ok(Some(Self {
            column,
            group,
            range,
            leaf,
            way,
            pages,
        }))
    }

    /// What is read of the file, in order.
    pub(super) fn read_ranges(&self) -> Vec<Range<u64>> {
        match &self.pages {
            None => vec![self.range.clone()],
            Some(pages) => {
                let data = pages.data.iter().map(|page| page.bytes.clone());
                pages.dictionary.iter().cloned().chain(data).collect()
            }
        }
    }

    /// How many bytes that are.
    pub(super) fn read_bytes(&self) -> usize {
        let ranges = self.read_ranges();
        let bytes = ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

/// The names of a row group's column.
pub(super) fn name(group: &Group, column: &str) -> ChunkName {
    ChunkName {
        file: group.file.name.clone(),
        column: column.into(),
        row_group: group.index,
    }
}

fn way(form: Form, compression: Compression, unpacks: bool) -> Way {
    match compression {
        Compression::UNCOMPRESSED => Way::Device(form, Codec::None),
        Compression::SNAPPY => Way::Device(form, Codec::Snappy),
        Compression::LZ4_RAW => Way::Device(form, Codec::Lz4Raw),
        Compression::ZSTD(_) if unpacks => Way::Device(form, Codec::Zstd),
        Compression::GZIP(_) if unpacks => Way::Device(form, Codec::Gzip),
        Compression::GZIP(_) | Compression::BROTLI(_) | Compression::ZSTD(_) | Compression::LZ4 => {
            Way::HostPages(form)
        }
        other => Way::Cpu(format!("codec {other}")),
    }
}

/// Where a chunk lies in a file of so many bytes.
pub(super) fn range(metadata: &ColumnChunkMetaData, file_bytes: u64) -> Result<Range<u64>, String> {
    let start = metadata
        .dictionary_page_offset()
        .unwrap_or_else(|| metadata.data_page_offset());
    let bytes = metadata.compressed_size();
    let range = u64::try_from(start)
        .ok()
        .zip(u64::try_from(bytes).ok())
        .and_then(|(start, bytes)| Some(start..start.checked_add(bytes)?))
        .filter(|range| range.end <= file_bytes);
    range.ok_or_else(|| {
        format!("the footer says {bytes} bytes from byte {start} on, the file has {file_bytes} bytes")
    })
}
