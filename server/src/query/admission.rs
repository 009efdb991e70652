//! How many queries run at once, and how many wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// Lets so many run; the rest wait in order of arrival.
pub struct Admission {
    turns: Arc<Semaphore>,
    running_max: usize,
    waiting: AtomicUsize,
    waiting_max: usize,
    wait_max: Duration,
}

impl Admission {
    /// `running_max` at once, `waiting_max` in the queue, each for at most `wait_max`.
    pub fn new(running_max: usize, waiting_max: usize, wait_max: Duration) -> Self {
        let turns = Arc::new(Semaphore::new(running_max));
        Self {
            turns,
            running_max,
            waiting: AtomicUsize::new(0),
            waiting_max,
            wait_max,
        }
    }

    /// Waits for a turn, which lasts until the permit is dropped.
    ///
    /// # Errors
    /// `Resources` if the queue is full or the wait was too long.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = Waiting::join(self)?;
        match tokio::time::timeout(self.wait_max, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::unavailable("the server is shutting down")),
            Err(_) => Err(Error::resources(format!(
                "query queue: waited {} ms for one of {} places, the longest that queue_timeout allows",
                self.wait_max.as_millis(),
                self.running_max
            ))),
        }
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A place in the queue; left on drop, also when the waiting request is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(admission: &'a Admission) -> Result<Self> {
        let before = admission.waiting.fetch_add(1, Ordering::AcqRel);
        let place = Self(&admission.waiting);
        if before >= admission.waiting_max {
            return Err(Error::resources(format!(
                "query queue: {before} queries wait already, the most that queue_length_max allows"
            )));
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_queue_is_bounded_in_length_and_time() {
        let admission = Arc::new(Admission::new(1, 1, Duration::from_millis(40)));
        let turn = admission.turn().await.unwrap();
        let second = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.turn().await.map(drop) }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let full = admission.turn().await.unwrap_err();
        assert!(full.message().contains("queue_length_max"), "{full}");
        let late = second.await.unwrap().unwrap_err();
        assert!(late.message().contains("queue_timeout"), "{late}");
        assert_eq!(admission.waiting(), 0);
        drop(turn);
        drop(admission.turn().await.unwrap());
    }
}
