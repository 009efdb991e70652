//! One gRPC message of DoGet: the fields of FlightData come in, the bytes that go on the wire go
//! out as a list of buffers. The values of large buffers are referred to, never copied.

use std::mem;

use arrow::buffer::Buffer;
use arrow_flight::FlightDescriptor;
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

// Field numbers of arrow.flight.protocol.FlightData in Flight.proto.
const FLIGHT_DESCRIPTOR: u32 = 1;
const DATA_HEADER: u32 = 2;
const APP_METADATA: u32 = 3;
const DATA_BODY: u32 = 1000;

/// Before each gRPC message: a byte that says uncompressed, and the length in four.
const GRPC_PREFIX_BYTES: usize = 5;

/// Smaller buffers are copied together: an HTTP/2 frame and its `writev` cost about as much as
/// copying this many bytes, which is also what a frame holds for most peers.
const BY_REFERENCE_BYTES_MIN: usize = 16 * 1024;

/// One message of a DoGet response: a schema or a record batch, ready to be sent.
#[derive(Debug, Clone)]
pub struct FlightFrame {
    descriptor: Option<FlightDescriptor>,
    header: Buffer,
    app_metadata: Bytes,
    /// The IPC body with its padding; `None` for a schema, which has none.
    body: Option<Vec<Buffer>>,
    body_bytes: usize,
    rows: usize,
}

impl FlightFrame {
    /// A schema: `header` is its flatbuffer message.
    pub(super) fn schema(header: Buffer) -> Self {
        Self {
            descriptor: None,
            header,
            app_metadata: Bytes::new(),
            body: None,
            body_bytes: 0,
            rows: 0,
        }
    }

    /// A record batch of `rows`: `header` is its flatbuffer message, `body` the padded buffers.
    pub(super) fn batch(header: Buffer, body: Vec<Buffer>, rows: usize) -> Self {
        let body_bytes = body.iter().map(Buffer::len).sum();
        Self {
            descriptor: None,
            header,
            app_metadata: Bytes::new(),
            body: Some(body),
            body_bytes,
            rows,
        }
    }

    /// The same message carrying `app_metadata`; an empty one is not sent.
    #[must_use]
    pub fn with_app_metadata(mut self, app_metadata: impl Into<Bytes>) -> Self {
        self.app_metadata = app_metadata.into();
        self
    }

    /// The same message carrying `descriptor`.
    #[must_use]
    pub fn with_descriptor(mut self, descriptor: FlightDescriptor) -> Self {
        self.descriptor = Some(descriptor);
        self
    }

    /// Rows of the record batch, 0 for a schema.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the protobuf message: what a client's limit on message size is compared with.
    pub fn message_bytes(&self) -> usize {
        self.fields_bytes() + self.body_bytes
    }

    /// Bytes that are no buffer's: what splitting the batch cannot make smaller.
    pub(super) fn overhead_bytes(&self) -> usize {
        // A buffer and its padding are two entries, so this is at most 64 bytes of padding each.
        self.fields_bytes() + self.body.as_ref().map_or(0, |body| body.len() * 32)
    }

    /// The message on the wire, the gRPC prefix included.
    pub fn into_segments(self) -> Vec<Bytes> {
        let message_bytes = self.message_bytes();
        let mut segments = Segments::with_capacity(GRPC_PREFIX_BYTES + self.fields_bytes());
        let out = &mut segments.small;
        out.put_u8(0);
        // `FrameEncoder` refuses longer messages.
        out.put_u32(message_bytes as u32);
        if let Some(descriptor) = &self.descriptor {
            put_key(FLIGHT_DESCRIPTOR, descriptor.encoded_len(), out);
            out.put_slice(&descriptor.encode_to_vec());
        }
        put_key(DATA_HEADER, self.header.len(), out);
        out.put_slice(&self.header);
        if !self.app_metadata.is_empty() {
            put_key(APP_METADATA, self.app_metadata.len(), out);
            out.put_slice(&self.app_metadata);
        }
        if let Some(body) = self.body {
            // Written even when empty: some clients refuse a record batch without a body field.
            put_key(DATA_BODY, self.body_bytes, out);
            body.into_iter().for_each(|buffer| segments.push(buffer));
        }
        segments.finish()
    }

    fn fields_bytes(&self) -> usize {
        let descriptor = self.descriptor.as_ref().map(Message::encoded_len);
        let app_metadata = Some(self.app_metadata.len()).filter(|len| *len > 0);
        descriptor.map_or(0, |len| field_bytes(FLIGHT_DESCRIPTOR, len) + len)
            + field_bytes(DATA_HEADER, self.header.len())
            + self.header.len()
            + app_metadata.map_or(0, |len| field_bytes(APP_METADATA, len) + len)
            + self
                .body
                .as_ref()
                .map_or(0, |_| field_bytes(DATA_BODY, self.body_bytes))
    }
}

fn put_key(field: u32, len: usize, out: &mut BytesMut) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(len as u64, out);
}

/// Bytes of a field's key and length.
fn field_bytes(field: u32, len: usize) -> usize {
    key_len(field) + encoded_len_varint(len as u64)
}

/// Buffers in order, neighbouring small ones joined.
struct Segments {
    done: Vec<Bytes>,
    small: BytesMut,
}

impl Segments {
    fn with_capacity(small_bytes: usize) -> Self {
        Self {
            done: Vec::new(),
            small: BytesMut::with_capacity(small_bytes),
        }
    }

    fn push(&mut self, buffer: Buffer) {
        if buffer.len() < BY_REFERENCE_BYTES_MIN {
            self.small.extend_from_slice(&buffer);
            return;
        }
        self.end_small();
        self.done.push(Bytes::from_owner(Owner(buffer)));
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.done.push(mem::take(&mut self.small).freeze());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.end_small();
        self.done
    }
}

/// Keeps an Arrow buffer alive for as long as `Bytes` refers to it.
struct Owner(Buffer);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
