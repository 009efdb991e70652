//! TPC-H sample data as Parquet. In: a scale, a folder, how to cut the files. Out: the tables in that
//! folder, whole or not at all. Knows nothing of the server that may read them.
//!
//! The rows are those of the specification's dbgen. Which rows stand in which row group of which
//! file follows from the options alone, so the bytes do not depend on how many threads wrote them.

mod compression;
mod file;
mod layout;
mod progress;
mod queries;
mod staging;
mod table;
#[cfg(test)]
mod tests;
mod workers;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use compression::parse_compression;
pub use layout::TablePlan;
pub use progress::{Progress, Silent, TerminalProgress};
pub use queries::Query;
pub use table::Table;

use crate::error::{Error, Result};
use parquet::basic::Compression;
use staging::Staging;

/// The scales taken: below, tables come out with no rows; above, dbgen's 32-bit keys end.
pub const SCALE_MIN: f64 = 0.001;
/// See [`SCALE_MIN`].
pub const SCALE_MAX: f64 = 100_000.0;
/// The most files a table may be cut into.
pub const FILES_MAX: usize = 100_000;
/// The smallest row group that can be asked for, in bytes.
pub const ROW_GROUP_BYTES_MIN: usize = 4 * 1024;

/// What to write and where.
#[derive(Debug, Clone)]
pub struct TpchOptions {
    /// The scale factor: 1 is about 1 GB of text, 6 million rows of `lineitem`.
    pub scale: f64,
    /// The folder. It is made if missing; it must be empty unless `overwrite`.
    pub out: PathBuf,
    /// Encoded bytes (before compression) that a row group should have, roughly.
    pub row_group_bytes: usize,
    /// How many files a table is cut into: 1 is `OUT/<table>.parquet`, more are
    /// `OUT/<table>/<table>.<n>.parquet`. A table with fewer rows gets fewer files.
    pub files: usize,
    /// The codec of every column.
    pub compression: Compression,
    /// Which tables.
    pub tables: Vec<Table>,
    /// Replace these tables if the folder has them already. Other files there stay.
    pub overwrite: bool,
    /// Threads that generate and encode; 0 is one a core.
    pub threads: usize,
}

impl TpchOptions {
    /// All tables at `scale` into `out`, one Snappy-compressed file each.
    pub fn new(scale: f64, out: impl Into<PathBuf>) -> Self {
        Self {
            scale,
            out: out.into(),
            row_group_bytes: 16 * 1024 * 1024,
            files: 1,
            compression: Compression::SNAPPY,
            tables: Table::ALL.to_vec(),
            overwrite: false,
            threads: 0,
        }
    }

    fn check(&self) -> Result<()> {
        if !(SCALE_MIN..=SCALE_MAX).contains(&self.scale) {
            return Err(Error::sql(format!(
                "found scale {}, expected a number from {SCALE_MIN} to {SCALE_MAX}",
                self.scale
            )));
        }
        if !(1..=FILES_MAX).contains(&self.files) {
            return Err(Error::sql(format!(
                "found {} files, expected 1 to {FILES_MAX}",
                self.files
            )));
        }
        if self.row_group_bytes < ROW_GROUP_BYTES_MIN {
            return Err(Error::sql(format!(
                "found row groups of {} bytes, expected at least {ROW_GROUP_BYTES_MIN}",
                self.row_group_bytes
            )));
        }
        if self.tables.is_empty() {
            return Err(Error::sql("no table to generate was named"));
        }
        Ok(())
    }

    fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }
}

/// One table that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// Which.
    pub table: Table,
    /// Its rows.
    pub rows: u64,
    /// Its bytes on disk.
    pub bytes: u64,
    /// Its files.
    pub files: usize,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Summary {
    /// One entry a table, in the order asked for.
    pub tables: Vec<TableSummary>,
    /// From the first row to the last rename.
    pub elapsed: Duration,
}

/// Writes the tables. They appear under their final names only when all are complete; on an error or
/// when `progress` says cancelled, nothing is left behind.
pub fn generate(options: &TpchOptions, progress: &dyn Progress) -> Result<Summary> {
    options.check()?;
    let start = Instant::now();
    let mut tables = options.tables.clone();
    let mut seen = Vec::new();
    tables.retain(|t| {
        !seen.contains(t) && {
            seen.push(*t);
            true
        }
    });
    let plans: Vec<TablePlan> = tables.iter().map(|t| TablePlan::new(*t, options)).collect();
    let staging = Staging::create(&options.out, &tables, options.overwrite)?;
    progress.begin(&plans);
    let written = workers::write_all(&plans, staging.dir(), options, progress)?;
    if progress.cancelled() {
        return Err(Error::cancelled("stopped; nothing was written"));
    }
    staging.publish()?;
    Ok(Summary {
        tables: written,
        elapsed: start.elapsed(),
    })
}

/// Whether `dir` holds every one of the eight tables, as [`generate`] leaves them.
pub fn is_complete(dir: &Path) -> bool {
    Table::ALL
        .iter()
        .all(|t| dir.join(format!("{t}.parquet")).is_file() || dir.join(t.name()).is_dir())
}
