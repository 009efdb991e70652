//! A stream of batches comes in, the messages of a DoGet response go out. Nothing is made ahead:
//! the next message when the connection asks for it, the next batch when the last one is sent, so
//! a slow reader slows its query down.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use futures::Stream;
use futures::stream::BoxStream;
use tonic::Status;

use super::encode::{FrameEncoder, RowRanges};
use super::message::FlightFrame;
use super::service::FrameStream;

/// The schema's message, then those of `batches`, which are of `encoder`'s schema. An error ends
/// the stream.
pub fn frame_stream<S>(encoder: FrameEncoder, batches: S) -> FrameStream
where
    S: Stream<Item = Result<RecordBatch, Status>> + Send + 'static,
{
    Box::pin(Frames {
        schema: Some(encoder.schema_frame()),
        encoder,
        batches: Box::pin(batches),
        rows: None,
    })
}

struct Frames {
    encoder: FrameEncoder,
    schema: Option<FlightFrame>,
    batches: BoxStream<'static, Result<RecordBatch, Status>>,
    rows: Option<RowRanges>,
}

impl Stream for Frames {
    type Item = Result<FlightFrame, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(schema) = this.schema.take() {
            return Poll::Ready(Some(Ok(schema)));
        }
        loop {
            if let Some(rows) = &mut this.rows {
                if let Some(frame) = this.encoder.next_frame(rows) {
                    return Poll::Ready(Some(frame.map_err(|error| Status::internal(error.message()))));
                }
                this.rows = None;
            }
            match ready!(this.batches.as_mut().poll_next(cx)) {
                None => return Poll::Ready(None),
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                Some(Ok(batch)) => match this.encoder.split(batch) {
                    Ok(rows) => this.rows = Some(rows),
                    Err(error) => return Poll::Ready(Some(Err(Status::internal(error.message())))),
                },
            }
        }
    }
}
