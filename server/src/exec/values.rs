//! A graph from its subqueries to its last row. In: a flow. Out: the root's rows, made when the values that they depend on are
//! there.

use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;

use super::flow::{Flow, Taker, Wanted};
use crate::batch::download::download_sync;
use crate::operator::Result;
use crate::pipeline::PipelineId;

impl Flow<'_> {
    /// Runs the graph: subqueries first, whose values others read, then the root, whose rows go to `take`.
    pub(super) fn complete(&self, take: &mut Taker<'_>) -> Result<()> {
        self.graph.values().for_each(|(_, slot)| slot.clear());
        for (id, slot) in self.graph.values() {
            self.scans.open_before(id);
            slot.set(self.value(id)?)?;
        }
        let root = self.graph.root();
        self.scans.open_before(root);
        self.run(root, take)?;
        debug_assert!(self.shared.is_settled(), "somebody neither asked nor gave up");
        Ok(())
    }

    /// The value of the subquery that pipeline `id` ends; null without rows.
    fn value(&self, id: PipelineId) -> Result<ScalarValue> {
        let pipeline = &self.graph.pipelines[id];
        let mut found = None;
        self.pass(id, pipeline, &mut |batch, space| {
            self.metrics[id].rows(batch.rows);
            if found.is_some() || batch.rows > 1 {
                let reason = "Scalar subquery returned more than one row".to_owned();
                return Err(DataFusionError::Execution(reason).into());
            }
            for batch in download_sync(&batch, &pipeline.output, &self.gpu.strings, &space)? {
                if batch.num_rows() > 0 {
                    found = Some(ScalarValue::try_from_array(batch.column(0), 0)?);
                }
            }
            Ok(Wanted::More)
        })?;
        Ok(match found {
            Some(found) => found,
            None => ScalarValue::try_from(pipeline.output.field(0).data_type())?,
        })
    }
}
