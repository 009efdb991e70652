//! What scans did so far, for the query's record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts that grow while a scan runs; several scans may share them.
#[derive(Debug, Default)]
pub struct ScanCounters {
    row_groups_read: AtomicU64,
    row_groups_pruned: AtomicU64,
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
    pub(super) fn pruned(&self, row_groups: usize) {
        self.row_groups_pruned
            .fetch_add(row_groups as u64, Ordering::Relaxed);
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
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            uploaded_bytes: self.uploaded_bytes.load(Ordering::Relaxed),
            decoded_bytes: self.decoded_bytes.load(Ordering::Relaxed),
            read_time: Duration::from_nanos(self.read_nanos.load(Ordering::Relaxed)),
        }
    }
}
