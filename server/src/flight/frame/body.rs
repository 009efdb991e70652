//! The body of a DoGet response: a stream of messages comes in, HTTP/2 data frames and the
//! trailers with the gRPC status go out. Polled by hyper only while the client's flow-control
//! window is open, so at most one message waits here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use http_body::{Body, Frame};
use tonic::{Code, Status};

use super::service::FrameStream;

/// Messages as an HTTP body.
pub struct FrameBody {
    /// Dropped as soon as it has ended, and what it holds with it.
    frames: Option<FrameStream>,
    segments: VecDeque<Bytes>,
}

impl FrameBody {
    /// The body that sends `frames`.
    pub fn new(frames: FrameStream) -> Self {
        Self {
            frames: Some(frames),
            segments: VecDeque::new(),
        }
    }
}

impl Body for FrameBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        loop {
            if let Some(segment) = this.segments.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(segment))));
            }
            let Some(frames) = &mut this.frames else {
                return Poll::Ready(None);
            };
            let status = match ready!(frames.poll_next_unpin(cx)) {
                Some(Ok(frame)) => {
                    this.segments = frame.into_segments().into();
                    continue;
                }
                Some(Err(status)) => status,
                None => Status::new(Code::Ok, ""),
            };
            this.frames = None;
            return Poll::Ready(Some(trailers(&status).map(Frame::trailers)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_none() && self.segments.is_empty()
    }
}

fn trailers(status: &Status) -> Result<HeaderMap, Status> {
    let mut headers = HeaderMap::with_capacity(3);
    status.add_header(&mut headers)?;
    Ok(headers)
}
