use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow_flight::FlightDescriptor;
use futures::stream;
use http_body::Body;
use tonic::Status;

use super::super::{FrameBody, FrameEncoder, encoded_bytes, frame_stream, wire_schema};
use super::arrays::{Random, all_types, random_array};
use super::{batch_of, decode, encode, flight_data, words};
use crate::error::Kind;

fn numbers(rows: usize) -> ArrayRef {
    Arc::new((0..rows as i64).collect::<Int64Array>())
}

#[test]
fn plain_batches_are_what_arrow_ipc_writes() {
    let batch = batch_of(
        vec![numbers(1000), Arc::new(StringArray::from(vec!["x"; 1000]))],
        1000,
    );
    let message = flight_data(encode(&batch, usize::MAX).remove(1));
    let (_, expected) = IpcDataGenerator::default()
        .encode(
            &batch,
            &mut DictionaryTracker::new(false),
            &IpcWriteOptions::default(),
            &mut IpcWriteContext::default(),
        )
        .unwrap();
    assert_eq!(message.data_header, expected.ipc_message);
    assert_eq!(message.data_body, expected.arrow_data);
}

#[test]
fn messages_stay_under_the_limit_and_fill_it() {
    let max = 100_000;
    for data_type in all_types() {
        let column = random_array(&mut Random::new(3), &data_type, 20_000, 10);
        let frames = encode(&batch_of(vec![numbers(20_000), column], 20_000), max);
        assert!(
            frames.iter().all(|frame| frame.message_bytes() <= max),
            "{data_type}"
        );
        let bytes: usize = frames.iter().map(|frame| frame.message_bytes()).sum();
        assert!(
            frames.len() <= 3 + 3 * bytes / max,
            "{data_type}: {} messages for {bytes} bytes",
            frames.len()
        );
    }
}

#[test]
fn large_rows_go_alone() {
    let texts: Vec<String> = (0..40)
        .map(|row| "x".repeat(if row % 10 == 3 { 5000 } else { 10 }))
        .collect();
    let frames = encode(
        &batch_of(vec![Arc::new(StringArray::from(texts.clone()))], 40),
        2000,
    );
    assert!(
        frames
            .iter()
            .all(|frame| frame.message_bytes() <= 2000 || frame.rows() == 1)
    );
    let received: Vec<String> = decode(frames)
        .iter()
        .flat_map(|batch| words(batch.column(0)))
        .collect();
    assert_eq!(received, texts);
}

#[test]
fn a_slice_is_sent_without_the_rest() {
    let text = "a string that is longer than a view";
    let strings = vec![text; 100_000];
    let columns: Vec<ArrayRef> = vec![
        numbers(100_000),
        Arc::new(StringArray::from(strings.clone())),
        Arc::new(StringViewArray::from(strings)),
    ];
    for column in columns {
        let name = column.data_type().clone();
        let batch = batch_of(vec![column], 100_000);
        let (all, ten) = (
            encoded_bytes(&batch, 0..100_000).unwrap(),
            encoded_bytes(&batch, 500..510).unwrap(),
        );
        assert!(all > 800_000 && ten < 1500, "{name}: {all} and {ten} bytes");
    }
}

#[test]
fn large_buffers_are_referred_to() {
    let column = numbers(10_000);
    let values = column.to_data().buffers()[0].as_ptr();
    let segments = encode(&batch_of(vec![column], 10_000), usize::MAX)
        .remove(1)
        .into_segments();
    assert_eq!(segments.len(), 2, "header, values");
    assert_eq!(segments[1].as_ptr(), values);
}

#[test]
fn metadata_and_descriptor_are_fields_of_the_message() {
    let batch = batch_of(vec![numbers(3)], 3);
    let frame = encode(&batch, usize::MAX).remove(1);
    let without_bytes = frame.message_bytes();
    let descriptor = FlightDescriptor::new_path(vec!["a".to_owned(), "b".to_owned()]);
    let frame = frame
        .with_app_metadata("how far")
        .with_descriptor(descriptor.clone());
    assert!(frame.message_bytes() > without_bytes);
    let message = flight_data(frame);
    assert_eq!(message.app_metadata, "how far");
    assert_eq!(message.flight_descriptor, Some(descriptor));
}

#[test]
fn the_schema_says_what_is_sent() {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let field = Field::new("a", dictionary, false).with_metadata([("k".to_owned(), "v".to_owned())].into());
    let schema = Schema::new(vec![field]).with_metadata([("t".to_owned(), "u".to_owned())].into());
    let wire = wire_schema(&schema);
    assert_eq!(wire.metadata(), schema.metadata());
    assert_eq!(*wire.field(0).data_type(), DataType::Utf8);
    assert_eq!(wire.field(0).metadata(), schema.field(0).metadata());
    assert!(!wire.field(0).is_nullable());
    let received = decode(encode(&RecordBatch::new_empty(Arc::new(schema)), 1000));
    assert_eq!(received[0].schema(), wire);
}

/// 6,000 rows of one 500 kB value are 3 GB, more than a `StringArray` can hold.
#[test]
fn a_dictionary_too_large_to_repeat_is_sent_in_parts() {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(500_000)]));
    let keys = Int32Array::from(vec![0; 6000]);
    let column: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
    let batch = batch_of(vec![column], 6000);
    let mut encoder = FrameEncoder::try_new(batch.schema_ref(), 2_000_000).unwrap();
    let frames = encoder.encode(batch).unwrap().take(2).map(Result::unwrap);
    for frame in frames {
        assert!(
            frame.rows() > 0 && frame.message_bytes() <= 2_000_000,
            "{} rows",
            frame.rows()
        );
    }
}

#[test]
fn a_body_ends_with_its_trailers() {
    let batch = batch_of(vec![numbers(3)], 3);
    let encoder = FrameEncoder::try_new(batch.schema_ref(), 1000).unwrap();
    let mut body = FrameBody::new(frame_stream(
        encoder,
        stream::iter([Ok(batch), Err(Status::aborted("x"))]),
    ));
    let mut next = || futures::executor::block_on(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)));
    assert!(next().unwrap().unwrap().is_data(), "schema");
    assert!(next().unwrap().unwrap().is_data(), "batch");
    let trailers = next().unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "10");
    assert!(next().is_none());
    assert!(body.is_end_stream());
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let mut encoder = FrameEncoder::try_new(batch_of(vec![numbers(1)], 1).schema_ref(), 1000).unwrap();
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let error = encoder.encode(batch_of(vec![texts], 1)).err().unwrap();
    assert_eq!(error.kind(), Kind::Internal);
    assert_eq!(
        error.message(),
        "column 'c0' of a result batch is of type Utf8, its schema says Int64"
    );
    assert!(encoder.encode(batch_of(vec![], 1)).is_err());
}
