//! A query's whole journey: text → plan → turn → physical plan → batches.
//!
//! [`Engine::plan`] and [`Engine::start`] are the journey; everything else here serves them.
//! Planning and computing happen on the engine's own threads, so that connections stay quick
//! whatever a query does, and a panic in a query ends that query alone.

pub mod admission;
pub mod channel;
pub mod offloading;
pub mod plans;
pub mod record;
mod run;
mod threads;

pub use threads::STACK_BYTES;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use tracing::Instrument;

use crate::config::Config;
use crate::error::Result;
use crate::observe::metrics::Metrics;
use crate::observe::shutdown::Shutdown;
use crate::random;
use crate::session::handles::PreparedStatement;
use crate::session::{Session, context};
use crate::sql::{self, Kind, Statement};
use admission::Admission;
use channel::Receiver;
use plans::Plans;
use record::{Record, Records};
use run::{Ended, Run, bound_plans};
use threads::{AbortOnDrop, Threads};

/// Runs queries.
pub struct Engine {
    threads: Threads,
    admission: Admission,
    records: Records,
    plans: Plans,
    result_buffer_bytes: u64,
    buffered_bytes: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
}

/// What a statement returns while it runs.
pub struct Answer {
    /// The id of the query.
    pub id: String,
    /// The columns of its batches.
    pub schema: SchemaRef,
    /// Its batches, as they are made. Dropping it stops the query.
    pub batches: Batches,
}

/// See [`Answer::batches`].
pub struct Batches {
    receiver: Receiver,
    _task: AbortOnDrop<()>,
    _timer: AbortOnDrop<()>,
    _stop: StopOnDrop,
}

impl futures::Stream for Batches {
    type Item = Result<RecordBatch>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::pin::Pin::new(&mut self.receiver).poll_next(context)
    }
}

struct StopOnDrop(Arc<Record>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop("its client went away");
    }
}

impl Engine {
    /// An engine with the threads and limits of the configuration.
    ///
    /// # Errors
    /// `Resources` if its threads cannot be started.
    pub fn new(config: &Config, metrics: Arc<Metrics>, shutdown: Shutdown) -> Result<Self> {
        // More than compute at once: an operator that does not yield must not keep all others out.
        let threads = 2 * context::cpu_threads(config) + 2;
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let running_max = match config.limits.concurrent_queries_max {
            0 => cores.max(4),
            limit => limit,
        };
        let limits = &config.limits;
        Ok(Self {
            threads: Threads::new(threads)?,
            admission: Admission::new(running_max, limits.queue_length_max, limits.queue_timeout.0),
            records: Records::default(),
            plans: Plans::new(config.engine.plans_kept_max),
            result_buffer_bytes: limits.result_buffer_size.0,
            buffered_bytes: Arc::default(),
            metrics,
            shutdown,
        })
    }

    /// The queries that run and ran.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The plans that are kept.
    pub fn plans(&self) -> &Plans {
        &self.plans
    }

    /// How many queries wait for their turn.
    pub fn queued(&self) -> usize {
        self.admission.waiting()
    }

    /// Result bytes that wait for their readers.
    pub fn buffered_bytes(&self) -> u64 {
        self.buffered_bytes.load(Ordering::Relaxed)
    }

    /// Plans one statement, or finds the plan that was kept of it.
    ///
    /// # Errors
    /// As [`sql::plan`]; `Unavailable` if the server drains.
    pub async fn plan(self: &Arc<Self>, session: &Arc<Session>, text: &str) -> Result<Statement> {
        let _work = self.shutdown.admit()?;
        let (engine, session, text) = (Arc::clone(self), Arc::clone(session), text.to_owned());
        self.threads
            .run(async move {
                let begun = Instant::now();
                let key = engine.plans.key(&session, &text);
                if let Some(key) = &key
                    && let Some(kept) = engine.plans.statement(&session, key).await
                {
                    return Ok(kept);
                }
                let planned = sql::plan(&session, &text).await;
                if let (Some(key), Ok(statement)) = (key, &planned) {
                    engine.plans.keep(&session, key, statement);
                }
                tracing::debug!(
                    elapsed_ms = begun.elapsed().as_secs_f64() * 1e3,
                    "statement planned"
                );
                planned
            })
            .await
    }

