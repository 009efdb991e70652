//! What is sent is what arrow-flight's own decoder reads back, for every type, slice and null pattern.

#![allow(clippy::unwrap_used)]

mod arrays;
mod messages;
mod roundtrip;
mod service;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;

use super::{FlightFrame, FrameEncoder};

/// The bytes of a message, taken apart by the generated protobuf code.
fn flight_data(frame: FlightFrame) -> FlightData {
    let message_bytes = frame.message_bytes();
    let wire = frame.into_segments().concat();
    assert_eq!(wire[0], 0, "not compressed");
    assert_eq!(wire[1..5], (message_bytes as u32).to_be_bytes());
    assert_eq!(wire.len(), 5 + message_bytes);
    FlightData::decode(&wire[5..]).unwrap()
}

fn encode(batch: &RecordBatch, message_bytes_max: usize) -> Vec<FlightFrame> {
    let mut encoder = FrameEncoder::try_new(batch.schema_ref(), message_bytes_max).unwrap();
    let mut frames = vec![encoder.schema_frame()];
    frames.extend(encoder.encode(batch.clone()).unwrap().map(Result::unwrap));
    frames
}

fn decode(frames: Vec<FlightFrame>) -> Vec<RecordBatch> {
    let messages: Vec<_> = frames.into_iter().map(|frame| Ok(flight_data(frame))).collect();
    let batches = FlightRecordBatchStream::new_from_flight_data(stream::iter(messages).boxed());
    futures::executor::block_on(batches.try_collect()).unwrap()
}

fn batch_of(columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let field =
        |(at, column): (usize, &ArrayRef)| Field::new(format!("c{at}"), column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options).unwrap()
}

/// Each value in words, the same whatever the encoding of the array.
fn words(array: &dyn Array) -> Vec<String> {
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_display_error(true);
    let formatter = ArrayFormatter::try_new(array, &options).unwrap();
    (0..array.len())
        .map(|row| formatter.value(row).to_string())
        .collect()
}
