//! Files that tests read: TPC-H tables from the server's own generator, and small Parquet files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::target::{made_once, server_binary};

/// A folder with the eight TPC-H tables at a scale, in row groups small enough for each large table to have several.
///
/// # Panics
/// If `warpflight generate` fails.
pub fn tpch(scale: &str) -> PathBuf {
    made_once(&format!("tpch-{scale}"), |folder| {
        let mut command = Command::new(server_binary());
        command
            .args([
                "generate",
                "tpch",
                "--scale",
                scale,
                "--row-group-bytes",
                "1MiB",
                "--out",
            ])
            .arg(folder.join("tables"));
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{command:?} cannot start: {error}"));
        assert!(
            output.status.success(),
            "{command:?} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    })
    .join("tables")
}

/// Writes a batch as a Parquet file, `row_group_rows` rows a row group.
///
/// # Panics
/// If it cannot be written.
pub fn write_parquet(path: &Path, batch: &RecordBatch, row_group_rows: usize) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(row_group_rows))
        .build();
    write_parquet_as(path, batch, properties);
}

/// Writes a Parquet file as `properties` say.
///
/// # Panics
/// If it cannot be written.
pub fn write_parquet_as(path: &Path, batch: &RecordBatch, properties: WriterProperties) {
    let file = File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut writer =
        ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("the schema is Parquet's");
    writer.write(batch).expect("the rows can be written");
    writer.close().expect("the file can be closed");
}
