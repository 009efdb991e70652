//! What others count themselves, and hand in when somebody looks.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::{Registrar, saturated};
use crate::error::Result;

/// The state and the running totals of the server's parts, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Queries that run.
    pub queries_running: usize,
    /// Queries that wait for their turn.
    pub queries_queued: usize,
    /// Open sessions.
    pub sessions: usize,
    /// Open connections.
    pub connections: usize,
    /// Bytes that operators have reserved.
    pub memory_reserved_bytes: u64,
    /// Bytes that operators may reserve.
    pub memory_limit_bytes: u64,
    /// Result bytes that wait for their readers.
    pub result_buffer_bytes: u64,
    /// Bytes of spill files on disk.
    pub spill_bytes: u64,
    /// Requests to object stores since the start.
    pub store: StoreTotals,
    /// Footers found in the cache since the start.
    pub footer_cache_hits: u64,
    /// Footers that had to be read since the start.
    pub footer_cache_misses: u64,
    /// Bytes that the footer cache holds.
    pub footer_cache_bytes: u64,
}

/// What was asked of object stores since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreTotals {
    /// Reads of objects or ranges.
    pub gets: u64,
    /// Listings.
    pub lists: u64,
    /// Questions for size and version.
    pub heads: u64,
    /// Writes of objects or parts.
    pub puts: u64,
    /// Requests that failed, whatever they were.
    pub errors: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

pub(super) struct TotalsFamilies {
    queries_running: IntGauge,
    queries_queued: IntGauge,
    sessions: IntGauge,
    connections: IntGauge,
    memory_reserved: IntGauge,
    memory_limit: IntGauge,
    result_buffer: IntGauge,
    spill: IntGauge,
    footer_cache: IntGauge,
    footer_hits: IntCounter,
    footer_misses: IntCounter,
    store_requests: IntCounterVec,
    store_errors: IntCounter,
    store_read: IntCounter,
    store_written: IntCounter,
}

impl TotalsFamilies {
    pub(super) fn new(add: &Registrar<'_>) -> Result<Self> {
        Ok(Self {
            queries_running: add.gauge("warpflight_queries_running", "Queries that run.")?,
            queries_queued: add.gauge("warpflight_queries_queued", "Queries that wait for their turn.")?,
            sessions: add.gauge("warpflight_sessions", "Open sessions.")?,
            connections: add.gauge("warpflight_connections", "Open client connections.")?,
            memory_reserved: add.gauge(
                "warpflight_memory_reserved_bytes",
                "Memory that operators have reserved.",
            )?,
            memory_limit: add.gauge(
                "warpflight_memory_limit_bytes",
                "Memory that operators may reserve.",
            )?,
            result_buffer: add.gauge(
                "warpflight_result_buffer_bytes",
                "Results that wait for their readers.",
            )?,
            spill: add.gauge("warpflight_spill_bytes", "Spill files on disk.")?,
            footer_cache: add.gauge("warpflight_footer_cache_bytes", "Parquet footers held in memory.")?,
            footer_hits: add.counter(
                "warpflight_footer_cache_hits_total",
                "Footers found in the cache.",
            )?,
            footer_misses: add.counter(
                "warpflight_footer_cache_misses_total",
                "Footers that had to be read.",
            )?,
            store_requests: add.counters(
                "warpflight_store_requests_total",
                "Requests to object stores.",
                &["operation"],
            )?,
            store_errors: add.counter(
                "warpflight_store_errors_total",
                "Requests to object stores that failed.",
            )?,
            store_read: add.counter(
                "warpflight_store_read_bytes_total",
                "Bytes read from object stores.",
            )?,
            store_written: add.counter(
                "warpflight_store_written_bytes_total",
                "Bytes written to object stores.",
            )?,
        })
    }

    pub(super) fn set(&self, totals: &Totals) {
        let store = &totals.store;
        for (gauge, value) in [
            (&self.queries_running, totals.queries_running as u64),
            (&self.queries_queued, totals.queries_queued as u64),
            (&self.sessions, totals.sessions as u64),
            (&self.connections, totals.connections as u64),
            (&self.memory_reserved, totals.memory_reserved_bytes),
            (&self.memory_limit, totals.memory_limit_bytes),
            (&self.result_buffer, totals.result_buffer_bytes),
            (&self.spill, totals.spill_bytes),
            (&self.footer_cache, totals.footer_cache_bytes),
        ] {
            gauge.set(saturated(value));
        }
        for (counter, value) in [
            (&self.footer_hits, totals.footer_cache_hits),
            (&self.footer_misses, totals.footer_cache_misses),
            (&self.store_errors, store.errors),
            (&self.store_read, store.read_bytes),
            (&self.store_written, store.written_bytes),
        ] {
            set_counter(counter, value);
        }
        for (operation, value) in [
            ("get", store.gets),
            ("list", store.lists),
            ("head", store.heads),
            ("put", store.puts),
        ] {
            set_counter(&self.store_requests.with_label_values(&[operation]), value);
        }
    }
}

fn set_counter(counter: &IntCounter, value: u64) {
    counter.reset();
    counter.inc_by(value);
}
