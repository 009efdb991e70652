//! Record batches to messages: a batch comes in, as many messages as it needs to stay under the
//! limit go out, one at a time. Does not know streams.
//!
//! arrow-ipc's `StreamEncoder` builds the flatbuffer headers and lists the buffers of a batch
//! without copying them, so the size of a message is known before a byte of it is moved, and a
//! batch that is too large is cut in rows and listed again.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayData, RecordBatch, RecordBatchOptions};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::MetadataVersion;
use arrow::ipc::writer::{IpcWriteOptions, StreamEncoder};

use super::message::FlightFrame;
use super::wire_array::wire_array;
use super::wire_type::{has_dictionary, is_plain, wire_schema};
use crate::error::{Error, Result};

/// Half of the 4 MiB at which gRPC clients refuse a message unless told otherwise.
pub const MESSAGE_BYTES_MAX_DEFAULT: usize = 2 * 1024 * 1024;

/// What protobuf allows a message at most: many readers count in `i32`.
const MESSAGE_BYTES_LIMIT: usize = i32::MAX as usize;

/// Each buffer starts at a multiple of this in the body, as Arrow recommends.
const ALIGNMENT_BYTES: usize = 64;

/// IPC messages start with a marker and the length of their metadata, which Flight leaves away.
const IPC_PREFIX_BYTES: usize = 8;

/// Dictionaries grow when they are sent as values, by how much is known only afterwards: at most
/// so many rows are tried at once.
const DICTIONARY_ROWS_MAX: usize = 8192;

/// Turns the batches of one result into messages.
pub struct FrameEncoder {
    ipc: StreamEncoder,
    source_schema: SchemaRef,
    /// The schema on the wire with every column nullable: engines are lax about top-level
    /// nullability, and batches are not to fail on it here.
    lax_wire_schema: SchemaRef,
    schema_header: Buffer,
    message_bytes_max: usize,
    is_plain: bool,
    has_dictionary: bool,
}

impl FrameEncoder {
    /// An encoder for batches of `schema` whose messages are at most `message_bytes_max` long;
    /// only a single row that is larger by itself gets a longer one.
    ///
    /// # Errors
    /// `Unsupported` if the schema cannot be written as Arrow IPC.
    pub fn try_new(schema: &SchemaRef, message_bytes_max: usize) -> Result<Self> {
        let wire = wire_schema(schema);
        let fields = wire.fields();
        let (schema_header, ipc) = start_ipc(&wire)
            .map_err(|error| Error::unsupported(format!("schema of the result cannot be sent: {error}")))?;
        Ok(Self {
            ipc,
            source_schema: Arc::clone(schema),
            lax_wire_schema: Arc::new(Schema::new(
                fields
                    .iter()
                    .map(|field| Field::clone(field).with_nullable(true))
                    .collect::<Vec<_>>(),
            )),
            schema_header,
            message_bytes_max,
            is_plain: schema.fields().iter().all(|field| is_plain(field.data_type())),
            has_dictionary: schema
                .fields()
                .iter()
                .any(|field| has_dictionary(field.data_type())),
        })
    }

    /// The message that a stream starts with.
    pub fn schema_frame(&self) -> FlightFrame {
        FlightFrame::schema(self.schema_header.clone())
    }

    /// The messages of `batch`, made as they are asked for. A batch of no rows is one message.
    ///
    /// # Errors
    /// `Internal` if the batch is not of the encoder's schema.
    pub fn encode(&mut self, batch: RecordBatch) -> Result<BatchFrames<'_>> {
        let rows = self.split(batch)?;
        Ok(BatchFrames { encoder: self, rows })
    }

    pub(super) fn split(&self, batch: RecordBatch) -> Result<RowRanges> {
        self.check_schema(&batch)?;
        let rows = batch.num_rows();
        let mut left = Vec::new();
        push_ranges(&mut left, 0..rows, rows.div_ceil(self.rows_at_once(&batch)));
        Ok(RowRanges { batch, left })
    }

    pub(super) fn next_frame(&mut self, rows: &mut RowRanges) -> Option<Result<FlightFrame>> {
        while let Some(range) = rows.left.pop() {
            let frame = match self.frame(&rows.batch.slice(range.start, range.len())) {
                Ok(frame) => frame,
                // The values of a dictionary, once repeated, may be more than one array can hold.
                Err(_) if self.has_dictionary && range.len() > 1 => {
                    push_ranges(&mut rows.left, range, 2);
                    continue;
                }
                Err(error) => return Some(Err(error)),
            };
            if frame.message_bytes() > self.message_bytes_max && range.len() > 1 {
                let parts = self.parts(&frame, range.len());
                push_ranges(&mut rows.left, range, parts);
                continue;
            }
            if frame.message_bytes() > MESSAGE_BYTES_LIMIT {
                return Some(Err(Error::resources(format!(
                    "a row of the result takes {} bytes, a message carries at most {MESSAGE_BYTES_LIMIT}",
                    frame.message_bytes()
                ))));
            }
            return Some(Ok(frame));
        }
        None
    }

    /// How many rows are tried in one message. Where arrays are sent as they are, trying costs
    /// nothing; repeating the values of a dictionary does.
    fn rows_at_once(&self, batch: &RecordBatch) -> usize {
        if !self.has_dictionary {
            return batch.num_rows().max(1);
        }
        let value_bytes: usize = batch
            .columns()
            .iter()
            .map(|column| dictionary_value_bytes(&column.to_data()))
            .sum();
        let rows = self.message_bytes_max.saturating_mul(4).checked_div(value_bytes);
        rows.unwrap_or(DICTIONARY_ROWS_MAX).clamp(1, DICTIONARY_ROWS_MAX)
    }

    /// Into how many parts of equal rows a range is cut whose message came out too long.
    fn parts(&self, frame: &FlightFrame, rows: usize) -> usize {
        let overhead_bytes = frame.overhead_bytes();
        let room_bytes = self.message_bytes_max.saturating_sub(overhead_bytes).max(1);
        let values_bytes = frame.message_bytes().saturating_sub(overhead_bytes);
        values_bytes.div_ceil(room_bytes).clamp(2, rows)
    }

    fn frame(&mut self, batch: &RecordBatch) -> Result<FlightFrame> {
        let encoded = if self.is_plain {
            batch_frame(&mut self.ipc, batch)
        } else {
            self.wire_batch(batch)
                .and_then(|batch| batch_frame(&mut self.ipc, &batch))
        };
        encoded.map_err(|error| Error::internal(format!("a batch of the result cannot be sent: {error}")))
    }

    fn wire_batch(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().map(wire_array).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.lax_wire_schema), columns, &options)
    }

    fn check_schema(&self, batch: &RecordBatch) -> Result<()> {
        let expected = self.source_schema.fields();
        if batch.num_columns() != expected.len() {
            let found = batch.num_columns();
            let expected = expected.len();
            return Err(Error::internal(format!(
                "result batch has {found} columns, its schema {expected}"
            )));
        }
        for (field, column) in expected.iter().zip(batch.columns()) {
            if field.data_type() != column.data_type() {
                return Err(Error::internal(format!(
                    "column '{}' of a result batch is of type {}, its schema says {}",
                    field.name(),
                    column.data_type(),
                    field.data_type()
                )));
            }
        }
        Ok(())
    }
}

