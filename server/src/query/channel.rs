//! From the thread that computes a result to the one that sends it: bounded in bytes, so that a
//! slow reader slows its query down.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use futures::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::error::{Error, Result};

enum Item {
    Batch(RecordBatch, Room),
    /// The result ends: whole, or with an error.
    End(Result<()>),
}

/// What a batch takes while it waits.
struct Room {
    _permit: OwnedSemaphorePermit,
    held_bytes: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A channel that holds batches of at most `limit_bytes` together, or one larger batch. What it
/// holds is added to `held_bytes`.
pub fn channel(limit_bytes: u64, held_bytes: &Arc<AtomicU64>) -> (Sender, Receiver) {
    let limit_kib = u32::try_from(limit_bytes.div_ceil(1024))
        .unwrap_or(u32::MAX)
        .clamp(1, Semaphore::MAX_PERMITS as u32);
    let room = Arc::new(Semaphore::new(limit_kib as usize));
    let (items, received) = mpsc::unbounded_channel();
    (
        Sender {
            items,
            room,
            limit_kib,
            held_bytes: Arc::clone(held_bytes),
        },
        Receiver {
            received,
            ended: false,
        },
    )
}

/// The end that computes.
pub struct Sender {
    items: mpsc::UnboundedSender<Item>,
    /// A permit a KiB.
    room: Arc<Semaphore>,
    limit_kib: u32,
    held_bytes: Arc<AtomicU64>,
}

/// The reader went away.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed;

impl Sender {
    /// Sends a batch as soon as there is room for it.
    ///
    /// # Errors
    /// [`Closed`] if nobody reads any more.
    pub async fn send(&self, batch: RecordBatch) -> Result<(), Closed> {
        let bytes = batch.get_array_memory_size();
        let kib = u32::try_from(bytes / 1024)
            .unwrap_or(u32::MAX)
            .clamp(1, self.limit_kib);
        let permit = tokio::select! {
            permit = Arc::clone(&self.room).acquire_many_owned(kib) => permit.map_err(|_| Closed)?,
            () = self.items.closed() => return Err(Closed),
        };
        let bytes = bytes as u64;
        self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = Room {
            _permit: permit,
            held_bytes: Arc::clone(&self.held_bytes),
            bytes,
        };
        self.items.send(Item::Batch(batch, room)).map_err(|_| Closed)
    }

    /// Ends the result, whole or with an error; a reader that went away does not need to know.
    pub fn end(&self, outcome: Result<()>) {
        let _ = self.items.send(Item::End(outcome));
    }

    /// Waits until nobody reads any more.
    pub async fn closed(&self) {
        self.items.closed().await;
    }
}

/// The end that sends to the client.
pub struct Receiver {
    received: mpsc::UnboundedReceiver<Item>,
    ended: bool,
}

impl Stream for Receiver {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = futures::ready!(self.received.poll_recv(context));
        if let Some(Item::Batch(batch, _room)) = item {
            return Poll::Ready(Some(Ok(batch)));
        }
        self.ended = true;
        Poll::Ready(match item {
            Some(Item::End(Ok(()))) => None,
            Some(Item::End(Err(error))) => Some(Err(error)),
            // The sender vanished, as when its thread panics: half a result must not look whole.
            _ => Some(Err(Error::internal(
                "the result broke off: the task that computed it is gone",
            ))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arrow::array::Int64Array;
    use futures::StreamExt;
    use tokio::time::timeout;

    use super::*;

    fn batch(rows: usize) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![7; rows])) as _)]).unwrap()
    }

    #[tokio::test]
    async fn a_reader_that_stops_stops_the_sender() {
        let (sender, mut receiver) = channel(64 * 1024, &Arc::default());
        for _ in 0..4 {
            sender.send(batch(2048)).await.unwrap();
        }
        assert!(
            timeout(Duration::from_millis(50), sender.send(batch(2048)))
                .await
                .is_err()
        );
        receiver.next().await.unwrap().unwrap();
        sender.send(batch(2048)).await.unwrap();
    }

    #[tokio::test]
    async fn a_batch_larger_than_the_channel_passes_alone() {
        let (sender, mut receiver) = channel(1024, &Arc::default());
        sender.send(batch(100_000)).await.unwrap();
        assert_eq!(receiver.next().await.unwrap().unwrap().num_rows(), 100_000);
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_wakes_a_waiting_sender() {
        let (sender, receiver) = channel(1024, &Arc::default());
        sender.send(batch(1000)).await.unwrap();
        let waiting = tokio::spawn(async move { sender.send(batch(1000)).await });
        drop(receiver);
        assert_eq!(waiting.await.unwrap(), Err(Closed));
    }

    #[tokio::test]
    async fn a_result_ends_whole_or_with_an_error() {
        let (sender, mut receiver) = channel(1024, &Arc::default());
        sender.end(Ok(()));
        assert!(receiver.next().await.is_none());

        let (sender, mut receiver) = channel(1024, &Arc::default());
        sender.send(batch(1)).await.unwrap();
        drop(sender);
        receiver.next().await.unwrap().unwrap();
        assert!(
            receiver
                .next()
                .await
                .unwrap()
                .unwrap_err()
                .message()
                .contains("broke off")
        );
        assert!(receiver.next().await.is_none());
    }
}
