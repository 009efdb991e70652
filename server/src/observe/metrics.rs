//! Prometheus metrics: what is counted as it happens, and what is asked for when somebody looks.
//!
//! In: a [`QueryMeter`] a query, and one function that gives [`Totals`]. Out: Prometheus' text format.
//! It does not know queries, pools or stores. Labels take values from fixed lists only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::error::{Error, Kind, Result};
use crate::observe::machine;

mod totals;
use totals::TotalsFamilies;
pub use totals::{StoreTotals, Totals};

/// What a statement does, as the label `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// Returns rows of tables.
    Query,
    /// `EXPLAIN`, with or without `ANALYZE`.
    Explain,
    /// Makes, changes or drops tables and views.
    Ddl,
    /// `COPY TO`, `INSERT` and their like.
    Write,
    /// `SET`, `SHOW` and others on the session.
    Session,
    /// A metadata command of Flight SQL.
    Metadata,
}

impl StatementKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Query,
        Self::Explain,
        Self::Ddl,
        Self::Write,
        Self::Session,
        Self::Metadata,
    ];

    /// The label's value.
    pub fn label(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Explain => "explain",
            Self::Ddl => "ddl",
            Self::Write => "write",
            Self::Session => "session",
            Self::Metadata => "metadata",
        }
    }
}

/// How a query ended, as the label `outcome`: `ok`, or the kind of its error.
fn outcome_label(outcome: std::result::Result<(), Kind>) -> &'static str {
    match outcome {
        Ok(()) => "ok",
        Err(Kind::Sql) => "sql",
        Err(Kind::Unsupported) => "unsupported",
        Err(Kind::Data) => "data",
        Err(Kind::Resources) => "resources",
        Err(Kind::Cancelled) => "cancelled",
        Err(Kind::Timeout) => "timeout",
        Err(Kind::Unauthenticated) => "unauthenticated",
        Err(Kind::Denied) => "denied",
        Err(Kind::NotFound) => "not_found",
        Err(Kind::Unavailable) => "unavailable",
        Err(Kind::Internal) => "internal",
    }
}

/// From half a millisecond to over two minutes, each bucket at most 2.5 times the one before.
const SECONDS_BUCKETS: [f64; 17] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 150.0,
];

/// All metrics of one server.
pub struct Metrics {
    registry: Registry,
    started: IntCounterVec,
    finished: IntCounterVec,
    rows: IntCounter,
    bytes: IntCounter,
    planning: Histogram,
    queue_wait: Histogram,
    first_batch: Histogram,
    total: Histogram,
    resident: IntGauge,
    totals: Mutex<PulledTotals>,
}

struct PulledTotals {
    families: TotalsFamilies,
    source: Option<Box<dyn Fn() -> Totals + Send>>,
}

impl Metrics {
    /// Metrics at zero. `version` is this program's.
    ///
    /// # Errors
    /// `Internal` if two of them have one name.
    pub fn new(version: &str) -> Result<Self> {
        let registry = Registry::new();
        let add = Registrar(&registry);
        let by_kind = ["kind"];
        let started = add.counters(
            "warpflight_queries_started_total",
            "Queries that were accepted.",
            &by_kind,
        )?;
        let finished = add.counters(
            "warpflight_queries_finished_total",
            "Queries that ended, by outcome: ok, or the kind of error.",
            &["kind", "outcome"],
        )?;
        for kind in StatementKind::ALL {
            // So that a rate can be taken from the first scrape on.
            started.with_label_values(&[kind.label()]);
            finished.with_label_values(&[kind.label(), "ok"]);
        }
        add.gauges(
            "warpflight_build_info",
            "1, with the version as a label.",
            &["version"],
        )?
        .with_label_values(&[version])
        .set(1);
        add.gauge(
            "warpflight_start_time_seconds",
            "When the process started, in seconds since 1970.",
        )?
        .set(chrono::Utc::now().timestamp());
        Ok(Self {
            started,
            finished,
            rows: add.counter("warpflight_result_rows_total", "Rows sent to clients.")?,
            bytes: add.counter(
                "warpflight_result_bytes_total",
                "Bytes of results sent to clients.",
            )?,
            planning: add.seconds("warpflight_query_planning_seconds", "From text to physical plan.")?,
            queue_wait: add.seconds(
                "warpflight_query_queue_wait_seconds",
                "Waiting for a turn to run.",
            )?,
            first_batch: add.seconds(
                "warpflight_query_first_batch_seconds",
                "From start to the first batch sent.",
            )?,
            total: add.seconds(
                "warpflight_query_duration_seconds",
                "From start to end, however it ended.",
            )?,
            resident: add.gauge(
                "warpflight_resident_memory_bytes",
                "Memory of the process held in RAM.",
            )?,
            totals: Mutex::new(PulledTotals {
                families: TotalsFamilies::new(&add)?,
                source: None,
            }),
            registry,
        })
    }

