//! One execution of a node: its thread from the first fetch to the last batch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::Settings;
use super::flow::{Flow, Wanted};
use super::metrics::PipelineMetrics;
use super::node::Item;
use super::stop::Stop;
use super::verify::compare;
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
        let warming = Warming::start(&self.gpu, &self.graph);
        let outcome = self.complete(&warming);
        // A reader that went away does not need to know.
        let _ = self.sender.blocking_send(Item::End(outcome));
    }

    fn complete(&self, warming: &Warming) -> Result<()> {
        if self.settings.engine.verify {
            return self.verified(warming);
        }
        let mut sent = false;
        let ran = self.on_device(warming, &mut |batch| {
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
    fn send(&self, batch: RecordBatch) -> Result<()> {
        let sent = self.sender.blocking_send(Item::Batch(batch));
        sent.map_err(|_| Stop::error().into())
    }

    /// Runs the graph; its batches go to `send`.
    fn on_device(
        &self,
        warming: &Warming,
        send: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<(), Failure> {
        let shapes = warming.shapes().iter().cloned().enumerate();
        let metrics: Vec<PipelineMetrics> = shapes
            .map(|(id, shapes)| PipelineMetrics::new(id, shapes, &self.metrics))
            .collect();
        let flow = Flow {
            gpu: &self.gpu,
            graph: &self.graph,
            inputs: &self.inputs,
            settings: &self.settings,
            context: &self.context,
            handle: &self.handle,
            stop: &self.stop,
            metrics: &metrics,
        };
        let schema = self.original.schema();
        let ran = flow.run(self.graph.root(), &mut |batch: DeviceBatch, space: Space| {
            for batch in download_sync(&batch, &schema, &self.gpu.strings, &space)? {
                for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
                    send(batch.slice(start, BATCH_ROWS.min(batch.num_rows() - start)))?;
                }
            }
            Ok(Wanted::More)
        });
        metrics.iter().for_each(PipelineMetrics::close);
        ran.map(|_| ())
    }

    /// The subtree's batches from the CPU.
    fn on_cpu(&self) -> Result<SendableRecordBatchStream> {
        // Some operators start tasks as soon as they are asked.
        let _runtime = self.handle.enter();
        // Uploads may have run parts of it, and some operators run once only.
        let original = reset_plan_states(Arc::clone(&self.original))?;
        execute_stream(original, Arc::clone(&self.context))
    }

    /// Runs the subtree on the CPU after the device refused some of its input.
    fn fall_back(&self, reason: &str, sent: bool) -> Result<()> {
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
        let mut batches = self.on_cpu()?;
        self.handle.block_on(async {
            while let Some(batch) = batches.try_next().await? {
                let sent = self.sender.send(Item::Batch(batch)).await;
                sent.map_err(|_| Stop::error())?;
            }
            Ok(())
        })
    }

    /// Runs the subtree on both, and sends what the device answers if the CPU answers the same.
    fn verified(&self, warming: &Warming) -> Result<()> {
        let mut found = Vec::new();
        let ran = self.on_device(warming, &mut |batch| {
            found.push(batch);
            Ok(())
        });
        let ran = match ran {
            Err(Failure::Fallback(reason)) => return self.fall_back(&reason, false),
            Err(Failure::Error(error)) => Err(error),
            Ok(()) => Ok(found),
        };
        let batches = self.on_cpu()?;
        let expected: Result<Vec<RecordBatch>> = self.handle.block_on(batches.try_collect());
        let found = match (ran, expected) {
            (Ok(found), Ok(expected)) => {
                compare(&self.original.schema(), &found, &expected).map_err(|difference| {
                    DataFusionError::from(Error::internal(format!(
                        "verify: the GPU's answer differs from the CPU's: {difference}"
                    )))
                })?;
                found
            }
            (Err(error), Err(_)) => return Err(error),
            (Err(error), Ok(_)) => {
                return Err(Error::internal(format!(
                    "verify: the GPU failed where the CPU answered: {error}"
                ))
                .into());
            }
            (Ok(_), Err(error)) => {
                return Err(Error::internal(format!(
                    "verify: the GPU answered where the CPU failed: {error}"
                ))
                .into());
            }
        };
        found.into_iter().try_for_each(|batch| self.send(batch))
    }
}
