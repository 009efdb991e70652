//! What the threads of scans do: they fetch and decode what the schedule says, and hand it over.

use std::sync::Arc;
use std::time::Instant;

use kernels::Device;

use super::super::caught::caught;
use super::super::schedule::{Next, Schedule};
use super::super::stop::Stop;
use super::seek::{Part, Seeking};
use super::{Item, MEMORY_PAUSE, MEMORY_WAIT, Placed, ROW_BYTES, Shared, Taken, ms};
use crate::batch::Space;
use crate::operator::Result;
use crate::scan::{Fetched, Scan, ScanCounters, Turn};

/// Where a panic was.
const SCAN: &str = "a scan";

impl Shared {
    /// One thread: whatever may be done next, for as long as the scans are wanted.
    pub(super) fn work(&self) {
        let device = &self.gpu.device;
        loop {
            let next = self.wait_for(|state| {
                let left = state.schedule.let_go(device.memory_available_bytes());
                if !left.is_empty() {
                    tracing::debug!("device memory is short: what was decoded ahead is let go");
                }
                let next = state.schedule.next()?;
                let running = &state.scans[next.scan()];
                let scan = Arc::clone(running.scan.as_ref()?);
                // Drawn here, where partitions are given out in order.
                let seeking = running.seeking.clone();
                Some((next, scan, seeking, Arc::clone(&running.counters), Turn::last()))
            });
            let Ok((next, scan, seeking, counters, turn)) = next else {
                return;
            };
            match next {
                Next::Fetch { at } => {
                    let fetched = caught(SCAN, || {
                        let fetched = self.fetch(&scan, seeking.as_deref(), at.partition, turn, &counters)?;
                        let bytes = fetched
                            .as_ref()
                            .map_or(0, |fetched| wanted_bytes(device, fetched));
                        Ok((fetched, bytes))
                    });
                    // What nobody wants any more is let go without the lock.
                    match fetched {
                        Ok((fetched, bytes)) => drop(self.with(|all| all.fetched(at, fetched, bytes))),
                        Err(error) => drop(self.with(|all| all.decoded(at, Err(error), true))),
                    }
                }
                Next::Decode { at, item, bytes } => {
                    let decoded = caught(SCAN, || {
                        let Some(item) = item else {
                            self.with(|all| all.placed(at));
                            return Ok(None);
                        };
                        let space = self.space(bytes);
                        // The next one may ask for memory now.
                        self.with(|all| all.placed(at));
                        self.changed.notify_all();
                        self.decode(item, space?, &counters, at.partition).map(Some)
                    });
                    let has_failed = decoded.is_err();
                    drop(self.with(|all| all.decoded(at, decoded, has_failed)));
                }
            }
            self.changed.notify_all();
        }
    }

    /// What is done under the lock.
    fn with<T>(&self, change: impl FnOnce(&mut Schedule<Item, Taken>) -> T) -> T {
        change(&mut self.lock().schedule)
    }

    /// What is wanted of a partition, if anything is.
    fn fetch(
        &self,
        scan: &Scan,
        seeking: Option<&Seeking>,
        partition: usize,
        turn: Turn,
        counters: &ScanCounters,
    ) -> Result<Item> {
        let begun_ms = ms(self.begun);
        let looked = seeking.map(|seeking| seeking.look_sync(self, scan, partition, turn, counters));
        let (device, stop) = (&self.gpu.device, || self.is_stopped());
        let (fetched, bytes) = match looked.transpose()? {
            None | Some(Part::Whole) => {
                let fetched = scan.fetch_sync(partition, turn, device, &stop)?;
                (Some(fetched), scan.host_bytes(partition))
            }
            Some(Part::Some(sought)) => {
                let fetched = sought.scan.fetch_sync(0, turn, device, &stop)?;
                (Some(fetched), sought.scan.host_bytes(0))
            }
            Some(Part::Nothing) => (None, 0),
        };
        let fetched_ms = ms(self.begun);
        tracing::trace!(partition, begun_ms, fetched_ms, bytes, "partition fetched");
        Ok(fetched)
    }

    /// Device memory, as soon as there is so much.
    fn space(&self, bytes: usize) -> Result<Space> {
        let space = Space::new_sync(&self.gpu.device, 0)?;
        let give_up = Instant::now() + MEMORY_WAIT;
        loop {
            match space.reservation.grow(bytes) {
                Ok(()) => return Ok(space),
                Err(_) if self.is_stopped() => return Err(Stop::error().into()),
                Err(error) if Instant::now() > give_up => return Err(error.into()),
                Err(_) => std::thread::sleep(MEMORY_PAUSE),
            }
        }
    }

    fn decode(
        &self,
        fetched: Fetched,
        space: Space,
        counters: &ScanCounters,
        partition: usize,
    ) -> Result<Placed> {
        let placed_ms = ms(self.begun);
        let (stream, reservation) = (&space.stream, &space.reservation);
        let decoded = fetched.decode_sync(stream, reservation, &self.gpu.scan, counters)?;
        let (queued_ms, bytes) = (ms(self.begun), reservation.bytes());
        tracing::trace!(partition, placed_ms, queued_ms, bytes, "partition decoded");
        Ok((decoded, space))
    }
}

/// Device bytes that a partition is given: room for what is computed of the rows too.
pub(super) fn wanted_bytes(device: &Device, fetched: &Fetched) -> usize {
    let bytes = fetched.reservation_bytes();
    let wanted = bytes + bytes / 4 + fetched.rows() * ROW_BYTES;
    wanted.min(device.memory_limit_bytes()).max(bytes)
}
