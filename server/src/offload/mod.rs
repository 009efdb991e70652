//! Choosing what the GPU runs: the largest subtrees of a physical plan of which every operator can.
//!
//! In: DataFusion's physical plan. Out: the same plan with a node of the caller's making in place of each subtree, and
//! the operators that stopped others from being larger, with the reasons. It does not know how graphs are run.

mod aggregate;
mod join;
mod lower;
mod subquery;
mod upload;
mod window;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::UnKnownColumn;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};

use crate::pipeline::PipelineGraph;
use lower::{Lowered, Lowering, Refusal};

/// An operator that the CPU runs although the GPU was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The operator, as plans name it.
    pub node: String,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.node, self.reason)
    }
}

/// Makes the node for a graph, of the uploads' inputs and the subtree that it stands for.
pub type Make<'a> =
    dyn Fn(PipelineGraph, Vec<Arc<dyn ExecutionPlan>>, Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> + 'a;

/// A plan after offloading.
#[derive(Debug)]
pub struct Offloaded {
    /// The plan.
    pub plan: Arc<dyn ExecutionPlan>,
    /// What runs on the CPU, each operator once.
    pub fallbacks: Vec<Fallback>,
}

/// Offloads what can be of `plan`.
///
/// # Errors
/// DataFusion's own, when children are replaced.
pub fn offload(plan: &Arc<dyn ExecutionPlan>, make: &Make<'_>) -> Result<Offloaded> {
    let mut walk = Walk {
        make,
        fallbacks: Vec::new(),
        known: HashSet::new(),
    };
    let plan = walk.replaced(plan)?;
    Ok(Offloaded {
        plan,
        fallbacks: walk.fallbacks,
    })
}

struct Walk<'a> {
    make: &'a Make<'a>,
    fallbacks: Vec<Fallback>,
    /// Operators, by address, whose refusal is noted.
    known: HashSet<usize>,
}

impl Walk<'_> {
    fn replaced(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        if !reads_tables(plan) {
            return Ok(Arc::clone(plan));
        }
        if plan.is::<ScalarSubqueryExec>()
            && may_be_one_partition(plan)
            && let Ok(lowered) = Lowering::of(plan)
            && lowered.refusals.is_empty()
        {
            return self.node_of(lowered, plan);
        }
        if may_be_root(plan) {
            match Lowering::of(plan) {
                Ok(lowered) => return self.node_of(lowered, plan),
                Err(refusal) => self.note(refusal),
            }
        }
        let children = plan
            .children()
            .into_iter()
            .map(|child| self.replaced(child))
            .collect::<Result<Vec<_>>>()?;
        if children.is_empty() {
            return Ok(Arc::clone(plan));
        }
        datafusion::physical_plan::execution_plan::replace_children_if_necessary(Arc::clone(plan), children)
    }

    fn node_of(&mut self, lowered: Lowered, plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        lowered
            .refusals
            .into_iter()
            .for_each(|refusal| self.note(refusal));
        // What has no input of its own is uploaded as it is.
        let inputs = lowered
            .inputs
            .iter()
            .map(|input| match input.children().is_empty() {
                true => Ok(Arc::clone(input)),
                false => self.replaced(input),
            });
        let inputs = inputs.collect::<Result<_>>()?;
        let node = (self.make)(lowered.graph, inputs, Arc::clone(plan));
        partitioned_as(node, plan)
    }

    fn note(&mut self, refusal: Refusal) {
        if self.known.insert(refusal.address) {
            self.fallbacks.push(refusal.fallback);
        }
    }
}

/// Whether a plan reads rows that somebody stored: what makes none of its own needs no GPU.
fn reads_tables(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<DataSourceExec>() || plan.children().into_iter().any(reads_tables)
}

/// Whether a subtree with this operator on top can be replaced: not where others rely on how it spreads rows over
/// partitions, or on only a part of an aggregate.
fn may_be_root(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if plan.is::<RepartitionExec>() || plan.name() == "ExplainExec" || plan.name() == "AnalyzeExec" {
        return false;
    }
    // It only has its subqueries run before its input: each of them is a plan of its own, unless all run together.
    if plan.is::<ScalarSubqueryExec>() {
        return false;
    }
    if plan.name() == "DataSinkExec" || plan.name() == "OutputRequirementExec" {
        return false;
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return *aggregate.mode() != AggregateMode::Partial;
    }
    may_be_one_partition(plan)
}

/// Whether a subtree means the same in one partition: order within each of several is not kept by one.
fn may_be_one_partition(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let partitions = plan.output_partitioning().partition_count();
    partitions == 1 || plan.properties().output_ordering().is_none() || plan.is::<CoalescePartitionsExec>()
}

/// `node`, which has one partition, spread as `original` is.
fn partitioned_as(
    node: Arc<dyn ExecutionPlan>,
    original: &Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let partitioning = match original.output_partitioning() {
        partitioning if partitioning.partition_count() == 1 => return Ok(node),
        // A key that no column holds any more is one that nothing above relies on.
        Partitioning::Hash(keys, count) if !keys.iter().any(|key| key.is::<UnKnownColumn>()) => {
            Partitioning::Hash(keys.clone(), *count)
        }
        other => Partitioning::RoundRobinBatch(other.partition_count()),
    };
    Ok(Arc::new(RepartitionExec::try_new(node, partitioning)?))
}
