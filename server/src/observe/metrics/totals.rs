//! What others count themselves, and hand in when somebody looks.

use prometheus::{IntCounter, IntGauge};

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
    /// Footers that the footer cache holds.
    pub footers_cached: usize,
    /// Statements whose plans are kept.
    pub plans_kept: usize,
    /// Statements that were not planned since the start, because their plans were kept.
    pub plans_reused: u64,
}

/// What was asked of object stores since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreTotals {
    /// Requests of any kind.
    pub requests: u64,
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
    footers_cached: IntGauge,
    plans_kept: IntGauge,
    plans_reused: IntCounter,
    store_requests: IntCounter,
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
            footers_cached: add.gauge("warpflight_footers_cached", "Parquet footers held in memory.")?,
            plans_kept: add.gauge("warpflight_plans_kept", "Statements whose plans are kept.")?,
            plans_reused: add.counter(
                "warpflight_plans_reused_total",
                "Statements that were not planned, because their plans were kept.",
            )?,
            store_requests: add.counter(
                "warpflight_store_requests_total",
                "Requests to object stores, local files among them.",
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
            (&self.footers_cached, totals.footers_cached as u64),
            (&self.plans_kept, totals.plans_kept as u64),
        ] {
            gauge.set(saturated(value));
        }
        for (counter, value) in [
            (&self.store_requests, store.requests),
            (&self.store_errors, store.errors),
            (&self.store_read, store.read_bytes),
            (&self.store_written, store.written_bytes),
            (&self.plans_reused, totals.plans_reused),
        ] {
            set_counter(counter, value);
        }
    }
}

fn set_counter(counter: &IntCounter, value: u64) {
    counter.reset();
    counter.inc_by(value);
}
