//! A run with `verify = true`: the subtree on the device and on the CPU. In: a job. Out: the device's rows, if the CPU
//! answers the same.
//!
//! A scan may leave out rows that a filter above it drops anyway, and the CPU leaves out others than the device does. Where
//! that filter is outside of the subtree, the two answers rightly differ. They then count as equal only if the CPU's
//! own answer changes when nothing is left out, and if both answer the same then.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use futures::TryStreamExt;

use super::job::Job;
use super::verify::compare;
use super::warming::Warming;
use crate::error::{Error, Kind};
use crate::error_datafusion::from_datafusion;
use crate::operator::Failure;
use crate::pipeline::PipelineGraph;
use crate::scan::unpruned;

/// Rows, or why there are none.
type Answer = Result<Vec<RecordBatch>>;

/// What came of running on both.
struct Answers {
    found: Answer,
    expected: Answer,
}

impl Job {
    /// Runs the subtree on both, and sends what the device answers if the CPU answers the same.
    pub(super) fn verified(&self, warming: &Warming) -> Result<()> {
        let answers = match self.on_both(&self.graph, &self.inputs, &self.original, warming)? {
            Ok(answers) => answers,
            Err(reason) => return self.fall_back(&reason, false),
        };
        if let Some(difference) = self.difference(&answers)
            && !self.is_of_pruning(&answers, warming)?
        {
            return Err(Error::internal(format!("verify: {difference}")).into());
        }
        let found = answers.found?;
        found.into_iter().try_for_each(|batch| self.send(batch))
    }

    /// The answers of both, or why the device refuses some of the input.
    fn on_both(
        &self,
        graph: &Arc<PipelineGraph>,
        inputs: &[Arc<dyn ExecutionPlan>],
        original: &Arc<dyn ExecutionPlan>,
        warming: &Warming,
    ) -> Result<Result<Answers, String>> {
        let mut found = Vec::new();
        let ran = self.on_device(graph, inputs, warming, &mut |batch| {
            found.push(batch);
            Ok(())
        });
        let found = match ran {
            Err(Failure::Fallback(reason)) => return Ok(Err(reason)),
            Err(Failure::Error(error)) => Err(unless_limit(error)?),
            Ok(()) => Ok(found),
        };
        let batches = self.on_cpu(original)?;
        let expected = match self.handle.block_on(batches.try_collect()) {
            Err(error) => Err(unless_limit(error)?),
            expected => expected,
        };
        Ok(Ok(Answers { found, expected }))
    }

    /// What differs, in words. What both refuse, they agree on.
    fn difference(&self, answers: &Answers) -> Option<String> {
        match (&answers.found, &answers.expected) {
            (Ok(found), Ok(expected)) => self.differing(found, expected),
            (Err(_), Err(_)) => None,
            (Err(error), Ok(_)) => Some(format!("the GPU failed where the CPU answered: {error}")),
            (Ok(_), Err(error)) => Some(format!("the GPU answered where the CPU failed: {error}")),
        }
    }

    fn differing(&self, found: &[RecordBatch], expected: &[RecordBatch]) -> Option<String> {
        let compared = compare(&self.original.schema(), found, expected);
        compared
            .err()
            .map(|difference| format!("the GPU's answer differs from the CPU's: {difference}"))
    }

    /// Whether answers differ only in rows that scans may leave out or not: see the module.
    fn is_of_pruning(&self, answers: &Answers, warming: &Warming) -> Result<bool> {
        let Some(original) = unpruned(&self.original)? else {
            return Ok(false);
        };
        let graph = Arc::new(self.graph.unpruned());
        // Some operators can run once, and have.
        let inputs = self.inputs.iter().cloned().map(reset_plan_states);
        let inputs: Vec<Arc<dyn ExecutionPlan>> = inputs.collect::<Result<_>>()?;
        let Ok(whole) = self.on_both(&graph, &inputs, &original, warming)? else {
            return Ok(false);
        };
        let is_changed = match (&answers.expected, &whole.expected) {
            (Ok(pruned), Ok(whole)) => self.differing(pruned, whole).is_some(),
            (pruned, whole) => pruned.is_ok() != whole.is_ok(),
        };
        Ok(is_changed && self.difference(&whole).is_none())
    }
}

/// The error, unless it is a limit that was reached: that says nothing of the answer, and goes to whoever asked.
fn unless_limit(error: DataFusionError) -> Result<DataFusionError> {
    let error = from_datafusion(error);
    match error.kind() {
        Kind::Resources => Err(error.into()),
        _ => Ok(error.into()),
    }
}
