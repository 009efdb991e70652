//! Columns in device memory to Arrow arrays.
//!
//! In: a device batch, and the schema that its rows are to have. Out: a record batch. Waits for the device.

use std::sync::Arc;

use arrow::array::{ArrayData, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow::buffer::{Buffer as ArrowBuffer, MutableBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, SchemaRef};
use kernels::strings::{OffsetWidth, StringWriter};
use kernels::{Buffer, ErrorWord, PinnedSlab, View};

use super::{DeviceBatch, DeviceColumn, Repr, Space, bitmap_bytes};
use crate::error::{Error, Result};
use crate::error_device::on_device;

/// String bytes that one array of 32-bit offsets holds at most.
const STRING_BYTES_MAX: u64 = i32::MAX as u64;

/// Copies the first `batch.rows` rows to the host. A batch whose strings do not fit into one array of their type comes
/// back in several.
///
/// # Errors
/// Out of memory; faults of the device.
pub fn download_sync(
    batch: &DeviceBatch,
    schema: &SchemaRef,
    strings: &StringWriter,
    space: &Space,
) -> Result<Vec<RecordBatch>> {
    let mut done = Vec::new();
    download_range(batch, 0, batch.rows, schema, strings, space, &mut done)?;
    Ok(done)
}

fn download_range(
    batch: &DeviceBatch,
    start: usize,
    rows: usize,
    schema: &SchemaRef,
    strings: &StringWriter,
    space: &Space,
    done: &mut Vec<RecordBatch>,
) -> Result<()> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(batch.columns.len());
    for (column, field) in batch.columns.iter().zip(schema.fields()) {
        let download = Download {
            column,
            start,
            rows,
            space,
        };
        match download.array(field, strings)? {
            Some(array) => arrays.push(array),
            None => {
                // Whole words of bitmaps, so that every part starts at one.
                let half = (rows / 2).next_multiple_of(32);
                download_range(batch, start, half, schema, strings, space, done)?;
                return download_range(batch, start + half, rows - half, schema, strings, space, done);
            }
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options).map_err(|error| {
        Error::internal(format!(
            "columns from the device do not fit their schema: {error}"
        ))
    })?;
    done.push(batch);
    Ok(())
}

/// A range of a column on its way. `start` is a multiple of 32.
struct Download<'a> {
    column: &'a DeviceColumn,
    start: usize,
    rows: usize,
    space: &'a Space,
}

