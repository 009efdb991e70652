//! Promises of device memory. Comes in: how much a task will need. Goes out: a [`Reservation`] that its allocations
//! draw on, so that what was admitted can finish. It does not know where the bytes lie.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{DeviceError, Result};

/// The bytes of a device that can be promised.
#[derive(Debug)]
pub(crate) struct Budget {
    limit_bytes: usize,
    reserved_bytes: Mutex<usize>,
    released: Condvar,
}

impl Budget {
    pub(crate) fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            limit_bytes,
            reserved_bytes: Mutex::new(0),
            released: Condvar::new(),
        })
    }

    pub(crate) fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    pub(crate) fn available_bytes(&self) -> usize {
        self.limit_bytes - *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, usize> {
        self.reserved_bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: usize) -> Result<()> {
        let mut reserved = self.lock();
        let available = self.limit_bytes - *reserved;
        if bytes > available {
            return Err(out_of_memory(bytes, available));
        }
        *reserved += bytes;
        Ok(())
    }

    fn give(&self, bytes: usize) {
        *self.lock() -= bytes;
        self.released.notify_all();
    }

    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Result<Reservation> {
        self.take(bytes)?;
        Ok(Reservation(Arc::new(Shared {
            budget: Arc::clone(self),
            bytes: AtomicUsize::new(bytes),
            used_bytes: AtomicUsize::new(0),
        })))
    }

    /// Waits for other reservations to end, `timeout` at most.
    pub(crate) fn reserve_sync(self: &Arc<Self>, bytes: usize, timeout: Duration) -> Result<Reservation> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.reserve(bytes) {
                Err(error) if bytes > self.limit_bytes => return Err(error),
                Err(error) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(error);
                    }
                    let reserved = self.lock();
                    if bytes > self.limit_bytes - *reserved {
                        drop(self.released.wait_timeout(reserved, left));
                    }
                }
                reservation => return reservation,
            }
        }
    }
}

fn out_of_memory(wanted_bytes: usize, available_bytes: usize) -> DeviceError {
    DeviceError::OutOfMemory {
        memory: "reserved device",
        wanted_bytes,
        available_bytes,
    }
}

/// Device bytes promised to a task. Cheap to clone; the bytes are free again when the last clone and the last buffer
/// drawn from it are gone.
#[derive(Debug, Clone)]
pub struct Reservation(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    budget: Arc<Budget>,
    bytes: AtomicUsize,
    used_bytes: AtomicUsize,
}

impl Reservation {
    /// Bytes promised.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Acquire)
    }

    /// Bytes in use by buffers.
    pub fn used_bytes(&self) -> usize {
        self.0.used_bytes.load(Ordering::Acquire)
    }

    /// Bytes that a buffer of `bytes` draws on its reservation.
    pub fn charged_bytes(bytes: usize) -> usize {
        crate::arena::rounded(bytes)
    }

    /// Promises `bytes` more, or fails and changes nothing.
    pub fn grow(&self, bytes: usize) -> Result<()> {
        self.0.budget.take(bytes)?;
        self.0.bytes.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// Gives back what is not in use, down to `bytes`.
    pub fn shrink_to(&self, bytes: usize) {
        let keep = bytes.max(self.used_bytes());
        let before = self.0.bytes.fetch_min(keep, Ordering::AcqRel);
        self.0.budget.give(before.saturating_sub(keep));
    }

    /// Draws `bytes`, or fails and changes nothing.
    pub(crate) fn charge(&self, bytes: usize) -> Result<Charge> {
        let total = self.bytes();
        let drawn = self
            .0
            .used_bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= total)
            });
        match drawn {
            Ok(_) => Ok(Charge {
                reservation: self.clone(),
                bytes,
            }),
            Err(used) => Err(DeviceError::OutOfMemory {
                memory: "reservation",
                wanted_bytes: bytes,
                available_bytes: total - used.min(total),
            }),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.budget.give(*self.bytes.get_mut());
    }
}

/// Bytes drawn from a reservation by one buffer.
#[derive(Debug)]
pub(crate) struct Charge {
    reservation: Reservation,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.reservation
            .0
            .used_bytes
            .fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_never_exceed_the_budget() {
        let budget = Budget::new(100);
        let first = budget.reserve(60).expect("60 of 100");
        let refused = budget.reserve(41).expect_err("only 40 left");
        assert_eq!(refused, out_of_memory(41, 40));
        first.grow(40).expect("the rest");
        assert_eq!(budget.available_bytes(), 0);
        first.shrink_to(10);
        assert_eq!(budget.available_bytes(), 90);
        drop(first);
        assert_eq!(budget.available_bytes(), 100);
    }

    #[test]
    fn buffers_draw_on_their_reservation_only() {
        let budget = Budget::new(100);
        let reservation = budget.reserve(50).expect("50 of 100");
        let charge = reservation.charge(30).expect("30 of 50");
        assert!(reservation.charge(21).expect_err("20 left").is_out_of_memory());
        drop(reservation);
        assert_eq!(budget.available_bytes(), 50, "a live buffer keeps the promise");
        drop(charge);
        assert_eq!(budget.available_bytes(), 100);
    }

    #[test]
    fn a_waiting_reservation_is_served_or_times_out() {
        let budget = Budget::new(10);
        let held = budget.reserve(10).expect("all");
        assert!(budget.reserve_sync(1, Duration::from_millis(5)).is_err());
        let waiting = {
            let budget = Arc::clone(&budget);
            std::thread::spawn(move || budget.reserve_sync(8, Duration::from_secs(20)).map(|r| r.bytes()))
        };
        std::thread::sleep(Duration::from_millis(5));
        drop(held);
        assert_eq!(waiting.join().expect("joins"), Ok(8));
    }
}
