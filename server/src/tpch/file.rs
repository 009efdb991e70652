//! One Parquet file written by several threads. In: encoded row groups, in any order. Out: the file,
//! its row groups in order. Knows nothing of what the rows are.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, ArrowWriterOptions};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;

use crate::error::{Error, Result};

/// An encoded row group: its columns and its rows. No columns: it had no rows and is left out.
pub(super) struct EncodedGroup {
    pub columns: Vec<ArrowColumnChunk>,
    pub rows: u64,
}

/// A file that is opened by its first row group and closed by its last.
pub(super) struct ParquetFile {
    path: PathBuf,
    schema: SchemaRef,
    compression: Compression,
    row_groups: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    /// Row groups that came before their turn.
    early: BTreeMap<usize, EncodedGroup>,
    next: usize,
    rows: u64,
}

struct Open {
    writer: SerializedFileWriter<File>,
    columns: Arc<ArrowRowGroupWriterFactory>,
}

impl ParquetFile {
    pub fn new(path: PathBuf, schema: SchemaRef, compression: Compression, row_groups: usize) -> Self {
        Self {
            path,
            schema,
            compression,
            row_groups,
            state: Mutex::default(),
        }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What makes the column encoders of a row group; opens the file if it is not yet.
    pub fn columns(&self) -> Result<Arc<ArrowRowGroupWriterFactory>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &state.open {
            return Ok(open.columns.clone());
        }
        let open = self.open().map_err(|e| self.error(&e))?;
        Ok(state.open.insert(open).columns.clone())
    }

    fn open(&self) -> Result<Open, ParquetError> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let properties = WriterProperties::builder()
            .set_compression(self.compression)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_created_by(concat!("warpflight version ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        // Without Arrow's own schema in the footer, readers see plain Parquet types instead of the
        // generator's choice of string layout.
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let writer =
            ArrowWriter::try_new_with_options(File::create_new(&self.path)?, self.schema.clone(), options)?;
        let (writer, columns) = writer.into_serialized_writer()?;
        Ok(Open {
            writer,
            columns: Arc::new(columns),
        })
    }

    /// Hands in row group `index`. Returns the file's rows and bytes when it was the last one missing.
    pub fn append(&self, index: usize, group: EncodedGroup) -> Result<Option<(u64, u64)>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.early.insert(index, group);
        self.drain(&mut state).map_err(|e| self.error(&e))
    }

    fn drain(&self, state: &mut State) -> Result<Option<(u64, u64)>, ParquetError> {
        let State {
            open: Some(open),
            early,
            next,
            rows,
        } = state
        else {
            return Err(ParquetError::General(
                "row group for a file that is not open".into(),
            ));
        };
        while let Some(group) = early.remove(next) {
            *next += 1;
            *rows += group.rows;
            if group.columns.is_empty() {
                continue;
            }
            let mut row_group = open.writer.next_row_group()?;
            for column in group.columns {
                column.append_to_row_group(&mut row_group)?;
            }
            row_group.close()?;
        }
        if *next < self.row_groups {
            return Ok(None);
        }
        open.writer.finish()?;
        let bytes = open.writer.bytes_written() as u64;
        let rows = *rows;
        state.open = None;
        Ok(Some((rows, bytes)))
    }

    /// A Parquet error with the file's name, and a full disk in words.
    pub fn error(&self, e: &ParquetError) -> Error {
        write_error(&self.path, e)
    }
}

/// What a failed write to `path` means.
pub(super) fn write_error(path: &Path, e: &ParquetError) -> Error {
    if let ParquetError::External(inner) = e
        && let Some(io) = inner.downcast_ref::<std::io::Error>()
    {
        return io_error(path, io);
    }
    Error::internal(format!("cannot encode {}: {e}", path.display()))
}

/// What a failed file operation on `path` means.
pub(super) fn io_error(path: &Path, e: &std::io::Error) -> Error {
    let path = path.display();
    match e.kind() {
        std::io::ErrorKind::StorageFull => Error::resources(format!("the disk is full: cannot write {path}")),
        std::io::ErrorKind::QuotaExceeded => {
            Error::resources(format!("the disk quota is used up: cannot write {path}"))
        }
        std::io::ErrorKind::FileTooLarge => {
            Error::resources(format!("cannot write {path}: larger than files may be here"))
        }
        std::io::ErrorKind::PermissionDenied => {
            Error::denied(format!("cannot write {path}: permission denied"))
        }
        _ => Error::data(format!("cannot write {path}: {e}")),
    }
}
