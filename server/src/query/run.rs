//! One run of a statement, from its turn to its last batch.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::SchemaRef;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;

use super::Engine;
use super::channel::Sender;
use super::plans::Kept;
use super::record::Record;
use crate::catalog::with_files;
use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;
use crate::observe::shutdown::WorkGuard;
use crate::session::handles::PreparedStatement;
use crate::session::{Busy, Session};
use crate::sql::{Kind, define, parameters};

/// A plan on its way to a physical one.
pub(super) enum Plan {
    /// As it was bound.
    Bound(LogicalPlan),
    /// Optimised when its schema was asked for.
    Optimised(LogicalPlan),
}

impl Plan {
    async fn physical(&self, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = match self {
            Plan::Bound(plan) => state.create_physical_plan(plan).await,
            Plan::Optimised(plan) => state.query_planner().create_physical_plan(plan, state).await,
        };
        planned.map_err(from_datafusion)
    }
}

/// The plans of a statement: one, or one for each row bound to its parameters.
pub(super) fn bound_plans(prepared: &PreparedStatement) -> Result<Vec<Plan>> {
    let statement = &prepared.statement;
    if let Some(optimised) = &statement.optimised {
        return Ok(vec![Plan::Optimised(optimised.clone())]);
    }
    if statement.parameters.is_empty() {
        return Ok(vec![Plan::Bound(statement.plan.clone())]);
    }
    let rows: usize = prepared.bound.iter().map(RecordBatch::num_rows).sum();
    if rows == 0 {
        return Err(Error::sql(format!(
            "found no values, expected {}: bind one for each parameter",
            statement.parameters.len()
        )));
    }
    let bind = |batch: &RecordBatch, row| {
        parameters::bind(&statement.plan, &statement.parameters, batch, row).map(Plan::Bound)
    };
    prepared
        .bound
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| bind(batch, row)))
        .collect()
}

/// One run of a statement, on the engine's threads.
pub(super) struct Run {
    pub(super) engine: Arc<Engine>,
    pub(super) session: Arc<Session>,
    pub(super) busy: Busy,
    pub(super) work: WorkGuard,
    pub(super) kind: Kind,
    pub(super) plans: Vec<Plan>,
    /// What is kept of the statement, which then has one plan.
    pub(super) kept: Option<Arc<Kept>>,
    pub(super) schema: SchemaRef,
    pub(super) record: Arc<Record>,
    pub(super) ended: Ended,
}

impl Run {
    /// Runs to the end, whatever it is, and records it.
    pub(super) async fn complete(self, sender: Sender) {
        let record = Arc::clone(&self.record);
        tracing::debug!(statement = %self.record.statement, kind = ?self.kind, "query begins");
        let outcome = tokio::select! {
            biased;
            () = record.cancel.cancelled() => Err(record.stopped()),
            () = self.engine.shutdown.cancelled() => {
                Err(Error::unavailable(format!("query {}: stopped, the server is shutting down", record.id)))
            }
            () = self.session.closed().cancelled() => Err(Error::cancelled(format!("query {}: its session ended", record.id))),
            () = sender.closed() => Err(Error::cancelled(format!("query {}: its client went away", record.id))),
            outcome = self.drive(&sender) => outcome,
        };
        // Recorded before its reader learns of the end, so that what is asked next sees it.
        self.ended.with(outcome.clone());
        drop((self.busy, self.work));
        sender.end(outcome);
    }

    async fn drive(&self, sender: &Sender) -> Result<()> {
        let _turn = match self.kind {
            // SET, CREATE VIEW and their like need no turn; a table made from a query holds one.
            Kind::Define if !matches!(self.plans[..], [Plan::Bound(LogicalPlan::Ddl(_))]) => None,
            _ => Some(self.engine.admission.turn().await?),
        };
        self.record.admitted();
        let result_bytes_max = self.session.options().limits.result_size_max.0;
        for plan in &self.plans {
            if let (Kind::Define, Plan::Bound(plan)) = (self.kind, plan) {
                self.record.planned();
                define::run(&self.session, plan.clone()).await?;
                continue;
            }
            let state = self.session.context().state();
            let physical = self.physical(plan, &state).await?;
            self.record.planned();
            tracing::debug!(
                elapsed_ms = self.record.elapsed().as_secs_f64() * 1e3,
                "plan ready"
            );
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

impl Run {
    /// The physical plan of `plan`, which may be kept.
    async fn physical(&self, plan: &Plan, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
        let kept = match &self.kept {
            Some(kept) if kept.is_present(&self.session).await => kept,
            _ => return plan.physical(state).await,
        };
        if let Some(physical) = kept.physical() {
            tracing::debug!("plan kept from before");
            return Ok(physical);
        }
        let physical = plan.physical(state).await?;
        kept.keep_physical(&self.session, &physical);
        // The one that is kept does not run.
        kept.physical().map_or(Ok(physical), Ok)
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

/// Records the end of a query, also one whose task panicked, or was dropped before it ran at all.
pub(super) struct Ended {
    engine: Arc<Engine>,
    record: Arc<Record>,
    outcome: Option<Result<()>>,
}

impl Ended {
    /// To be made when the query begins.
    pub(super) fn new(engine: &Arc<Engine>, record: &Arc<Record>) -> Self {
        Self {
            engine: Arc::clone(engine),
            record: Arc::clone(record),
            outcome: None,
        }
    }

    fn with(mut self, outcome: Result<()>) {
        self.outcome = Some(outcome);
    }
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
