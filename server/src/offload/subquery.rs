//! Scalar subqueries, which DataFusion runs before the input that reads their values: pipelines of the same graph.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;

use super::lower::{Lowering, Open, Refusal, check_held};
use super::reads_tables;
use crate::pipeline::Sink;
use crate::pipeline::expr::SubquerySlot;

impl Lowering {
    /// The input, behind pipelines that make the values that it reads.
    pub(super) fn subqueries_first(
        &mut self,
        plan: &Arc<dyn ExecutionPlan>,
        scalar: &ScalarSubqueryExec,
    ) -> Result<Open, Refusal> {
        for link in scalar.subqueries() {
            let schema = link.plan.schema();
            check_held(&link.plan, &schema)?;
            if schema.fields().len() != 1 {
                return Err(Refusal::of(plan, "a scalar subquery that has not one column"));
            }
            let open = self.open_or_upload(&link.plan)?;
            let slot = SubquerySlot::new(scalar.results(), link.index);
            self.close(open, Sink::Value(slot), schema);
        }
        self.open_or_upload(scalar.input())
    }

    /// The same as [`Self::open`], but that what reads no table, such as what statistics say, is the CPU's to compute: a row
    /// needs no kernel.
    fn open_or_upload(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Open, Refusal> {
        match reads_tables(plan) {
            true => self.open(plan),
            false => Ok(self.upload(plan)),
        }
    }
}
