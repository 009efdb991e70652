//! What a Parquet footer says of one column. In: the footer, or a chunk. Out: its place, its range.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;

/// The place of a column of the top level among all that have values.
pub fn leaf(footer: &ParquetMetaData, name: &str) -> Option<usize> {
    let columns = footer.file_metadata().schema_descr().columns();
    columns.iter().position(|column| column.path().parts() == [name])
}

/// The least and the greatest value of a chunk of integers, if it says so.
pub fn integers(chunk: &ColumnChunkMetaData) -> Option<(i64, i64)> {
    match chunk.statistics() {
        Some(Statistics::Int32(values)) => values
            .min_opt()
            .zip(values.max_opt())
            .map(|(min, max)| (i64::from(*min), i64::from(*max))),
        Some(Statistics::Int64(values)) => values
            .min_opt()
            .zip(values.max_opt())
            .map(|(min, max)| (*min, *max)),
        _ => None,
    }
}
