//! CSV and JSON lines, through Arrow's own writers.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::csv;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::json::writer::LineDelimited;
use arrow::json::{Writer, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::super::failure::{Failure, Outcome};
use super::ResultWriter;

/// Comma-separated values (RFC 4180): a header, quotes where needed. Nested values are written as text.
pub struct CsvWriter<'a> {
    inner: csv::Writer<Borrowed<'a>>,
    null: String,
    name: &'a str,
}

impl<'a> CsvWriter<'a> {
    pub fn new(null: &str, name: &'a str, out: &'a mut dyn Write) -> Self {
        let inner = csv::WriterBuilder::new()
            .with_header(true)
            .with_null(null.to_owned())
            .build(Borrowed(out));
        Self {
            inner,
            null: null.to_owned(),
            name,
        }
    }
}

impl ResultWriter for CsvWriter<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Outcome<()> {
        flatten(batch, &self.null)
            .and_then(|flat| self.inner.write(&flat))
            .map_err(|e| Failure::from_arrow(self.name, &e))
    }

    fn finish(&mut self) -> Outcome<()> {
        Ok(())
    }
}

/// Columns that CSV has no notation for become text.
fn flatten(batch: &RecordBatch, null: &str) -> Result<RecordBatch, ArrowError> {
    if !batch.schema().fields().iter().any(|f| is_nested(f.data_type())) {
        return Ok(batch.clone());
    }
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if is_nested(field.data_type()) {
            fields.push(Field::new(field.name(), DataType::Utf8, true));
            columns.push(as_text(column, null)?);
        } else {
            fields.push(field.as_ref().clone());
            columns.push(column.clone());
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn is_nested(data_type: &DataType) -> bool {
    data_type.is_nested() || matches!(data_type, DataType::Dictionary(_, values) if values.is_nested())
}

fn as_text(column: &ArrayRef, null: &str) -> Result<ArrayRef, ArrowError> {
    let options = FormatOptions::default().with_null(null).with_display_error(true);
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let mut texts = StringBuilder::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            texts.append_null();
        } else {
            texts.append_value(formatter.value(row).try_to_string()?);
        }
    }
    Ok(Arc::new(texts.finish()))
}

/// A JSON object a line, NULLs included, so that every line has every key.
pub struct JsonWriter<'a> {
    inner: Writer<Borrowed<'a>, LineDelimited>,
    name: &'a str,
}

impl<'a> JsonWriter<'a> {
    pub fn new(name: &'a str, out: &'a mut dyn Write) -> Self {
        Self {
            inner: WriterBuilder::new()
                .with_explicit_nulls(true)
                .build(Borrowed(out)),
            name,
        }
    }
}

impl ResultWriter for JsonWriter<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Outcome<()> {
        self.inner
            .write(batch)
            .map_err(|e| Failure::from_arrow(self.name, &e))
    }

    fn finish(&mut self) -> Outcome<()> {
        self.inner
            .finish()
            .map_err(|e| Failure::from_arrow(self.name, &e))
    }
}

/// Writers want to own what they write to.
struct Borrowed<'a>(&'a mut dyn Write);

impl Write for Borrowed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}
