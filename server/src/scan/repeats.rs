//! What is known of columns before they are read: which surely hold some value more than once, and how far apart values
//! may lie.
//!
//! In: a scan, and footers that are known before it is opened. Out: for each of its columns how many values there are
//! between its least and its greatest, and whether there are more rows. What is filtered later may leave fewer: it is
//! for guesses alone.

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

/// What is known of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColumnAbout {
    /// Whether it surely holds some value more than once.
    pub repeats: bool,
    /// How many integers lie between its least and its greatest value, these among them.
    pub values: Option<u64>,
}

impl ScanSpec {
    /// What footers that are known tell of each column of [`Self::schema`].
    pub fn columns_about(&self, context: &TaskContext) -> Vec<ColumnAbout> {
        let cache = context.runtime_env().cache_manager.get_file_metadata_cache();
        // A file that is read in parts is there once for each of them.
        let mut seen = HashSet::new();
        let files = self.files.iter().map(|file| &file.meta);
        let files = files.filter(|meta| seen.insert(&meta.location));
        let footers: Option<Vec<Arc<ParquetMetaData>>> =
            files.map(|meta| kept_footer(cache.as_ref(), meta)).collect();
        let footers = footers.unwrap_or_default();
        let rows = footers.iter().map(|footer| footer.file_metadata().num_rows());
        let rows = u64::try_from(rows.sum::<i64>()).unwrap_or_default();
        let asked = asked(&footers);
        let about = |&column: &usize| {
            let is_in_files = column < self.file_columns;
            let name = self.table_schema.field(column).name();
            let values = is_in_files.then(|| values(&asked, name)).flatten();
            ColumnAbout {
                repeats: values.is_some_and(|values| values < rows),
                values,
            }
        };
        self.columns.iter().map(about).collect()
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

/// How many values an integer column may have, where that is known.
fn values(groups: &[(&ParquetMetaData, &RowGroupMetaData)], name: &str) -> Option<u64> {
    let range = |(footer, group): &(&ParquetMetaData, &RowGroupMetaData)| {
        leaf(footer, name).and_then(|leaf| integers(group.column(leaf)))
    };
    let ranges: Vec<(i64, i64)> = groups.iter().map(range).collect::<Option<_>>()?;
    let least = ranges.iter().map(|range| range.0).min()?;
    let greatest = ranges.iter().map(|range| range.1).max()?;
    Some(greatest.abs_diff(least).saturating_add(1))
}
