//! One execution of a node: its thread from the first fetch to the last batch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::Settings;
use super::caught::caught;
use super::flow::{Flow, Wanted};
use super::metrics::PipelineMetrics;
use super::node::Item;
use super::scans::Scans;
use super::shared::Shared;
use super::stop::Stop;
use super::warming::Warming;
use crate::batch::download::download_sync;
use crate::batch::{DeviceBatch, Space};
use crate::config::sections::FallbackMode;
use crate::error::Error;
use crate::operator::{Failure, Gpu};
use crate::pipeline::PipelineGraph;

/// Rows of the batches that leave: large enough that none of what comes after costs by the batch.
const BATCH_ROWS: usize = 64 << 10;

/// See the module.
pub(super) struct Job {
    pub(super) graph: Arc<PipelineGraph>,
    pub(super) inputs: Vec<Arc<dyn ExecutionPlan>>,
    pub(super) original: Arc<dyn ExecutionPlan>,
    pub(super) gpu: Arc<Gpu>,
    pub(super) settings: Settings,
    pub(super) context: Arc<TaskContext>,
    pub(super) handle: Handle,
    pub(super) stop: Stop,
    pub(super) metrics: ExecutionPlanMetricsSet,
    pub(super) sender: mpsc::Sender<Item>,
}

impl Job {
    /// Runs to the end, whatever it is, and says it.
    pub(super) fn run(self) {
        let warming = Warming::start(&self.gpu, &self.graph, &self.context);
        let outcome = caught("a query on the GPU", || self.complete(&warming));
        // A reader that went away does not need to know.
        let _ = self.sender.blocking_send(Item::End(outcome));
    }

    fn complete(&self, warming: &Warming) -> Result<()> {
        if self.settings.engine.verify {
            return self.verified(warming);
        }
        let mut sent = false;
        let ran = self.on_device(&self.graph, &self.inputs, warming, &mut |batch| {
            sent = true;
            self.send(batch)
        });
        match ran {
            Ok(()) => Ok(()),
            Err(Failure::Error(error)) => Err(error),
            Err(Failure::Fallback(reason)) => self.fall_back(&reason, sent),
        }
    }

    /// Hands a batch to the reader, as soon as it has room.
    pub(super) fn send(&self, batch: RecordBatch) -> Result<()> {
        let sent = self.sender.blocking_send(Item::Batch(batch));
        sent.map_err(|_| Stop::error().into())
    }

    /// Runs the graph, or the same one that prunes nothing, with uploads of `inputs`, which nobody has run before; its
    /// batches go to `send`.
    pub(super) fn on_device(
        &self,
        graph: &Arc<PipelineGraph>,
        inputs: &[Arc<dyn ExecutionPlan>],
        warming: &Warming,
        send: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<(), Failure> {
        let shapes = warming.shapes().iter().cloned().enumerate();
        let metrics: Vec<PipelineMetrics> = shapes
            .map(|(id, shapes)| PipelineMetrics::new(id, shapes, &self.metrics))
            .collect();
        let scans = Scans::begin(
            graph,
            &self.gpu,
            &self.settings,
            &self.context,
            &self.handle,
            &self.stop,
        );
        let flow = Flow {
            gpu: &self.gpu,
            graph,
            scans: &scans,
            inputs,
            settings: &self.settings,
            context: &self.context,
            handle: &self.handle,
            stop: &self.stop,
            stream: self.gpu.device.urgent_stream()?,
            metrics: &metrics,
            shared: Shared::of(graph),
        };
        let schema = self.original.schema();
        let ran = flow.complete(&mut |batch: DeviceBatch, space: Space| {
            for batch in download_sync(&batch, &schema, &self.gpu.strings, &space)? {
                for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
                    send(batch.slice(start, BATCH_ROWS.min(batch.num_rows() - start)))?;
                }
            }
            Ok(Wanted::More)
        });
        metrics.iter().for_each(PipelineMetrics::close);
        ran
    }

    /// The subtree's batches from the CPU.
    pub(super) fn on_cpu(&self, original: &Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream> {
        // Some operators start tasks as soon as they are asked.
        let _runtime = self.handle.enter();
        // What is uploaded has run before, and its operators remember.
        let plan = reset_plan_states(Arc::clone(original))?;
        execute_stream(plan, Arc::clone(&self.context))
    }

    /// Runs the subtree on the CPU after the device refused some of its input.
    pub(super) fn fall_back(&self, reason: &str, sent: bool) -> Result<()> {
        let node = self.original.name();
        if sent || self.settings.engine.fallback_mode == FallbackMode::Raise {
            return Err(Error::unsupported(format!(
                "{node} cannot go on on the GPU: {reason}; SET device = cpu runs it on the CPU"
            ))
            .into());
        }
        if self.settings.engine.fallback_mode == FallbackMode::Warn {
            tracing::warn!(node, reason, "fallback to the CPU while running");
        }
        let mut batches = self.on_cpu(&self.original)?;
        self.handle.block_on(async {
            while let Some(batch) = batches.try_next().await? {
                let sent = self.sender.send(Item::Batch(batch)).await;
                sent.map_err(|_| Stop::error())?;
            }
            Ok(())
        })
    }
}
