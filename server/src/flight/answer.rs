//! The shapes that answers share: FlightInfo, schema messages, frames of a stream.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::sql::{Any, ProstMessageExt};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, SchemaAsIpc, Ticket};
use bytes::Bytes;
use futures::StreamExt;
use prost::Message;
use tonic::Status;

use super::frame::{FrameEncoder, FrameStream, frame_stream, wire_schema};
use crate::error::{Error, Result};

/// A schema as the IPC message that FlightInfo, prepared statements and GetTables carry.
///
/// # Errors
/// `Internal` if it cannot be written.
pub fn schema_message(schema: &Schema) -> Result<Bytes> {
    let schema = wire_schema(schema);
    let IpcMessage(message) = SchemaAsIpc::new(&schema, &IpcWriteOptions::default())
        .try_into()
        .map_err(|error| Error::internal(format!("schema of the result: {error}")))?;
    Ok(message)
}

/// The FlightInfo of one result: one endpoint, here, behind one ticket.
///
/// # Errors
/// As [`schema_message`].
pub fn flight_info(
    schema: &Schema,
    descriptor: FlightDescriptor,
    ticket: Bytes,
    query: &str,
) -> Result<FlightInfo> {
    // No location: the ticket is redeemed where it was given out, over the same connection.
    let endpoint = FlightEndpoint {
        ticket: Some(Ticket { ticket }),
        ..Default::default()
    };
    Ok(FlightInfo {
        schema: schema_message(schema)?,
        flight_descriptor: Some(descriptor),
        endpoint: vec![endpoint],
        total_records: -1,
        total_bytes: -1,
        ordered: true,
        app_metadata: query.to_owned().into(),
    })
}

/// The FlightInfo of a metadata command: its ticket is the command itself.
///
/// # Errors
/// As [`schema_message`].
pub fn metadata_info(
    schema: &Schema,
    descriptor: FlightDescriptor,
    command: &impl ProstMessageExt,
) -> Result<FlightInfo> {
    flight_info(schema, descriptor, command.as_any().encode_to_vec().into(), "")
}

/// The stream of batches that are already there.
///
/// # Errors
/// As [`stream`].
pub fn batches(schema: &SchemaRef, batches: Vec<RecordBatch>, message_bytes_max: u64) -> Result<FrameStream> {
    stream(
        schema,
        futures::stream::iter(batches.into_iter().map(Ok)),
        message_bytes_max,
    )
}

/// The stream of a result: its schema, then its batches as they come.
///
/// # Errors
/// `Internal` if a column has a type that Arrow IPC cannot carry.
pub fn stream(
    schema: &SchemaRef,
    batches: impl futures::Stream<Item = Result<RecordBatch>> + Send + 'static,
    message_bytes_max: u64,
) -> Result<FrameStream> {
    let limit = usize::try_from(message_bytes_max).unwrap_or(usize::MAX);
    let encoder = FrameEncoder::try_new(schema, limit)
        .map_err(|error| Error::internal(format!("schema of the result: {error}")))?;
    Ok(frame_stream(
        encoder,
        batches.map(|batch| batch.map_err(Status::from)),
    ))
}

/// The command that a descriptor or a ticket carries.
///
/// # Errors
/// `Sql` if the bytes are not a packed protobuf message.
pub fn unpack(what: &str, bytes: &[u8]) -> Result<Any> {
    Any::decode(bytes).map_err(|error| {
        Error::sql(format!(
            "{what}: {} bytes that are not a command: {error}",
            bytes.len()
        ))
    })
}
