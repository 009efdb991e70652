//! Which columns surely hold some value more than once.
//!
//! In: a scan, and footers that are known before it is opened. Out: for each of its columns whether there are more rows
//! than its least and greatest value leave room for. What is filtered later may leave fewer: it is for guesses alone.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::open::kept_footer;
use super::spec::ScanSpec;

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
        let groups: Vec<&RowGroupMetaData> = footers.iter().flat_map(|footer| footer.row_groups()).collect();
        let rows: i64 = groups.iter().map(|group| group.num_rows()).sum();
        let asked = asked(&groups);
        let repeats = |&column: &usize| {
            let is_in_files = column < self.file_columns;
            is_in_files && values(&asked, self.table_schema.field(column).name()) < i128::from(rows)
        };
        self.columns.iter().map(repeats).collect()
    }
}

/// Some of the groups, evenly spread.
fn asked<'a>(groups: &[&'a RowGroupMetaData]) -> Vec<&'a RowGroupMetaData> {
    let count = groups.len().min(GROUPS_ASKED);
    let place = |at: usize| at * (groups.len() - 1) / (count - 1).max(1);
    (0..count).map(|at| groups[place(at)]).collect()
}

/// How many values an integer column may have; as many as one likes where that is not known.
fn values(groups: &[&RowGroupMetaData], name: &str) -> i128 {
    let mut least = i64::MAX;
    let mut greatest = i64::MIN;
    for group in groups {
        let mut columns = group.columns().iter();
        let chunk = columns.find(|chunk| chunk.column_path().parts() == [name]);
        let range = match chunk.and_then(|chunk| chunk.statistics()) {
            Some(Statistics::Int32(values)) => values
                .min_opt()
                .zip(values.max_opt())
                .map(|(&min, &max)| (min.into(), max.into())),
            Some(Statistics::Int64(values)) => values
                .min_opt()
                .zip(values.max_opt())
                .map(|(&min, &max)| (min, max)),
            _ => None,
        };
        let Some((min, max)) = range else {
            return i128::MAX;
        };
        least = least.min(min);
        greatest = greatest.max(max);
    }
    match groups {
        [] => i128::MAX,
        _ => i128::from(greatest) - i128::from(least) + 1,
    }
}
