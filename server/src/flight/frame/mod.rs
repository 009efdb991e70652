//! Record batches to gRPC bytes without copying them: batches come in, the body of a DoGet
//! response goes out. Deliberately knows nothing of SQL, sessions, tickets' contents or rights.
//!
//! In the order in which a batch passes:
//! 1. `wire_type`, `wire_array`: the form of a type that every client reads, and an array in it.
//! 2. `encode`: a batch becomes as many messages as fit under the limit of a message.
//! 3. `message`: one message, [`FlightFrame`]: protobuf fields in front, Arrow's own buffers behind.
//! 4. `stream`: a stream of batches becomes a stream of messages, one at a time, as they are asked for.
//! 5. `body`: messages become an HTTP/2 body whose data frames *are* Arrow's buffers.
//! 6. `service`: the tower service that answers DoGet this way and hands all other methods on.
//!
//! There is no tonic codec here on purpose. A codec must write each message into one contiguous
//! buffer; a body may hand out any number of `Bytes`, and h2 writes each of them to the socket
//! with `writev`. So the values of a column are copied once, by the kernel.

mod body;
mod encode;
pub mod http2;
mod message;
mod service;
mod stream;
#[cfg(test)]
mod tests;
mod wire_array;
mod wire_type;

pub use body::FrameBody;
pub use encode::{BatchFrames, FrameEncoder, MESSAGE_BYTES_MAX_DEFAULT, encoded_bytes};
pub use message::FlightFrame;
pub use service::{DoGet, DoGetService, FrameStream};
pub use stream::frame_stream;
pub use wire_type::wire_schema;