/// The messages of one batch.
pub struct BatchFrames<'a> {
    encoder: &'a mut FrameEncoder,
    rows: RowRanges,
}

impl Iterator for BatchFrames<'_> {
    type Item = Result<FlightFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        self.encoder.next_frame(&mut self.rows)
    }
}

/// What of a batch is still to be sent: ranges of rows, the next one last.
pub(super) struct RowRanges {
    batch: RecordBatch,
    left: Vec<Range<usize>>,
}

/// Bytes of the message that carries rows `rows` of `batch`, whatever its length.
///
/// # Errors
/// As for [`FrameEncoder::encode`].
pub fn encoded_bytes(batch: &RecordBatch, rows: Range<usize>) -> Result<usize> {
    let mut encoder = FrameEncoder::try_new(batch.schema_ref(), usize::MAX)?;
    Ok(encoder
        .frame(&batch.slice(rows.start, rows.len()))?
        .message_bytes())
}

/// Bytes of a value of the dictionaries in `array`, on average over the values.
fn dictionary_value_bytes(array: &ArrayData) -> usize {
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let values = &array.child_data()[0];
            let values_bytes = values
                .get_slice_memory_size()
                .unwrap_or(values.get_buffer_memory_size());
            values_bytes.checked_div(values.len()).unwrap_or(0)
        }
        _ => array.child_data().iter().map(dictionary_value_bytes).sum(),
    }
}

/// Cuts `range` into `parts` ranges that differ by a row at most, and pushes the last one first.
fn push_ranges(left: &mut Vec<Range<usize>>, range: Range<usize>, parts: usize) {
    let parts = parts.max(1);
    let cut = |part: usize| range.start + (range.len() as u128 * part as u128 / parts as u128) as usize;
    left.extend((0..parts).rev().map(|part| cut(part)..cut(part + 1)));
}

/// An encoder past its schema message, and that message's flatbuffer.
fn start_ipc(wire: &SchemaRef) -> Result<(Buffer, StreamEncoder), ArrowError> {
    let options = IpcWriteOptions::try_new(ALIGNMENT_BYTES, false, MetadataVersion::V5)?;
    let mut ipc = StreamEncoder::try_new_with_options(wire, options)?;
    // The schema comes with the first batch, so an empty one is encoded for it.
    let (header, _) = take_message(ipc.encode(&RecordBatch::new_empty(Arc::clone(wire)))?)?;
    Ok((header, ipc))
}

fn batch_frame(ipc: &mut StreamEncoder, batch: &RecordBatch) -> Result<FlightFrame, ArrowError> {
    let (header, body) = take_message(ipc.encode(batch)?)?;
    Ok(FlightFrame::batch(header, body, batch.num_rows()))
}

/// Takes the first message of `buffers` apart: its flatbuffer without the prefix, and all that
/// follows its padding.
fn take_message(buffers: Vec<Buffer>) -> Result<(Buffer, Vec<Buffer>), ArrowError> {
    let mut buffers = buffers.into_iter();
    let malformed = || ArrowError::IpcError("encoder wrote no message".to_owned());
    let prefix = buffers.next().ok_or_else(malformed)?;
    let metadata_bytes = <[u8; IPC_PREFIX_BYTES]>::try_from(prefix.as_slice())
        .map(|prefix| u64::from_le_bytes(prefix) >> 32)
        .map_err(|_| malformed())? as usize;
    let header = buffers.next().ok_or_else(malformed)?;
    let mut read_bytes = header.len();
    while read_bytes < metadata_bytes {
        read_bytes += buffers.next().ok_or_else(malformed)?.len();
    }
    Ok((header, buffers.collect()))
}
