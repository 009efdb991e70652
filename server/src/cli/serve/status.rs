//! What the status page and the metrics show of a running server.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::ready::Endpoint;
use crate::core::Core;
use crate::error::Kind;
use crate::observe::http::{Phase, QueryRow, QueryState, Status, StatusSource};
use crate::observe::machine;
use crate::observe::metrics::{StoreTotals, Totals};
use crate::query::record::{Record, State};
use crate::session::context::cpu_threads;
use crate::socket::ConnectionCount;

/// Asks the parts of a server.
pub struct Source {
    core: Arc<Core>,
    endpoint: Endpoint,
    connections: ConnectionCount,
    started: Instant,
}

impl Source {
    /// Of this server.
    pub fn new(core: &Arc<Core>, endpoint: Endpoint, connections: ConnectionCount) -> Self {
        Self {
            core: Arc::clone(core),
            endpoint,
            connections,
            started: Instant::now(),
        }
    }

    /// Counts and memory, now.
    pub fn totals(&self) -> Totals {
        let core = &self.core;
        let queued = core.engine.queued();
        Totals {
            queries_running: core.engine.records().running_count().saturating_sub(queued),
            queries_queued: queued,
            sessions: core.sessions.count(),
            connections: self.connections.now(),
            memory_reserved_bytes: core.runtime.memory_pool.reserved() as u64,
            memory_limit_bytes: machine::memory_limit(&core.config),
            result_buffer_bytes: core.engine.buffered_bytes(),
            spill_bytes: core.runtime.disk_manager.used_disk_space(),
            footers_cached: core.runtime.cache_manager.get_file_metadata_cache().len(),
            plans_kept: core.engine.plans().count(),
            plans_reused: core.engine.plans().reused(),
            store: core
                .catalog
                .store_counts()
                .iter()
                .fold(StoreTotals::default(), |sum, store| StoreTotals {
                    requests: sum.requests + store.requests,
                    errors: sum.errors + store.errors,
                    read_bytes: sum.read_bytes + store.read_bytes,
                    written_bytes: sum.written_bytes + store.written_bytes,
                }),
        }
    }
}

impl StatusSource for Source {
    fn phase(&self) -> Phase {
        match self.core.shutdown.draining() {
            true => Phase::Draining,
            false => Phase::Ready,
        }
    }

    fn anybody_may_ask(&self) -> bool {
        !self.core.users.required()
    }

    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            uptime: self.started.elapsed(),
            device: format!("CPU, {} threads", cpu_threads(&self.core.config)),
            address: self.endpoint.url(),
            tables: self.core.catalog.table_names(),
            queries: self
                .core
                .engine
                .records()
                .all()
                .iter()
                .map(|record| row(record))
                .collect(),
            totals: self.totals(),
        }
    }
}

fn row(record: &Record) -> QueryRow {
    let error = record.error();
    let state = match record.state() {
        State::Queued => QueryState::Queued,
        State::Planning => QueryState::Planning,
        State::Running => QueryState::Running,
        State::Finished => QueryState::Finished,
        State::Failed => match error.as_ref().map(crate::error::Error::kind) {
            Some(Kind::Cancelled) => QueryState::Cancelled,
            _ => QueryState::Failed,
        },
    };
    QueryRow {
        id: record.id.clone(),
        user: record.user.clone(),
        statement: record.statement.to_string(),
        state,
        started_ms_ago: record.started.elapsed().as_millis() as u64,
        elapsed_ms: record.elapsed().as_millis() as u64,
        rows: record.rows.load(Ordering::Relaxed),
        bytes: record.bytes.load(Ordering::Relaxed),
        error: error.map(|error| error.message().to_owned()),
    }
}
