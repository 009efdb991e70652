//! A scan's partitions, several in flight: threads of the query's own fetch and decode, in any order; whoever takes
//! the batches gets them in the order of the partitions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::flow::{Flow, Taker, Wanted};
use super::stop::Stop;
use crate::batch::Space;
use crate::error::Error;
use crate::operator::{Gpu, Result};
use crate::pipeline::PipelineId;
use crate::scan::{Decoded, Scan, ScanCounters, ScanSpec};

/// How often a waiting thread looks whether the query is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Device bytes a row beyond what decoding takes: row and group numbers.
const ROW_BYTES: usize = 8;

/// Milliseconds since `begun`.
fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// What the threads of one scan share.
struct Shared<'a> {
    scan: &'a Scan,
    gpu: &'a Gpu,
    counters: ScanCounters,
    stop: &'a Stop,
    /// Nobody wants more of this scan.
    ended: Stop,
    in_flight_max: usize,
    next: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Partitions decoded and not yet taken.
    decoded: BTreeMap<usize, Result<(Decoded, Space)>>,
    /// Partitions taken.
    taken: usize,
    /// Partitions that have their device memory: it is given in order, so that the first of those in flight never
    /// waits for memory that later ones hold.
    placed: usize,
}

/// Runs a scan, and gives its batches to `take`.
pub(super) fn run(
    flow: &Flow<'_>,
    id: PipelineId,
    spec: &Arc<ScanSpec>,
    take: &mut Taker<'_>,
) -> Result<Wanted> {
    let partition_bytes = flow
        .settings
        .partition_bytes(flow.gpu.device.memory_limit_bytes());
    let opening = Scan::open(Arc::clone(spec), flow.context, partition_bytes);
    let begun = Instant::now();
    let scan = flow.handle.block_on(opening)?;
    tracing::trace!(
        open_ms = ms(begun),
        partitions = scan.partitions(),
        row_groups_pruned = scan.row_groups_pruned(),
        "scan opened"
    );
    let in_flight_max = flow.settings.engine.partitions_in_flight.max(1);
    let shared = Shared {
        scan: &scan,
        gpu: flow.gpu,
        counters: ScanCounters::default(),
        stop: flow.stop,
        ended: Stop::default(),
        in_flight_max,
        next: AtomicUsize::new(0),
        state: Mutex::default(),
        changed: Condvar::new(),
    };
    scan.count_pruned(&shared.counters);
    let wanted = std::thread::scope(|scope| {
        let _ended = EndOnDrop(&shared);
        for _ in 0..in_flight_max.min(scan.partitions()) {
            std::thread::Builder::new()
                .name("warpflight-scan".into())
                .spawn_scoped(scope, || shared.work())
                .map_err(|error| {
                    Error::resources(format!("a thread for a scan cannot be started: {error}"))
                })?;
        }
        for partition in 0..scan.partitions() {
            let (decoded, space) = shared.taken(partition)?;
            // A damaged page is found before any row of it is used.
            let taken_ms = ms(begun);
            decoded.check.check_sync(&space.stream)?;
            let checked_ms = ms(begun);
            let wanted = take(decoded.batch, space)?;
            tracing::trace!(
                partition,
                taken_ms,
                checked_ms,
                used_ms = ms(begun),
                "partition used"
            );
            if wanted == Wanted::Enough {
                return Ok(Wanted::Enough);
            }
        }
        Ok(Wanted::More)
    });
    let counts = shared.counters.now();
    flow.metrics[id].moved(counts.read_bytes, counts.uploaded_bytes, counts.decoded_bytes);
    wanted
}

/// Has the threads end when the taker does, however it does.
struct EndOnDrop<'a, 'b>(&'a Shared<'b>);

impl Drop for EndOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.ended.stop();
        self.0.changed.notify_all();
    }
}

impl Shared<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.is_stopped() || self.ended.is_stopped()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_so`; false if the query is not wanted any more.
    fn wait_until(&self, is_so: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        while !is_so(&state) {
            if self.is_stopped() {
                return false;
            }
            state = self
                .changed
                .wait_timeout(state, LOOK_EVERY)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// One thread: partition after partition.
    fn work(&self) {
        loop {
            let partition = self.next.fetch_add(1, Ordering::Relaxed);
            if partition >= self.scan.partitions() {
                return;
            }
            if !self.wait_until(|state| partition < state.taken + self.in_flight_max) {
                return;
            }
            let decoded = self.decode(partition);
            let failed = decoded.is_err();
            self.lock().decoded.insert(partition, decoded);
            self.changed.notify_all();
            if failed {
                return;
            }
        }
    }

    fn decode(&self, partition: usize) -> Result<(Decoded, Space)> {
        let device = &self.gpu.device;
        let begun = Instant::now();
        let fetched = self.scan.fetch_sync(partition, device, &|| self.is_stopped())?;
        let fetch_ms = ms(begun);
        let bytes = fetched.reservation_bytes();
        if !self.wait_until(|state| state.placed == partition) {
            return Err(Stop::error().into());
        }
        // Room for what is computed of the rows too.
        let wanted = bytes + bytes / 4 + fetched.rows() * ROW_BYTES;
        let space = Space::new_sync(device, wanted.min(device.memory_limit_bytes()).max(bytes));
        self.lock().placed += 1;
        self.changed.notify_all();
        let space = space?;
        let placed_ms = ms(begun);
        let (stream, reservation) = (&space.stream, &space.reservation);
        let decoded = fetched.decode_sync(stream, reservation, &self.gpu.scan, &self.counters)?;
        tracing::trace!(
            partition,
            fetch_ms,
            placed_ms,
            queued_ms = ms(begun),
            bytes,
            "partition decoded"
        );
        Ok((decoded, space))
    }

    /// Partition `partition`, as soon as it is decoded.
    fn taken(&self, partition: usize) -> Result<(Decoded, Space)> {
        if !self.wait_until(|state| state.decoded.contains_key(&partition)) {
            return Err(Stop::error().into());
        }
        let mut state = self.lock();
        state.taken = partition + 1;
        let decoded = state.decoded.remove(&partition);
        drop(state);
        self.changed.notify_all();
        match decoded {
            Some(decoded) => decoded,
            None => Err(Error::internal(format!("partition {partition} of a scan is gone")).into()),
        }
    }
}
