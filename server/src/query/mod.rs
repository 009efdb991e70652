//! A query's whole journey: text → plan → turn → physical plan → batches.
//!
//! [`Engine::plan`] and [`Engine::start`] are the journey; everything else here serves them.
//! Planning and computing happen on the engine's own threads, so that connections stay quick
//! whatever a query does, and a panic in a query ends that query alone.

pub mod admission;
pub mod channel;
pub mod record;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::catalog::with_files;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;
use crate::observe::metrics::Metrics;
use crate::observe::shutdown::{Shutdown, WorkGuard};
use crate::random;
use crate::session::handles::PreparedStatement;
use crate::session::{Busy, Session, context};
use crate::sql::{self, Kind, Statement, define, parameters};
use admission::Admission;
use channel::{Receiver, Sender};
use record::{Record, Records};

/// Stack of the threads that plan and compute: planners recurse once a level of an expression.
/// Reserved, not used, until something recurses.
pub const STACK_BYTES: usize = 256 << 20;

/// Runs queries.
pub struct Engine {
    threads: Threads,
    admission: Admission,
    records: Records,
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
        let threads = context::cpu_threads(config);
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

    /// How many queries wait for their turn.
    pub fn queued(&self) -> usize {
        self.admission.waiting()
    }

    /// Result bytes that wait for their readers.
    pub fn buffered_bytes(&self) -> u64 {
        self.buffered_bytes.load(Ordering::Relaxed)
    }

    /// Plans one statement.
    ///
    /// # Errors
    /// As [`sql::plan`]; `Unavailable` if the server drains.
    pub async fn plan(&self, session: &Arc<Session>, text: &str) -> Result<Statement> {
        let _work = self.shutdown.admit()?;
        let (session, text) = (Arc::clone(session), text.to_owned());
        self.threads
            .run(async move { sql::plan(&session, &text).await })
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
            schema: Arc::clone(&schema),
            record: Arc::clone(&record),
        };
        let span = tracing::info_span!(
            "query",
            query_id = record.id,
            session = record.session,
            user = record.user
        );
        let task = self.threads.spawn(run.to_end(sender).instrument(span));
        let batches = Batches {
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

/// The plans of a statement: one, or one for each row bound to its parameters.
fn bound_plans(prepared: &PreparedStatement) -> Result<Vec<LogicalPlan>> {
    let statement = &prepared.statement;
    if statement.parameters.is_empty() {
        return Ok(vec![statement.plan.clone()]);
    }
    let rows: usize = prepared.bound.iter().map(RecordBatch::num_rows).sum();
    if rows == 0 {
        return Err(Error::sql(format!(
            "found no values, expected {}: bind one for each parameter",
            statement.parameters.len()
        )));
    }
    let bind =
        |batch: &RecordBatch, row| parameters::bind(&statement.plan, &statement.parameters, batch, row);
    prepared
        .bound
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| bind(batch, row)))
        .collect()
}

fn count_of(batch: &RecordBatch) -> u64 {
    let counts = batch
        .columns()
        .first()
        .and_then(|column| column.as_any().downcast_ref::<arrow::array::UInt64Array>());
    counts.map_or(0, |counts| counts.iter().flatten().sum())
}

/// One run of a statement, on the engine's threads.
struct Run {
    engine: Arc<Engine>,
    session: Arc<Session>,
    busy: Busy,
    work: WorkGuard,
    kind: Kind,
    plans: Vec<LogicalPlan>,
    schema: SchemaRef,
    record: Arc<Record>,
}

impl Run {
    async fn to_end(self, sender: Sender) {
        let record = Arc::clone(&self.record);
        let mut ended = Ended {
            engine: Arc::clone(&self.engine),
            record: Arc::clone(&record),
            outcome: None,
        };
        tracing::debug!(statement = %self.record.statement, kind = ?self.kind, "query begins");
        let timeout = self.session.options().limits.query_timeout.limit();
        let outcome = tokio::select! {
            biased;
            () = record.cancel.cancelled() => Err(record.stopped()),
            () = self.engine.shutdown.cancelled() => {
                Err(Error::unavailable(format!("query {}: stopped, the server is shutting down", record.id)))
            }
            () = self.session.closed().cancelled() => Err(Error::cancelled(format!("query {}: its session ended", record.id))),
            () = sender.closed() => Err(Error::cancelled(format!("query {}: its client went away", record.id))),
            () = expired(timeout) => Err(Error::timeout(format!(
                "query {}: ran longer than query_timeout allows, {} ms", record.id, timeout.unwrap_or_default().as_millis()
            ))),
            outcome = self.drive(&sender) => outcome,
        };
        // Recorded before its reader learns of the end, so that what is asked next sees it.
        ended.outcome = Some(outcome.clone());
        drop(ended);
        drop((self.busy, self.work));
        sender.end(outcome);
    }

