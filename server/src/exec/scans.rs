//! All scans of a query: opened at once when it starts, but for those that ask subqueries what to leave out, and read ahead
//! of whoever takes their batches.
//!
//! In: the graph's scans, in the order in which its pipelines run. Out: the batches of each, in the order of its
//! partitions. Threads of the query's own do what [`super::schedule`] says may be done next, and end with this value.

use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use tokio::runtime::Handle;

use self::seek::{Search, Seeking};
use super::Settings;
use super::flow::{Taker, Wanted};
use super::metrics::PipelineMetrics;
use super::schedule::{Bounds, Opening, Schedule};
use super::stop::Stop;
use crate::batch::Space;
use crate::error::Error;
use crate::operator::{Force, Gpu, Result};
use crate::pipeline::{PipelineGraph, PipelineId, ScanKey, Source};
use crate::scan::{Decoded, Fetched, Scan, ScanCounters, ScanSpec};
use opening::Opened;

/// How often a waiting thread looks whether the query is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a partition waits for device memory.
const MEMORY_WAIT: Duration = Duration::from_secs(30);
const MEMORY_PAUSE: Duration = Duration::from_millis(2);
/// Device bytes a row beyond what decoding takes: row and group numbers.
const ROW_BYTES: usize = 8;

/// Milliseconds since `begun`.
fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// The scans of one run of a graph.
#[derive(Debug)]
pub(super) struct Scans {
    shared: Arc<Shared>,
    opening: RefCell<Opened>,
    context: Arc<TaskContext>,
    handle: Handle,
    partition_bytes: usize,
}

/// A partition on the device.
type Placed = (Decoded, Space);
/// A partition that was fetched, unless nothing of it is wanted.
type Item = Option<Fetched>;
/// A partition on the device, unless nothing of it is wanted.
type Taken = Result<Option<Placed>>;

/// What the threads share.
struct Shared {
    gpu: Arc<Gpu>,
    /// The query is not wanted any more.
    stop: Stop,
    /// The scans are not.
    ended: Stop,
    begun: Instant,
    threads_max: usize,
    state: Mutex<State>,
    changed: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

struct State {
    schedule: Schedule<Item, Taken>,
    scans: Vec<Running>,
    threads: Vec<JoinHandle<()>>,
}

impl State {
    /// Which of the scans pipeline `id` reads, if it reads one.
    fn index_of(&self, id: PipelineId) -> Option<usize> {
        self.scans.iter().position(|running| running.id == id)
    }
}

/// One of the scans.
struct Running {
    id: PipelineId,
    /// By which joins may leave some of it out; those by which there is hope of it, when it is opened.
    keys: Vec<ScanKey>,
    /// Whether it is opened only when values of subqueries are there.
    is_late: bool,
    /// The scans that the tables of these joins are made of.
    before: Vec<usize>,
    scan: Option<Arc<Scan>>,
    /// What its rows meet first.
    search: Search,
    /// Whether it waits for the tables of joins even if there is no hope that their keys leave some of it out.
    is_patient: bool,
    /// Looks for rows of it by that, and by the tables of joins when they are there, if that is worth it.
    seeking: Option<Arc<Seeking>>,
    failed: Option<DataFusionError>,
    counters: Arc<ScanCounters>,
}

impl Scans {
    /// Starts opening all scans of `graph` that ask no subqueries, and reading them as they are opened, in the order of its
    /// pipelines. Waits for nothing.
    pub(super) fn begin(
        graph: &PipelineGraph,
        gpu: &Arc<Gpu>,
        settings: &Settings,
        context: &Arc<TaskContext>,
        handle: &Handle,
        stop: &Stop,
    ) -> Self {
        let specs = graph.pipelines.iter().enumerate();
        let specs: Vec<(PipelineId, Arc<ScanSpec>)> = specs
            .filter_map(|(id, pipeline)| match &pipeline.source {
                Source::Scan(spec) => Some((id, Arc::clone(spec))),
                _ => None,
            })
            .collect();
        let bounds = Bounds::of(gpu.device.pinned_limit_bytes(), gpu.device.memory_limit_bytes());
        let ids: Vec<PipelineId> = specs.iter().map(|(id, _)| *id).collect();
        let running = |(id, spec): &(PipelineId, Arc<ScanSpec>)| Running {
            id: *id,
            is_late: spec.asks_subqueries(),
            keys: match settings.engine.runtime_filters {
                true => graph.scan_keys(*id),
                false => Vec::new(),
            },
            before: graph
                .read_by_joins(*id)
                .iter()
                .filter_map(|id| ids.iter().position(|scan| scan == id))
                .collect(),
            scan: None,
            is_patient: settings.force() == Force::Seek
                && settings.engine.runtime_filters
                && !graph.scan_joins(*id).is_empty(),
            search: Search::of(&graph.pipelines[*id], settings.force()),
            seeking: None,
            failed: None,
            counters: Arc::default(),
        };
        let shared = Arc::new(Shared {
            gpu: Arc::clone(gpu),
            stop: stop.clone(),
            ended: Stop::default(),
            begun: Instant::now(),
            threads_max: settings.engine.partitions_in_flight.max(1),
            state: Mutex::new(State {
                schedule: Schedule::new(specs.len(), bounds),
                scans: specs.iter().map(running).collect(),
                threads: Vec::new(),
            }),
            changed: Condvar::new(),
        });
        let partition_bytes = settings.partition_bytes(gpu.device.memory_limit_bytes());
        let specs = specs.into_iter().map(|(_, spec)| spec).enumerate();
        let (late, specs): (Vec<_>, Vec<_>) = specs.partition(|(_, spec)| spec.asks_subqueries());
        let scans = Self {
            opening: RefCell::new(Opened {
                tasks: Vec::new(),
                left: late,
            }),
            shared,
            context: Arc::clone(context),
            handle: handle.clone(),
            partition_bytes,
        };
        specs
            .into_iter()
            .for_each(|(index, spec)| scans.open(index, spec));
        scans
    }

