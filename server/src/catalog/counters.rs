//! What was asked of one store so far, for the metrics endpoint.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the server started.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    errors: AtomicU64,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreCounts {
    /// The store, as a URL or `/` for local files.
    pub store: String,
    /// Reads, listings and writes asked for; one that object_store tried again counts once.
    pub requests: u64,
    /// Those that failed, missing objects included.
    pub errors: u64,
    /// Bytes of objects that were handed on.
    pub read_bytes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
}

impl Counters {
    /// One more request, and how it ended.
    pub fn count<T, E>(&self, outcome: Result<T, E>) -> Result<T, E> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if outcome.is_err() {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// More bytes were read.
    pub fn read(&self, bytes: u64) {
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// More bytes were written.
    pub fn written(&self, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn now(&self, store: String) -> StoreCounts {
        StoreCounts {
            store,
            requests: self.requests.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
        }
    }
}
