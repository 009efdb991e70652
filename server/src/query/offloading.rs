//! The rule that gives plans to the GPU, the last one of all: where offloading and execution meet.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use crate::config::carried::Carried;
use crate::config::sections::{Executor, FallbackMode};
use crate::error::Error;
use crate::exec::{GpuExec, Settings};
use crate::offload::{Fallback, offload};

/// See the module.
#[derive(Debug)]
pub struct Offload;

impl PhysicalOptimizerRule for Offload {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(Carried(settings)) = options.extensions.get::<Carried<Settings>>() else {
            return Ok(plan);
        };
        if settings.engine.executor == Executor::Cpu {
            return Ok(plan);
        }
        let Some(gpu) = settings.gpus.chosen(settings.engine.device)? else {
            return Ok(plan);
        };
        let offloaded = offload(&plan, &|graph, inputs, original| {
            Arc::new(GpuExec::new(
                graph,
                inputs,
                original,
                Arc::clone(&gpu),
                settings.clone(),
            ))
        })?;
        if offloaded.fallbacks.is_empty() {
            return Ok(offloaded.plan);
        }
        let listed: Vec<String> = offloaded.fallbacks.iter().map(Fallback::to_string).collect();
        let listed = listed.join("; ");
        match settings.engine.fallback_mode {
            FallbackMode::Raise => Err(Error::unsupported(format!(
                "the GPU cannot run all of the query (fallback_mode is raise): {listed}"
            ))
            .into()),
            FallbackMode::Warn => {
                tracing::warn!(fallbacks = listed, "part of a query runs on the CPU");
                Ok(CpuFallbackExec::above(offloaded.plan, listed))
            }
            FallbackMode::Silent => Ok(CpuFallbackExec::above(offloaded.plan, listed)),
        }
    }

    fn name(&self) -> &str {
        "offload"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Says in a plan what of it the CPU runs, and why; its rows are its child's.
#[derive(Debug)]
struct CpuFallbackExec {
    child: Arc<dyn ExecutionPlan>,
    reasons: String,
}

impl CpuFallbackExec {
    fn above(child: Arc<dyn ExecutionPlan>, reasons: String) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { child, reasons })
    }
}

impl DisplayAs for CpuFallbackExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuFallbackExec: {}", self.reasons)
    }
}

impl ExecutionPlan for CpuFallbackExec {
    fn name(&self) -> &str {
        "CpuFallbackExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.child.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.child]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.pop()) {
            (Some(child), None) => Ok(Self::above(child, self.reasons.clone())),
            _ => Err(Error::internal("CpuFallbackExec has one child").into()),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.child.execute(partition, context)
    }
}