    /// Starts a statement; what it returns comes as it is made. `id` is that of its ticket, if it has one.
    ///
    /// # Errors
    /// `Sql` if its parameters do not fit, `Unavailable` if the server drains. All later errors come in the stream.
    pub fn start(
        self: &Arc<Self>,
        session: &Arc<Session>,
        prepared: &PreparedStatement,
        id: String,
    ) -> Result<Answer> {
        let statement = &prepared.statement;
        let work = self.shutdown.admit()?;
        let plans = bound_plans(prepared)?;
        let schema = Arc::clone(&statement.schema);
        let record = self.begin(session, statement, id);
        let (sender, receiver) = channel::channel(self.result_buffer_bytes, &self.buffered_bytes);
        let run = Run {
            engine: Arc::clone(self),
            busy: session.enter(),
            work,
            session: Arc::clone(session),
            kind: statement.kind,
            plans,
            kept: self.plans.of_statement(session, statement),
            schema: Arc::clone(&schema),
            record: Arc::clone(&record),
            ended: Ended::new(self, &record),
        };
        let span = tracing::info_span!(
            "query",
            query_id = record.id,
            session = record.session,
            user = record.user
        );
        let task = self.threads.spawn(run.complete(sender).instrument(span));
        let timer = AbortOnDrop::here(expire(session.options().limits.query_timeout.limit(), &record));
        let batches = Batches {
            _timer: timer,
            receiver,
            _task: task,
            _stop: StopOnDrop(Arc::clone(&record)),
        };
        Ok(Answer {
            id: record.id.clone(),
            schema,
            batches,
        })
    }

    /// Runs a statement that changes something to its end; the number of rows that it changed, if
    /// it says so.
    ///
    /// # Errors
    /// Whatever the statement ends with.
    pub async fn change(
        self: &Arc<Self>,
        session: &Arc<Session>,
        prepared: &PreparedStatement,
    ) -> Result<Option<u64>> {
        let answer = self.start(session, prepared, random::token(16)?)?;
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
        Ok(match prepared.statement.kind {
            Kind::Change => Some(batches.iter().map(count_of).sum()),
            Kind::Query | Kind::Define => None,
        })
    }

    fn begin(&self, session: &Session, statement: &Statement, id: String) -> Arc<Record> {
        let (user, text) = (session.rights().user.clone(), Arc::clone(&statement.text));
        let meter = self.metrics.query_started(statement.label());
        let record = Arc::new(Record::new(
            id,
            user,
            session.id().to_owned(),
            text,
            statement.kind,
            meter,
        ));
        self.records.begin(Arc::clone(&record));
        record
    }

    /// Stops a running query; whether there was one.
    pub fn cancel(&self, id: &str, why: &str) -> bool {
        let running = self.records.running(id);
        if let Some(record) = &running {
            record.stop(why);
        }
        running.is_some()
    }
}

/// Ends a query whose time is up. It waits where connections are served: the threads that compute
/// look at their clocks only when an operator lets them.
fn expire(limit: Option<Duration>, record: &Arc<Record>) -> impl Future<Output = ()> + use<> {
    let record = Arc::downgrade(record);
    async move {
        if let Some(limit) = limit {
            tokio::time::sleep(limit).await;
            if let Some(record) = record.upgrade() {
                record.expire(limit);
            }
        }
    }
}

fn count_of(batch: &RecordBatch) -> u64 {
    let counts = batch
        .columns()
        .first()
        .and_then(|column| column.as_any().downcast_ref::<arrow::array::UInt64Array>());
    counts.map_or(0, |counts| counts.iter().flatten().sum())
}

#[cfg(test)]
mod tests;