    async fn drive(&self, sender: &Sender) -> Result<()> {
        let _turn = match self.kind {
            // SET, CREATE VIEW and their like need no turn; a table made from a query holds one.
            Kind::Define if !matches!(self.plans[..], [LogicalPlan::Ddl(_)]) => None,
            _ => Some(self.engine.admission.turn().await?),
        };
        self.record.admitted();
        let result_bytes_max = self.session.options().limits.result_size_max.0;
        for plan in &self.plans {
            if self.kind == Kind::Define {
                self.record.planned();
                define::run(&self.session, plan.clone()).await?;
                continue;
            }
            let state = self.session.context().state();
            let physical = state.create_physical_plan(plan).await.map_err(from_datafusion)?;
            self.record.planned();
            let named = |error| with_files(from_datafusion(error), physical.as_ref());
            let mut batches = execute_stream(Arc::clone(&physical), state.task_ctx()).map_err(named)?;
            while let Some(batch) = batches.try_next().await.map_err(named)? {
                if batch.num_rows() == 0 {
                    continue;
                }
                let batch = conform(batch, &self.schema)?;
                let sent = self
                    .record
                    .add(batch.num_rows() as u64, batch.get_array_memory_size() as u64);
                if result_bytes_max > 0 && sent > result_bytes_max {
                    return Err(Error::resources(format!(
                        "query {}: result of over {sent} bytes, limit {result_bytes_max} (result_size_max)",
                        self.record.id
                    )));
                }
                if sender.send(batch).await.is_err() {
                    return Err(self.record.stopped());
                }
            }
        }
        Ok(())
    }
}

async fn expired(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// The batch with the columns that were announced: plans may swap a type for one that reads the same.
fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    let mismatch = |error| {
        Error::internal(format!(
            "result does not have the columns announced for it: {error}"
        ))
    };
    let options = CastOptions {
        safe: false,
        ..Default::default()
    };
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast_with_options(column, field.data_type(), &options).map_err(mismatch));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows).map_err(mismatch)
}

/// Records the end of a query, also one whose task was dropped or panicked.
struct Ended {
    engine: Arc<Engine>,
    record: Arc<Record>,
    outcome: Option<Result<()>>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        let outcome = self
            .outcome
            .take()
            .unwrap_or_else(|| match std::thread::panicking() {
                true => Err(Error::internal(format!(
                    "query {}: a panic ended it",
                    self.record.id
                ))),
                false => Err(self.record.stopped()),
            });
        self.engine.records.end(&self.record, outcome);
        let rows = self.record.rows.load(Ordering::Relaxed);
        let elapsed_ms = self.record.elapsed().as_secs_f64() * 1e3;
        match self.record.error() {
            None => tracing::info!(rows, elapsed_ms, "query finished"),
            Some(error) => tracing::info!(rows, elapsed_ms, kind = ?error.kind(), %error, "query failed"),
        }
    }
}

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The threads that plan and compute.
struct Threads {
    runtime: Option<tokio::runtime::Runtime>,
}

impl Threads {
    fn new(count: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name("warpflight-query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| Error::resources(format!("threads for queries: {error}")))?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> AbortOnDrop<T> {
        match &self.runtime {
            Some(runtime) => AbortOnDrop(runtime.spawn(work)),
            None => unreachable!("the threads stop only when the engine is dropped"),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let mut task = self.spawn(work.in_current_span());
        match (&mut task.0).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => {
                Err(Error::internal(format!("a panic while planning: {error}")))
            }
            Err(_) => Err(Error::unavailable("the server is shutting down")),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime must not be dropped where async code runs; this one need not be waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
