//! Rows of a row group that are read where not all are, and the pages that hold them.
//!
//! In: ranges of rows that may be wanted, and offset indexes. Out: the ranges that are read, and for a column chunk its
//! pages with what is kept of each. Pages of different columns do not end at the same rows: each page keeps its own
//! part of the ranges, so that all columns have the same rows. It decides nothing about values.

use std::ops::Range;
use std::sync::Arc;

use parquet::file::metadata::ParquetMetaData;

use super::open::{FileColumn, OpenFile};

/// Ranges of rows of a row group, ascending, not empty, with rows between them that are not read.
pub(super) type Rows = Arc<[Range<usize>]>;

/// A data page of a chunk, by its offset index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataPage {
    pub(super) rows: Range<usize>,
    /// Of the file, the header among them.
    pub(super) bytes: Range<u64>,
}

/// A data page of which some rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptPage {
    /// Its number among the chunk's data pages.
    pub(super) index: usize,
    pub(super) bytes: Range<u64>,
    /// All its rows.
    pub(super) rows: u32,
    /// Those that are read.
    pub(super) kept: Vec<Range<u32>>,
}

/// How many rows there are in ranges.
pub(super) fn count(rows: &[Range<usize>]) -> usize {
    rows.iter().map(Range::len).sum()
}

/// The data pages of a chunk that lies in `chunk` bytes of its file; `None` if there is no offset index, or one that
/// cannot be right.
pub(super) fn data_pages(
    metadata: &ParquetMetaData,
    group: usize,
    leaf: usize,
    chunk: &Range<u64>,
) -> Option<Vec<DataPage>> {
    let group_rows = usize::try_from(metadata.row_group(group).num_rows()).ok()?;
    let locations = metadata.offset_index()?.get(group)?.get(leaf)?.page_locations();
    let first_rows = locations
        .iter()
        .map(|page| usize::try_from(page.first_row_index).ok());
    let first_rows: Vec<usize> = first_rows.collect::<Option<_>>()?;
    let ends = first_rows.iter().skip(1).copied().chain([group_rows]);
    let mut pages: Vec<DataPage> = Vec::with_capacity(locations.len());
    for ((location, &first), end) in locations.iter().zip(&first_rows).zip(ends) {
        let start = u64::try_from(location.offset).ok()?;
        let bytes = start..start.checked_add(u64::try_from(location.compressed_page_size).ok()?)?;
        let after = pages.last().map_or(chunk.start, |before| before.bytes.end);
        let is_good = first < end && u32::try_from(end - first).is_ok() && after <= bytes.start;
        if !is_good || bytes.end > chunk.end || (pages.is_empty() && first > 0) {
            return None;
        }
        pages.push(DataPage {
            rows: first..end,
            bytes,
        });
    }
    (!pages.is_empty()).then_some(pages)
}

/// The pages that hold rows of `rows`, with the part of each.
pub(super) fn kept_pages(pages: &[DataPage], rows: &[Range<usize>]) -> Vec<KeptPage> {
    let mut found: Vec<KeptPage> = Vec::new();
    let mut next = 0;
    for (index, page) in pages.iter().enumerate() {
        while rows.get(next).is_some_and(|range| range.end <= page.rows.start) {
            next += 1;
        }
        let in_page = rows[next..]
            .iter()
            .take_while(|range| range.start < page.rows.end);
        // Both fit: a page has no more rows than 32 bits hold.
        let place = |row: usize| (row.clamp(page.rows.start, page.rows.end) - page.rows.start) as u32;
        let kept: Vec<Range<u32>> = in_page
            .map(|range| place(range.start)..place(range.end))
            .collect();
        if !kept.is_empty() {
            found.push(KeptPage {
                index,
                bytes: page.bytes.clone(),
                rows: page.rows.len() as u32,
                kept,
            });
        }
    }
    found
}

/// The rows to read of a row group so that no row of `wanted` is left out: a gap between two of its ranges stays one only
/// if the pages that it leaves out have more bytes than those on both sides of it, which are decoded once for each
/// side. `None` if all is to be read: no page is left out, or nothing is known of the pages of some column.
pub(super) fn worth_leaving_out(file: &OpenFile, group: usize, wanted: &[Range<usize>]) -> Option<Rows> {
    let metadata = file.metadata.row_group(group);
    let leaves = file.columns.iter().filter_map(|column| match column {
        FileColumn::Device { leaf, .. } | FileColumn::Cpu { leaf, .. } => Some(*leaf),
        FileColumn::Missing => None,
    });
    let pages: Vec<Vec<DataPage>> = leaves
        .map(|leaf| {
            let range = super::chunk::range(metadata.column(leaf), file.meta.size).ok()?;
            data_pages(&file.metadata, group, leaf, &range)
        })
        .collect::<Option<_>>()?;
    let mut rows: Vec<Range<usize>> = Vec::with_capacity(wanted.len());
    for range in wanted {
        match rows.last_mut() {
            Some(last) if !is_worth_it(&pages, &(last.end..range.start)) => last.end = range.end,
            _ => rows.push(range.clone()),
        }
    }
    let leaves_out = |pages: &Vec<DataPage>| kept_pages(pages, &rows).len() < pages.len();
    pages.iter().any(leaves_out).then(|| rows.into())
}

fn is_worth_it(pages: &[Vec<DataPage>], gap: &Range<usize>) -> bool {
    let (mut left_out, mut twice) = (0, 0);
    for pages in pages {
        let first = pages.partition_point(|page| page.rows.end <= gap.start);
        for page in pages[first..].iter().take_while(|page| page.rows.start < gap.end) {
            let bytes = page.bytes.end - page.bytes.start;
            if gap.start <= page.rows.start && page.rows.end <= gap.end {
                left_out += bytes;
            } else if page.rows.start < gap.start && gap.end < page.rows.end {
                twice += bytes;
            }
        }
    }
    left_out > twice
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
mod tests {
    use super::*;

    fn pages(ends: &[usize], bytes: u64) -> Vec<DataPage> {
        let mut start = 0;
        let page = |(index, &end): (usize, &usize)| {
            let rows = start..end;
            start = end;
            let first = index as u64 * bytes;
            DataPage {
                rows,
                bytes: first..first + bytes,
            }
        };
        ends.iter().enumerate().map(page).collect()
    }

    #[test]
    fn each_page_keeps_its_part_of_the_ranges() {
        let pages = pages(&[100, 250, 300, 1000], 10);
        let kept: Vec<(usize, Vec<Range<u32>>)> = kept_pages(&pages, &[20..30, 90..120, 260..300, 900..1000])
            .into_iter()
            .map(|page| (page.index, page.kept))
            .collect();
        let expected = [
            (0, vec![20..30, 90..100]),
            (1, vec![0..20]),
            (2, vec![10..50]),
            (3, vec![600..700]),
        ];
        assert_eq!(kept, expected);
        assert_eq!(kept_pages(&pages, &[250..300])[0].kept, [0..50]);
        assert_eq!(kept_pages(&pages, &[]), []);
    }

    #[test]
    fn a_gap_is_kept_if_it_leaves_out_more_than_is_decoded_twice() {
        let (narrow, wide) = (pages(&[100, 200, 300, 400], 10), pages(&[400], 15));
        assert!(is_worth_it(&[narrow.clone(), wide.clone()], &(100..300)));
        assert!(
            !is_worth_it(&[narrow.clone(), wide.clone()], &(100..200)),
            "10 bytes against 15"
        );
        assert!(!is_worth_it(&[narrow, wide], &(110..190)), "no page is left out");
    }
}