    /// Gives the batches of pipeline `id`'s scan to `take`, in order. Once for each scan.
    pub(super) fn run(
        &self,
        id: PipelineId,
        metrics: &PipelineMetrics,
        take: &mut Taker<'_>,
    ) -> Result<Wanted> {
        let shared = &*self.shared;
        let index = shared.begin(id)?;
        let _ended = EndOnDrop { shared, index };
        let scan = shared.opened(index)?;
        let counters = Arc::clone(&shared.lock().scans[index].counters);
        scan.count_pruned(&counters);
        let mut give = || {
            for partition in 0..scan.partitions() {
                let Some((decoded, space)) = shared.taken(index, partition)? else {
                    continue;
                };
                let taken_ms = ms(shared.begun);
                // A damaged page is found before any row of it is used.
                decoded.check.check_sync(&space.stream)?;
                let checked_ms = ms(shared.begun);
                let wanted = take(decoded.batch, space)?;
                let used_ms = ms(shared.begun);
                tracing::trace!(
                    pipeline = id,
                    partition,
                    taken_ms,
                    checked_ms,
                    used_ms,
                    "partition used"
                );
                if wanted == Wanted::Enough {
                    return Ok(Wanted::Enough);
                }
            }
            Ok(Wanted::More)
        };
        let wanted = give();
        let counts = counters.now();
        metrics.moved(counts.read_bytes, counts.uploaded_bytes, counts.decoded_bytes);
        metrics.scanned(&counts);
        wanted
    }
}

impl Drop for Scans {
    /// Waits for the threads, so that no memory of the query is in use after it.
    fn drop(&mut self) {
        self.shared.ended.stop();
        let tasks = std::mem::take(&mut self.opening.get_mut().tasks);
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        let (left, threads) = {
            let mut state = self.shared.lock();
            (state.schedule.end_all(), std::mem::take(&mut state.threads))
        };
        drop(left);
        self.shared.changed.notify_all();
        for thread in threads {
            // Panics are caught where they happen.
            let _ = thread.join();
        }
    }
}

/// As many more threads as there are partitions, up to what the option allows.
fn start_threads(shared: &Arc<Shared>, state: &mut State, partitions: usize) -> crate::error::Result<()> {
    let more = partitions.min(shared.threads_max.saturating_sub(state.threads.len()));
    for _ in 0..more {
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new()
            .name("warpflight-scan".into())
            .spawn(move || shared.work());
        match thread {
            Ok(thread) => state.threads.push(thread),
            // Fewer will do.
            Err(_) if !state.threads.is_empty() => {}
            Err(error) => {
                return Err(Error::resources(format!(
                    "a thread for a scan cannot be started: {error}"
                )));
            }
        }
    }
    Ok(())
}

fn host_bytes(scan: &Scan) -> Vec<usize> {
    let partitions = 0..scan.partitions();
    partitions.map(|partition| scan.host_bytes(partition)).collect()
}

/// Lets go of what was read ahead of a taker that ends, however it does.
struct EndOnDrop<'a> {
    shared: &'a Shared,
    index: usize,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.shared.lock();
            (
                state.schedule.end(self.index),
                state.scans[self.index].seeking.take(),
            )
        };
        // Batches and tables are let go without the lock.
        drop(left);
        self.shared.changed.notify_all();
    }
}

impl State {
    fn fail(&mut self, index: usize, error: DataFusionError) {
        self.schedule.failed_to_open(index);
        self.scans[index].failed = Some(error);
    }
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stop.is_stopped() || self.ended.is_stopped()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `find` finds something.
    fn wait_for<T>(&self, mut find: impl FnMut(&mut State) -> Option<T>) -> std::result::Result<T, Error> {
        let mut state = self.lock();
        loop {
            if self.is_stopped() {
                return Err(Stop::error());
            }
            if let Some(found) = find(&mut state) {
                return Ok(found);
            }
            let waited = self.changed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Makes the scan of pipeline `id` the one whose batches are taken.
    fn begin(&self, id: PipelineId) -> Result<usize> {
        let mut state = self.lock();
        let index = state.index_of(id);
        let index = index.filter(|&index| state.schedule.begin(index));
        drop(state);
        self.changed.notify_all();
        index.ok_or_else(|| {
            Error::internal(format!("the scan of pipeline {id} is run twice, or is none")).into()
        })
    }

    fn opened(&self, index: usize) -> Result<Arc<Scan>> {
        let found = self.wait_for(|state| match state.schedule.opening(index) {
            Opening::Waiting => None,
            Opening::Opened => state.scans[index].scan.clone().map(Ok),
            Opening::Failed => {
                let gone = || Error::internal("a scan failed, and nobody knows why").into();
                Some(Err(state.scans[index].failed.take().unwrap_or_else(gone)))
            }
        })?;
        Ok(found?)
    }

    /// Partition `partition`, as soon as it is decoded.
    fn taken(&self, index: usize, partition: usize) -> Taken {
        let taken = self.wait_for(|state| state.schedule.take(index, partition))?;
        self.changed.notify_all();
        taken
    }
}

mod narrow;
mod opening;
mod seek;
#[cfg(test)]
mod tests;
mod work;
