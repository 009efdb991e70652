//! Arrow's file format, batch by batch.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;

use super::super::failure::{Failure, Outcome};
use super::ResultWriter;

/// An Arrow IPC file. Dictionaries are written out: a file may hold only one a column, a stream many.
pub struct ArrowFileWriter<'a> {
    out: Option<&'a mut dyn Write>,
    open: Option<(FileWriter<&'a mut dyn Write>, SchemaRef)>,
    name: &'a str,
}

impl<'a> ArrowFileWriter<'a> {
    pub fn new(name: &'a str, out: &'a mut dyn Write) -> Self {
        Self {
            out: Some(out),
            open: None,
            name,
        }
    }

    fn append(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if let Some(out) = self.out.take() {
            let schema = without_dictionaries(batch.schema_ref());
            self.open = Some((FileWriter::try_new(out, &schema)?, schema));
        }
        let Some((file, schema)) = &mut self.open else {
            return Ok(());
        };
        let columns = batch.columns().iter().zip(schema.fields());
        let columns: Result<Vec<_>, _> = columns
            .map(|(column, field)| cast(column, field.data_type()))
            .collect();
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        file.write(&RecordBatch::try_new_with_options(
            schema.clone(),
            columns?,
            &options,
        )?)
    }
}

impl ResultWriter for ArrowFileWriter<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Outcome<()> {
        self.append(batch).map_err(|e| Failure::from_arrow(self.name, &e))
    }

    fn finish(&mut self) -> Outcome<()> {
        match &mut self.open {
            Some((file, _)) => file.finish().map_err(|e| Failure::from_arrow(self.name, &e)),
            None => Ok(()),
        }
    }
}

fn without_dictionaries(schema: &Schema) -> SchemaRef {
    let plain = |field: &Field| match field.data_type() {
        DataType::Dictionary(_, values) => field.clone().with_data_type(values.as_ref().clone()),
        _ => field.clone(),
    };
    let fields: Vec<Field> = schema.fields().iter().map(|field| plain(field)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}
