//! A graph of pipelines as a node of DataFusion's plan: what stands for a subtree that the GPU runs.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::Settings;
use super::job::Job;
use super::stop::{Stop, StopOnDrop};
use crate::config::sections::EngineOptions;
use crate::error::Error;
use crate::operator::Gpu;
use crate::pipeline::PipelineGraph;

/// Batches that wait for whoever reads the node.
const BATCHES_MAX: usize = 4;

/// See the module. It has one partition, whatever the subtree had.
#[derive(Debug)]
pub struct GpuExec {
    graph: Arc<PipelineGraph>,
    /// What the graph's uploads read.
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// The subtree that it stands for, which can still run.
    original: Arc<dyn ExecutionPlan>,
    gpu: Arc<Gpu>,
    settings: Settings,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What the job hands to the node's stream.
pub(super) enum Item {
    Batch(RecordBatch),
    End(Result<()>),
}

impl GpuExec {
    /// The node for `original`, whose order its result keeps.
    pub fn new(
        graph: PipelineGraph,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        original: Arc<dyn ExecutionPlan>,
        gpu: Arc<Gpu>,
        settings: Settings,
    ) -> Self {
        let of_original = original.properties();
        // What is constant or equal stays so: nodes above were planned by it.
        let mut equivalences = of_original.equivalence_properties().clone();
        equivalences.clear_orderings();
        if of_original.output_partitioning().partition_count() > 1 {
            equivalences.clear_per_partition_constants();
        }
        if let Some(ordering) = of_original.output_ordering() {
            equivalences.add_ordering(ordering.clone());
        }
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            graph: Arc::new(graph),
            inputs,
            original,
            gpu,
            settings,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// Whether it can run several times, all that it reads being files, and does so under these options.
    pub fn runs_again_under(&self, engine: &EngineOptions) -> bool {
        self.inputs.is_empty() && self.settings.engine == *engine
    }

    /// The pipelines that it runs.
    pub fn graph(&self) -> &PipelineGraph {
        &self.graph
    }
}

impl DisplayAs for GpuExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = self.gpu.device.info().label();
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "GpuExec: device={device}, pipelines=[{}]", self.graph)
            }
            DisplayFormatType::TreeRender => {
                writeln!(f, "device={device}")?;
                for (id, pipeline) in self.graph.pipelines.iter().enumerate() {
                    writeln!(f, "p{id}={pipeline}{}", self.graph.shared_by(id))?;
                }
                Ok(())
            }
        }
    }
}

impl ExecutionPlan for GpuExec {
    fn name(&self) -> &str {
        "GpuExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if inputs.len() != self.inputs.len() {
            return Err(DataFusionError::Internal(format!(
                "GpuExec has {} children, found {}",
                self.inputs.len(),
                inputs.len()
            )));
        }
        Ok(Arc::new(Self {
            graph: Arc::clone(&self.graph),
            inputs,
            original: Arc::clone(&self.original),
            gpu: Arc::clone(&self.gpu),
            settings: self.settings.clone(),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn with_new_children(
        self: Arc<Self>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            inputs,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return Err(DataFusionError::Internal(format!(
                "GpuExec has one partition, asked for partition {partition}"
            )));
        }
        let stop = Stop::default();
        let (sender, receiver) = mpsc::channel(BATCHES_MAX);
        let job = Job {
            graph: Arc::clone(&self.graph),
            inputs: self.inputs.clone(),
            original: Arc::clone(&self.original),
            gpu: Arc::clone(&self.gpu),
            settings: self.settings.clone(),
            context,
            handle: Handle::current(),
            stop: stop.clone(),
            metrics: self.metrics.clone(),
            sender,
        };
        std::thread::Builder::new()
            .name("warpflight-gpu".into())
            .spawn(move || job.run())
            .map_err(|error| Error::resources(format!("a thread for the GPU cannot be started: {error}")))?;
        let state = Some((receiver, StopOnDrop(stop)));
        let batches = futures::stream::unfold(state, |state| async {
            let (mut receiver, stop) = state?;
            match receiver.recv().await {
                Some(Item::Batch(batch)) => Some((Ok(batch), Some((receiver, stop)))),
                Some(Item::End(Ok(()))) => None,
                Some(Item::End(Err(error))) => Some((Err(error), None)),
                // The thread is gone, as when it panics: half a result must not look whole.
                None => {
                    let error = Error::internal("the thread that ran the query on the GPU is gone");
                    Some((Err(error.into()), None))
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
