//! Which columns surely hold some value more than once.
//!
//! In: a scan, and footers that are known before it is opened. Out: for each of its columns whether there are more rows
//! than its least and greatest value leave room for. What is filtered later may leave fewer: it is for guesses alone.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::open::kept_footer;
use super::spec::ScanSpec;
use crate::catalog::footer::{integers, leaf};

/// Row groups whose statistics are looked at, the first and the last among them: sorted columns have their extremes
/// there, and of others each has nearly the whole range.
const GROUPS_ASKED: usize = 16;

impl ScanSpec {
    /// For each column of [`Self::schema`], whether it holds a value twice, as far as footers that are known tell.
    pub fn repeats_about(&self, context: &TaskContext) -> Vec<bool> {
        let cache = context.runtime_env().cache_manager.get_file_metadata_cache();
        // A file that is read in parts is there once for each of them.
        let mut seen = HashSet::new();
        let files = self.files.iter().map(|file| &file.meta);
        let files = files.filter(|meta| seen.insert(&meta.location));
        let footers: Option<Vec<Arc<ParquetMetaData>>> =
            files.map(|meta| kept_footer(cache.as_ref(), meta)).collect();
        let footers = footers.unwrap_or_default();
        let rows: i64 = footers
            .iter()
            .map(|footer| footer.file_metadata().num_rows())
            .sum();
        let asked = asked(&footers);
        let repeats = |&column: &usize| {
            let is_in_files = column < self.file_columns;
            is_in_files && values(&asked, self.table_schema.field(column).name()) < i128::from(rows)
        };
        self.columns.iter().map(repeats).collect()
    }
}

/// Some of the row groups, evenly spread, each with its footer.
fn asked(footers: &[Arc<ParquetMetaData>]) -> Vec<(&ParquetMetaData, &RowGroupMetaData)> {
    let groups = footers
        .iter()
        .flat_map(|footer| footer.row_groups().iter().map(|group| (footer.as_ref(), group)));
    let groups: Vec<_> = groups.collect();
    let count = groups.len().min(GROUPS_ASKED);
    let place = |at: usize| at * (groups.len() - 1) / (count - 1).max(1);
    (0..count).map(|at| groups[place(at)]).collect()
}

/// How many values an integer column may have; as many as one likes where that is not known.
fn values(groups: &[(&ParquetMetaData, &RowGroupMetaData)], name: &str) -> i128 {
    let range = |(footer, group): &(&ParquetMetaData, &RowGroupMetaData)| {
        leaf(footer, name).and_then(|leaf| integers(group.column(leaf)))
    };
    let ranges: Option<Vec<(i64, i64)>> = groups.iter().map(range).collect();
    let ranges = ranges.unwrap_or_default();
    let least = ranges.iter().map(|range| range.0).min();
    let greatest = ranges.iter().map(|range| range.1).max();
    match least.zip(greatest) {
        Some((least, greatest)) => i128::from(greatest) - i128::from(least) + 1,
        None => i128::MAX,
    }
}
