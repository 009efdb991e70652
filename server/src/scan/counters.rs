//! What scans did so far, for the query's record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Pruned;

/// Counts that grow while a scan runs; several scans may share them.
#[derive(Debug, Default)]
pub struct ScanCounters {
    row_groups_read: AtomicU64,
    row_groups_pruned: AtomicU64,
    row_groups_pruned_by_joins: AtomicU64,
    pages_pruned: AtomicU64,
    pages_pruned_by_joins: AtomicU64,
    read_bytes: AtomicU64,
    uploaded_bytes: AtomicU64,
    decoded_bytes: AtomicU64,
    read_nanos: AtomicU64,
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
    /// Bytes of files read, footers not among them.
    pub read_bytes: u64,
    /// Bytes copied to the device.
    pub uploaded_bytes: u64,
    /// Bytes of values and validity in device memory; strings count as references.
    pub decoded_bytes: u64,
    /// Time from the first to the last byte of each partition, summed over partitions.
    pub read_time: Duration,
}

impl ScanCounters {
    pub(super) fn pruned(&self, pruned: Pruned, pages: usize) {
        let add = |counter: &AtomicU64, count: usize| counter.fetch_add(count as u64, Ordering::Relaxed);
        add(&self.row_groups_pruned, pruned.row_groups);
        add(&self.row_groups_pruned_by_joins, pruned.row_groups_by_joins);
        add(&self.pages_pruned, pages);
        add(&self.pages_pruned_by_joins, pruned.pages_by_joins);
    }

    pub(super) fn read(&self, bytes: u64, time: Duration) {
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.read_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn uploaded(&self, bytes: usize) {
        self.uploaded_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn decoded(&self, row_groups: usize, bytes: usize) {
        self.row_groups_read
            .fetch_add(row_groups as u64, Ordering::Relaxed);
        self.decoded_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn now(&self) -> ScanCounts {
        ScanCounts {
            row_groups_read: self.row_groups_read.load(Ordering::Relaxed),
            row_groups_pruned: self.row_groups_pruned.load(Ordering::Relaxed),
            row_groups_pruned_by_joins: self.row_groups_pruned_by_joins.load(Ordering::Relaxed),
            pages_pruned: self.pages_pruned.load(Ordering::Relaxed),
            pages_pruned_by_joins: self.pages_pruned_by_joins.load(Ordering::Relaxed),
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            uploaded_bytes: self.uploaded_bytes.load(Ordering::Relaxed),
            decoded_bytes: self.decoded_bytes.load(Ordering::Relaxed),
            read_time: Duration::from_nanos(self.read_nanos.load(Ordering::Relaxed)),
        }
    }
}