impl Download<'_> {
    /// The array; `None` if its strings are too many bytes for one.
    fn array(&self, field: &Field, strings: &StringWriter) -> Result<Option<ArrayRef>> {
        let nulls = match &self.column.validity {
            Some(validity) => Some(self.bytes(self.bits(validity)?)?),
            None => None,
        };
        let held_as = self.held_as(field.data_type());
        let mut data = ArrayData::builder(held_as).len(self.rows).null_bit_buffer(nulls);
        if self.column.repr == Repr::Str {
            let Some((offsets, bytes)) = self.strings(strings)? else {
                return Ok(None);
            };
            data = data.add_buffer(offsets).add_buffer(bytes);
        } else {
            data = data.add_buffer(self.values(field.data_type())?);
        }
        let data = data.build().map_err(|error| match self.column.repr {
            // Bytes come from files as they are: whether they are UTF-8 is looked at only here.
            Repr::Str => Error::data(format!("column {}: {error}", field.name())),
            _ => Error::internal(format!("column {} from the device: {error}", field.name())),
        })?;
        let array = make_array(data);
        match array.data_type() == field.data_type() {
            true => Ok(Some(array)),
            false => cast(&array, field.data_type()).map(Some).map_err(|error| {
                Error::internal(format!("column {} from the device: {error}", field.name()))
            }),
        }
    }

    /// The type that the bytes are of; strings of other layouts are made of the plain one.
    fn held_as(&self, wanted: &DataType) -> DataType {
        match wanted {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        }
    }

    fn bits<'a>(&self, bitmap: &'a Buffer) -> Result<View<'a>> {
        let from = self.start / 8;
        bitmap
            .slice(from..from + bitmap_bytes(self.rows))
            .map_err(on_device)
    }

    fn values(&self, wanted: &DataType) -> Result<ArrowBuffer> {
        let repr = self.column.repr;
        if repr == Repr::Bool {
            return self.bytes(self.bits(&self.column.values)?);
        }
        let from = self.start * repr.width();
        let view = self
            .column
            .values
            .slice(from..from + self.rows * repr.width())
            .map_err(on_device)?;
        let bytes = self.bytes(view)?;
        let words = || bytes.typed_data::<i64>();
        Ok(match (wanted, repr) {
            (DataType::Decimal128(..), Repr::I64) => words()
                .iter()
                .map(|&word| i128::from(word))
                .collect::<Vec<i128>>()
                .into(),
            // A value of the type fits: its precision says so.
            (DataType::Decimal32(..), _) => words()
                .iter()
                .map(|&word| word as i32)
                .collect::<Vec<i32>>()
                .into(),
            _ => bytes,
        })
    }

    fn strings(&self, writer: &StringWriter) -> Result<Option<(ArrowBuffer, ArrowBuffer)>> {
        let space = self.space;
        if self.rows == 0 {
            return Ok(Some((
                ArrowBuffer::from(vec![0i32]),
                MutableBuffer::new(0).into(),
            )));
        }
        let width = Repr::Str.width();
        let refs = self
            .column
            .values
            .slice(self.start * width..(self.start + self.rows) * width)
            .map_err(on_device)?;
        let written = || {
            space.room_sync(self.rows / 16 + (8 << 10))?;
            let error = ErrorWord::new(&space.stream, &space.reservation)?;
            let measured = writer.measure(&space.stream, &space.reservation, refs)?;
            let total = measured.total_sync(&space.stream)?;
            if total > STRING_BYTES_MAX {
                return Ok(Err(total));
            }
            let offsets = space.take_sync((self.rows + 1) * 4)?;
            let bytes = space.take_sync(total as usize)?;
            let owners: Vec<&Buffer> = self.column.owners.iter().map(Arc::as_ref).collect();
            writer.write(
                &space.stream,
                refs,
                &measured,
                OffsetWidth::Bits32,
                offsets.slice(0..(self.rows + 1) * 4)?,
                bytes.slice(0..total as usize)?,
                &owners,
                &error,
            )?;
            error.check_sync(&space.stream, "write_strings_32")?;
            Ok(Ok((offsets, bytes, total as usize)))
        };
        let (offsets, bytes, total) = match written().map_err(on_device)? {
            Ok(written) => written,
            Err(total) if self.rows < 64 => {
                return Err(Error::resources(format!(
                    "{} strings of {total} bytes, an array holds {STRING_BYTES_MAX}",
                    self.rows
                )));
            }
            Err(_) => return Ok(None),
        };
        let offsets = self.bytes(offsets.slice(0..(self.rows + 1) * 4).map_err(on_device)?)?;
        let bytes = self.bytes(bytes.slice(0..total).map_err(on_device)?)?;
        Ok(Some((offsets, bytes)))
    }

    /// The bytes of a view.
    fn bytes(&self, view: View<'_>) -> Result<ArrowBuffer> {
        let stream = &self.space.stream;
        let device = self.space.device();
        let step = device.pinned_slab_bytes_max();
        let mut bytes = MutableBuffer::new(view.len_bytes());
        let mut start = 0;
        while start < view.len_bytes() {
            let end = view.len_bytes().min(start + step);
            let copied = || {
                let slab = device.pinned_sync(end - start, super::PINNED_WAIT)?;
                stream.download(view.slice(start..end)?, slab)?.wait_sync()
            };
            let (slab, len): (PinnedSlab, usize) = copied().map_err(on_device)?;
            bytes.extend_from_slice(&slab[..len]);
            start = end;
        }
        Ok(bytes.into())
    }
}