    /// Sets where the totals come from, asked once a scrape.
    pub fn set_totals_source(&self, source: impl Fn() -> Totals + Send + 'static) {
        self.pulled().source = Some(Box::new(source));
    }

    /// A query begins.
    pub fn query_started(self: &Arc<Self>, kind: StatementKind) -> QueryMeter {
        self.started.with_label_values(&[kind.label()]).inc();
        QueryMeter {
            metrics: Arc::clone(self),
            kind,
            started: Instant::now(),
            first_batch_seen: false,
            finished: false,
        }
    }

    /// Everything, in Prometheus' text format 0.0.4.
    ///
    /// # Errors
    /// `Internal` if a metric cannot be written as text.
    pub fn render(&self) -> Result<String> {
        // Held to the end: two scrapes at once must not see counters half set.
        let pulled = self.pulled();
        if let Some(source) = &pulled.source {
            pulled.families.set(&source());
        }
        if let Some(bytes) = machine::resident_bytes() {
            self.resident.set(saturated(bytes));
        }
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        drop(pulled);
        encoded.map_err(|error| Error::internal(format!("metrics: {error}")))?;
        String::from_utf8(text).map_err(|error| Error::internal(format!("metrics: {error}")))
    }

    fn pulled(&self) -> std::sync::MutexGuard<'_, PulledTotals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Measures one query. A query that goes without a word (its client left) counts as cancelled.
pub struct QueryMeter {
    metrics: Arc<Metrics>,
    kind: StatementKind,
    started: Instant,
    first_batch_seen: bool,
    finished: bool,
}

impl QueryMeter {
    /// The statement was planned.
    pub fn planned(&self, took: Duration) {
        self.metrics.planning.observe(took.as_secs_f64());
    }

    /// Its turn came.
    pub fn waited(&self, took: Duration) {
        self.metrics.queue_wait.observe(took.as_secs_f64());
    }

    /// A batch was handed to the connection.
    pub fn sent(&mut self, rows: u64, bytes: u64) {
        if !std::mem::replace(&mut self.first_batch_seen, true) {
            self.metrics
                .first_batch
                .observe(self.started.elapsed().as_secs_f64());
        }
        self.metrics.rows.inc_by(rows);
        self.metrics.bytes.inc_by(bytes);
    }

    /// It ended.
    pub fn finished(mut self, outcome: std::result::Result<(), Kind>) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: std::result::Result<(), Kind>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let labels = [self.kind.label(), outcome_label(outcome)];
        self.metrics.finished.with_label_values(&labels).inc();
        self.metrics.total.observe(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for QueryMeter {
    fn drop(&mut self) {
        self.end(Err(Kind::Cancelled));
    }
}

fn saturated(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Makes metrics and registers them.
struct Registrar<'a>(&'a Registry);

impl Registrar<'_> {
    fn add<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> Result<C> {
        let register = |metric: C| self.0.register(Box::new(metric.clone())).map(|()| metric);
        made.and_then(register)
            .map_err(|error| Error::internal(format!("metrics: {error}")))
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter> {
        self.add(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.add(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn seconds(&self, name: &str, help: &str) -> Result<Histogram> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS_BUCKETS.to_vec());
        self.add(Histogram::with_opts(options))
    }
}

#[cfg(test)]
mod tests;
