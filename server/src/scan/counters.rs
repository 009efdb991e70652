//! What scans did so far, for the query's record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kernels::Event;

use super::Pruned;

/// Counts that grow while a scan runs; several scans may share them.
#[derive(Debug, Default)]
pub struct ScanCounters {
    row_groups_read: AtomicU64,
    row_groups_pruned: AtomicU64,
    row_groups_pruned_by_joins: AtomicU64,
    row_groups_pruned_by_rows: AtomicU64,
    pages_pruned_by_rows: AtomicU64,
    pages_pruned: AtomicU64,
    pages_pruned_by_joins: AtomicU64,
    read_bytes: AtomicU64,
    uploaded_bytes: AtomicU64,
    decoded_bytes: AtomicU64,
    /// From the first to the last byte of each partition.
    reads: Mutex<Vec<(Instant, Instant)>>,
    /// Before and after the kernels of each partition.
    decodes: Mutex<Vec<(Event, Event)>>,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanCounts {
    /// Row groups decoded.
    pub row_groups_read: u64,
    /// Row groups left out because no row of them can be wanted.
    pub row_groups_pruned: u64,
    /// Those among them that the keys of joins ruled out.
    pub row_groups_pruned_by_joins: u64,
    /// Data pages left out of row groups of which others are read.
    pub pages_pruned: u64,
    /// Those among them that the keys of joins ruled out.
    pub pages_pruned_by_joins: u64,
    /// Row groups left out, of those read for the columns of filters and joins, because no row of them was wanted.
    pub row_groups_pruned_by_rows: u64,
    /// Data pages left out likewise, of row groups of which others are read.
    pub pages_pruned_by_rows: u64,
    /// Bytes of files read, footers not among them.
    pub read_bytes: u64,
    /// Bytes copied to the device.
    pub uploaded_bytes: u64,
    /// Bytes of values and validity in device memory; strings count as references.
    pub decoded_bytes: u64,
    /// Time in which at least one partition was read.
    pub read_time: Duration,
    /// Time of the device from the first to the last kernel of each partition that is decoded, summed over partitions.
    pub decode_time: Duration,
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ScanCounters {
    pub(super) fn pruned(&self, pruned: Pruned, pages: usize) {
        add(&self.row_groups_pruned, pruned.row_groups);
        add(&self.row_groups_pruned_by_joins, pruned.row_groups_by_joins);
        add(&self.pages_pruned, pages);
        add(&self.pages_pruned_by_joins, pruned.pages_by_joins);
    }

    /// What was left out of a partition in which rows were looked for.
    pub fn sought(&self, row_groups: usize, pages: usize) {
        add(&self.row_groups_pruned, row_groups);
        add(&self.row_groups_pruned_by_rows, row_groups);
        add(&self.pages_pruned, pages);
        add(&self.pages_pruned_by_rows, pages);
    }

    /// Adds what was read to look for rows; its row groups are those of the scan itself.
    pub fn looked(&self, looked: &Self) {
        let counts = looked.now();
        self.read_bytes.fetch_add(counts.read_bytes, Ordering::Relaxed);
        self.uploaded_bytes
            .fetch_add(counts.uploaded_bytes, Ordering::Relaxed);
        self.decoded_bytes
            .fetch_add(counts.decoded_bytes, Ordering::Relaxed);
        lock(&self.reads).append(&mut lock(&looked.reads));
        lock(&self.decodes).append(&mut lock(&looked.decodes));
    }

    pub(super) fn read(&self, bytes: u64, from: Instant, to: Instant) {
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
        lock(&self.reads).push((from, to));
    }

    pub(super) fn decoding(&self, from: Event, to: Event) {
        lock(&self.decodes).push((from, to));
    }

    pub(super) fn uploaded(&self, bytes: usize) {
        add(&self.uploaded_bytes, bytes);
    }

    pub(super) fn decoded(&self, row_groups: usize, bytes: usize) {
        add(&self.row_groups_read, row_groups);
        add(&self.decoded_bytes, bytes);
    }

    /// The counts now.
    pub fn now(&self) -> ScanCounts {
        ScanCounts {
            row_groups_read: self.row_groups_read.load(Ordering::Relaxed),
            row_groups_pruned: self.row_groups_pruned.load(Ordering::Relaxed),
            row_groups_pruned_by_joins: self.row_groups_pruned_by_joins.load(Ordering::Relaxed),
            pages_pruned: self.pages_pruned.load(Ordering::Relaxed),
            pages_pruned_by_joins: self.pages_pruned_by_joins.load(Ordering::Relaxed),
            row_groups_pruned_by_rows: self.row_groups_pruned_by_rows.load(Ordering::Relaxed),
            pages_pruned_by_rows: self.pages_pruned_by_rows.load(Ordering::Relaxed),
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            uploaded_bytes: self.uploaded_bytes.load(Ordering::Relaxed),
            decoded_bytes: self.decoded_bytes.load(Ordering::Relaxed),
            read_time: covered(&mut lock(&self.reads)),
            decode_time: lock(&self.decodes).iter().filter_map(elapsed).sum(),
        }
    }
}

/// The time that the spans cover together.
fn covered(spans: &mut [(Instant, Instant)]) -> Duration {
    spans.sort_unstable();
    let mut covered = Duration::ZERO;
    let mut end: Option<Instant> = None;
    for &(from, to) in &*spans {
        let from = end.map_or(from, |end| from.max(end));
        covered += to.saturating_duration_since(from);
        end = Some(end.map_or(to, |end| end.max(to)));
    }
    covered
}

/// The device's time between two events; `None` while it has not passed them. An error here is that of the kernels
/// between them, and is reported where their result is read.
fn elapsed((from, to): &(Event, Event)) -> Option<Duration> {
    to.is_done().ok().filter(|&done| done)?;
    to.since(from).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_once_where_they_overlap() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let of = |spans: &[(u64, u64)]| {
            let mut spans: Vec<_> = spans.iter().map(|&(from, to)| (at(from), at(to))).collect();
            covered(&mut spans).as_millis()
        };
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[(5, 9), (0, 3)]), 7);
        assert_eq!(of(&[(0, 10), (2, 3), (8, 12)]), 12);
    }
}
