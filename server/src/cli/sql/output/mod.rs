//! Results on paper. In: the batches of one result, in order. Out: bytes in the format asked for, as the
//! batches come. Knows nothing of where the batches come from.

mod arrow_file;
mod destination;
mod table;
mod text;

use std::io::Write;

use arrow::array::RecordBatch;
use clap::ValueEnum;

pub use destination::{Destination, Sink};
pub use table::{TableStyle, grouped};

use super::failure::Outcome;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns, for people
    Table,
    /// Comma-separated values with a header line
    Csv,
    /// One JSON object a row and line
    Json,
    /// An Arrow IPC file
    Arrow,
}

/// The format with what belongs to it.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Which.
    pub format: Format,
    /// What stands for NULL in tables and CSV; by default `NULL` and nothing.
    pub null: Option<String>,
    /// For tables.
    pub table: TableStyle,
}

/// Writes one result.
pub trait ResultWriter {
    /// Whether writing `rows` more rows puts something out now.
    fn shows(&self, rows: usize) -> bool {
        rows > 0
    }
    /// Rows in order. The first batch brings the schema and may have no rows.
    fn write(&mut self, batch: &RecordBatch) -> Outcome<()>;
    /// After the last row.
    fn finish(&mut self) -> Outcome<()>;
}

/// A writer of one result in `layout` to `out`, called `name` in errors.
pub fn writer<'a>(layout: &'a Layout, name: &'a str, out: &'a mut dyn Write) -> Box<dyn ResultWriter + 'a> {
    let null = layout.null.as_deref();
    match layout.format {
        Format::Table => Box::new(table::TableWriter::new(
            &layout.table,
            null.unwrap_or("NULL"),
            name,
            out,
        )),
        Format::Csv => Box::new(text::CsvWriter::new(null.unwrap_or_default(), name, out)),
        Format::Json => Box::new(text::JsonWriter::new(name, out)),
        Format::Arrow => Box::new(arrow_file::ArrowFileWriter::new(name, out)),
    }
}

#[cfg(test)]
mod tests;
