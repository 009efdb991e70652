//! Rows that come from the CPU: what it makes, and what is in memory there.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::{DataSource, DataSourceExec};
use datafusion::physical_plan::ExecutionPlan;

use super::lower::{Lowering, Open, of_source};
use crate::pipeline::Source;

impl Lowering {
    /// Rows that the CPU makes.
    pub(super) fn upload(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Open {
        let known = self.inputs.iter().position(|input| is_same_table(input, plan));
        let input = known.unwrap_or_else(|| {
            self.inputs.push(Arc::clone(plan));
            self.inputs.len() - 1
        });
        of_source(Source::Upload(input), plan.schema())
    }
}

/// Whether two plans read the same columns of the same rows in memory.
fn is_same_table(one: &Arc<dyn ExecutionPlan>, other: &Arc<dyn ExecutionPlan>) -> bool {
    let (Some(one), Some(other)) = (memory_of(one), memory_of(other)) else {
        return false;
    };
    let is_same = |one: &RecordBatch, other: &RecordBatch| {
        let mut columns = one.columns().iter().zip(other.columns());
        one.num_rows() == other.num_rows()
            && one.num_columns() == other.num_columns()
            && columns.all(|(one, other)| Arc::ptr_eq(one, other))
    };
    let rows = |table: &MemorySourceConfig| table.partitions().iter().map(Vec::len).collect::<Vec<_>>();
    let (batches, others) = (
        one.partitions().iter().flatten(),
        other.partitions().iter().flatten(),
    );
    one.projection() == other.projection()
        && one.fetch() == other.fetch()
        && rows(one) == rows(other)
        && batches.zip(others).all(|(one, other)| is_same(one, other))
}

/// The rows in memory that a plan reads, if it does no more.
pub(super) fn memory_of(plan: &Arc<dyn ExecutionPlan>) -> Option<&MemorySourceConfig> {
    let source = plan.downcast_ref::<DataSourceExec>()?;
    source.data_source().downcast_ref::<MemorySourceConfig>()
}
