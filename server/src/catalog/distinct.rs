//! How many distinct values a column has, estimated from the sizes in Parquet footers.
//!
//! In: footers. Out: a number, good to a factor of two in most cases, since a writer that uses a dictionary spends
//! the entries' bytes on it and `log2(entries)` bits on every value: the chunk's size before compression says how
//! many entries that were. Columns too varied for a dictionary look as if every value were distinct. No page is read.

use std::sync::Arc;

use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;

use super::footer::{integers, leaf};

/// Bytes of a text of unknown length.
const TEXT_BYTES: f64 = 16.0;
/// Bytes of a page header, about.
const PAGE_HEADER_BYTES: f64 = 20.0;
/// From this share of distinct values among a chunk's rows on, other chunks are taken to have other values.
const NEARLY_UNIQUE: f64 = 0.9;

/// What one row group says of a column.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    rows: f64,
    distinct: f64,
    /// The least and the greatest value, of integers.
    range: Option<(i64, i64)>,
}

/// The distinct values of a column over all files; none if no file has the column at its top level.
pub fn of_column(name: &str, footers: &[Arc<ParquetMetaData>]) -> Option<usize> {
    let mut chunks = Vec::new();
    for footer in footers {
        let index = leaf(footer, name)?;
        let groups = footer.row_groups().iter().map(|group| group.column(index));
        chunks.extend(groups.map(of_chunk));
    }
    let values = over_chunks(&mut chunks);
    (values >= 1.0).then_some(values as usize)
}

fn of_chunk(chunk: &ColumnChunkMetaData) -> Chunk {
    let nulls = chunk
        .statistics()
        .and_then(Statistics::null_count_opt)
        .unwrap_or(0);
    let rows = (chunk.num_values() as f64 - nulls as f64).max(0.0);
    let told = chunk.statistics().and_then(Statistics::distinct_count_opt);
    let distinct = told.map_or_else(|| by_size(chunk, rows), |told| told as f64);
    Chunk {
        rows,
        distinct,
        range: integers(chunk),
    }
}

/// The most entries whose dictionary and codes fit the chunk's bytes before compression.
fn by_size(chunk: &ColumnChunkMetaData, rows: f64) -> f64 {
    let Some(dictionary) = chunk.dictionary_page_offset() else {
        return rows;
    };
    let value_bytes = match chunk.column_type() {
        PhysicalType::BOOLEAN => return rows.min(2.0),
        PhysicalType::INT32 | PhysicalType::FLOAT => 4.0,
        PhysicalType::INT64 | PhysicalType::DOUBLE => 8.0,
        PhysicalType::INT96 => 12.0,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => f64::from(chunk.column_descr().type_length().max(1)),
        PhysicalType::BYTE_ARRAY => {
            let texts = chunk.unencoded_byte_array_data_bytes();
            4.0 + texts.map_or(TEXT_BYTES, |bytes| bytes as f64 / rows.max(1.0))
        }
    };
    let bytes = chunk.uncompressed_size() as f64 - 2.0 * PAGE_HEADER_BYTES;
    let size = |entries: f64| entries * value_bytes + rows * entries.max(2.0).log2().ceil() / 8.0;
    let (mut fits, mut too_many) = (1.0_f64, rows.max(1.0) + 1.0);
    while too_many - fits > 0.5 {
        let middle = f64::midpoint(fits, too_many);
        match size(middle.floor()) <= bytes {
            true => fits = middle,
            false => too_many = middle,
        }
    }
    // Codes in long runs take less than their bits: what the dictionary's page itself takes is a lower bound.
    let page_bytes = (chunk.data_page_offset() - dictionary) as f64 - PAGE_HEADER_BYTES;
    fits.floor()
        .max(page_bytes / value_bytes)
        .clamp(1.0, rows.max(1.0))
}

fn over_chunks(chunks: &mut [Chunk]) -> f64 {
    let rows: f64 = chunks.iter().map(|chunk| chunk.rows).sum();
    let distinct: f64 = chunks.iter().map(|chunk| chunk.distinct).sum();
    if chunks.len() < 2 || distinct > NEARLY_UNIQUE * rows || are_disjoint(chunks) {
        return distinct;
    }
    let count = chunks.len() as f64;
    drawn_from(rows / count, distinct / count, rows).min(distinct)
}

fn are_disjoint(chunks: &mut [Chunk]) -> bool {
    chunks.sort_by_key(|chunk| chunk.range);
    let ranges: Option<Vec<(i64, i64)>> = chunks.iter().map(|chunk| chunk.range).collect();
    ranges.is_some_and(|ranges| ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0))
}

/// Of how many equally likely values `draws` show `seen` different ones, at most `limit`.
fn drawn_from(draws: f64, seen: f64, limit: f64) -> f64 {
    let shown = |values: f64| values * (1.0 - (-draws / values).exp());
    let (mut low, mut high) = (seen.max(1.0), limit.max(seen).max(1.0));
    if shown(high) < seen {
        return high;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        match shown(middle) < seen {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_draws_lead_back_to_their_values() {
        for values in [10.0_f64, 1000.0, 50_000.0] {
            for draws in [100.0, 10_000.0_f64] {
                let seen = values * (1.0 - (-draws / values).exp());
                let found = drawn_from(draws, seen, 1e6);
                // Where nearly all values were seen, fewer cannot be told from as many.
                assert!(
                    found > 0.98 * values.min(seen / 0.98) && found < 1.1 * values,
                    "{values} {draws} {found}"
                );
            }
        }
    }

    #[test]
    fn chunks_that_do_not_overlap_add_up() {
        let chunk = |from: i64| Chunk {
            rows: 400.0,
            distinct: 100.0,
            range: Some((from, from + 99)),
        };
        let apart = over_chunks(&mut [chunk(200), chunk(0), chunk(100)]);
        assert_eq!(apart, 300.0);
        let same = over_chunks(&mut [chunk(0), chunk(0), chunk(0)]);
        assert!((100.0..110.0).contains(&same), "{same}");
    }
}
