//! An in-memory table of one session, its rows counted against the session's memory for tables.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session as PlanSession, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::datasource::MemTable;
use datafusion::datasource::sink::{DataSink, DataSinkExec};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan};
use futures::StreamExt;

use crate::error::{Error, Result};

/// What the in-memory tables of one session hold together, and may hold.
#[derive(Debug)]
pub struct TableMemory {
    used_bytes: AtomicU64,
    limit_bytes: u64,
}

impl TableMemory {
    /// Room for `limit_bytes`.
    pub fn new(limit_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            used_bytes: AtomicU64::new(0),
            limit_bytes,
        })
    }

    fn take(&self, bytes: u64) -> Result<()> {
        let taken = self
            .used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|total| *total <= self.limit_bytes)
            });
        taken.map(drop).map_err(|used| {
            Error::resources(format!(
                "in-memory tables of this session: {used} bytes held and {bytes} more needed, limit {} \
                 (session_table_memory)",
                self.limit_bytes
            ))
        })
    }

    fn give_back(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes that one table took, given back when the table goes.
#[derive(Debug)]
struct Held {
    memory: Arc<TableMemory>,
    bytes: AtomicU64,
}

impl Held {
    fn take(&self, batch: &RecordBatch) -> Result<()> {
        let bytes = batch.get_array_memory_size() as u64;
        self.memory.take(bytes)?;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes.load(Ordering::Relaxed));
    }
}

/// A table made by CREATE TABLE; see the module.
#[derive(Debug)]
pub struct SessionTable {
    rows: MemTable,
    held: Arc<Held>,
}

impl SessionTable {
    /// An empty table with these columns.
    ///
    /// # Errors
    /// If the schema is not one that a table can have.
    pub fn new(
        schema: SchemaRef,
        memory: Arc<TableMemory>,
        defaults: HashMap<String, Expr>,
    ) -> DataFusionResult<Self> {
        let rows = MemTable::try_new(schema, vec![vec![]])?.with_column_defaults(defaults);
        Ok(Self {
            rows,
            held: Arc::new(Held {
                memory,
                bytes: AtomicU64::new(0),
            }),
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// `Resources` if the session's tables would hold more than they may.
    pub async fn append(&self, batch: RecordBatch) -> Result<()> {
        self.held.take(&batch)?;
        let batch = batch
            .with_schema(self.rows.schema())
            .map_err(|error| Error::internal(format!("rows of a new table: {error}")))?;
        if batch.num_rows() > 0 {
            self.rows.batches[0].write().await.push(batch);
        }
        Ok(())
    }
}

#[async_trait]
impl TableProvider for SessionTable {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    /// Its rows, unless it is being written to.
    fn statistics(&self) -> Option<Statistics> {
        let mut rows = 0;
        for partition in &self.rows.batches {
            rows += partition
                .try_read()
                .ok()?
                .iter()
                .map(RecordBatch::num_rows)
                .sum::<usize>();
        }
        Some(Statistics::new_unknown(&self.schema()).with_num_rows(Precision::Exact(rows)))
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.rows.get_column_default(column)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        self.rows.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn PlanSession,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.rows.scan(state, projection, filters, limit).await
    }

    async fn insert_into(
        &self,
        state: &dyn PlanSession,
        input: Arc<dyn ExecutionPlan>,
        op: InsertOp,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let plan = self.rows.insert_into(state, input, op).await?;
        let Some(insert) = plan.downcast_ref::<DataSinkExec>() else {
            return Err(DataFusionError::Internal(format!(
                "insert into memory: found {}, expected a sink",
                plan.name()
            )));
        };
        let (input, order) = (Arc::clone(insert.input()), insert.sort_order().clone());
        let sink = CountingSink {
            schema: self.rows.schema(),
            insert: Arc::clone(&plan),
            held: Arc::clone(&self.held),
        };
        Ok(Arc::new(DataSinkExec::new(input, Arc::new(sink), order)))
    }

    async fn delete_from(
        &self,
        state: &dyn PlanSession,
        filters: Vec<Expr>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.rows.delete_from(state, filters).await
    }

    async fn update(
        &self,
        state: &dyn PlanSession,
        assignments: Vec<(String, Expr)>,
        filters: Vec<Expr>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.rows.update(state, assignments, filters).await
    }
}

/// Counts rows on their way into a table.
struct CountingSink {
    schema: SchemaRef,
    /// The [`DataSinkExec`] whose sink does the writing.
    insert: Arc<dyn ExecutionPlan>,
    held: Arc<Held>,
}

impl fmt::Debug for CountingSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountingSink")
    }
}

impl DisplayAs for CountingSink {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.insert.fmt_as(kind, f)
    }
}

#[async_trait]
impl DataSink for CountingSink {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    async fn write_all(
        &self,
        data: SendableRecordBatchStream,
        context: &Arc<TaskContext>,
    ) -> DataFusionResult<u64> {
        let held = Arc::clone(&self.held);
        let schema = data.schema();
        let counted = data.map(move |batch| {
            let batch = batch?;
            held.take(&batch)
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            Ok(batch)
        });
        let counted = Box::pin(RecordBatchStreamAdapter::new(schema, counted));
        match self.insert.downcast_ref::<DataSinkExec>() {
            Some(insert) => insert.sink().write_all(counted, context).await,
            None => Err(DataFusionError::Internal(
                "insert into memory: its sink is gone".into(),
            )),
        }
    }
}
