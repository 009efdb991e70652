//! One subtree to pipelines: operators that pass rows on are fused, those that must see all rows end a pipeline.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::DynamicFilterTracking;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::upload::memory_of;
use super::{Fallback, aggregate, join, window};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, lower as lower_expr};
use crate::pipeline::{
    AggregateSpec, Pipeline, PipelineGraph, PipelineId, Sink, SortKey, SortSpec, Source, Stage,
};
use crate::scan::ScanSpec;

/// The operator that the GPU does not run.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) fallback: Fallback,
    /// Which operator of its plan.
    pub(super) address: usize,
}

impl Refusal {
    pub(super) fn of(plan: &Arc<dyn ExecutionPlan>, reason: impl Into<String>) -> Self {
        Self {
            fallback: Fallback {
                node: plan.name().to_owned(),
                reason: reason.into(),
            },
            address: Arc::as_ptr(plan).cast::<()>().addr(),
        }
    }
}

/// A pipeline that has no sink yet. Filters and outputs are over the columns of its source.
#[derive(Debug, Clone)]
pub(super) struct Open {
    source: Source,
    input: SchemaRef,
    pub(super) stages: Vec<Stage>,
    /// The columns that the last of its joins leaves.
    pub(super) columns: SchemaRef,
    pub(super) filters: Vec<Expr>,
    pub(super) outputs: Vec<Expr>,
}

/// The pipelines of a subtree so far.
#[derive(Debug, Default)]
pub(super) struct Lowering {
    pipelines: Vec<Pipeline>,
    pub(super) inputs: Vec<Arc<dyn ExecutionPlan>>,
    refusals: Vec<Refusal>,
}

/// What became of a subtree.
pub(super) struct Lowered {
    pub(super) graph: PipelineGraph,
    /// Plans whose rows are uploaded.
    pub(super) inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// Why the CPU runs those of them that it could have been spared.
    pub(super) refusals: Vec<Refusal>,
}

impl Lowering {
    /// The graph of a subtree.
    pub(super) fn of(plan: &Arc<dyn ExecutionPlan>) -> Result<Lowered, Refusal> {
        let schema = plan.schema();
        check_held(plan, &schema)?;
        let mut lowering = Self::default();
        let open = lowering.opened(plan)?;
        let passes_on =
            open.filters.is_empty() && open.stages.is_empty() && is_identity(&open.outputs, &open.input);
        match (&open.source, lowering.pipelines.last_mut()) {
            // Nothing is left to do with the rows of the last pipeline.
            (Source::Pipelines(ids), Some(last)) if passes_on && ids.len() == 1 => last.output = schema,
            _ => {
                lowering.close(open, Sink::Pass, schema);
            }
        }
        let graph = PipelineGraph {
            pipelines: lowering.pipelines,
        }
        .sharing();
        match lowering.refusals.is_empty() || is_worth_uploading(&graph) {
            true => Ok(Lowered {
                graph,
                inputs: lowering.inputs,
                refusals: lowering.refusals,
            }),
            // Nothing is gained by going up and down again.
            false => Err(lowering.refusals.swap_remove(0)),
        }
    }

    /// The pipeline that ends with a plan's rows. Where the GPU does not run an operator, the CPU does, and its rows are
    /// uploaded.
    pub(super) fn open(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Open, Refusal> {
        let (pipelines, inputs, refusals) = (self.pipelines.len(), self.inputs.len(), self.refusals.len());
        let refusal = match self.opened(plan) {
            Ok(open) => return Ok(open),
            Err(refusal) => refusal,
        };
        self.pipelines.truncate(pipelines);
        self.inputs.truncate(inputs);
        self.refusals.truncate(refusals);
        check_held(plan, &plan.schema())?;
        // Rows of several partitions arrive in any order.
        let partitions = plan.output_partitioning().partition_count();
        if partitions > 1 && plan.properties().output_ordering().is_some() {
            return Err(refusal);
        }
        // Half an aggregate, and how rows are spread, mean something to their own kind only.
        if !super::may_be_root(plan) {
            return Err(refusal);
        }
        self.refusals.push(refusal);
        Ok(self.upload(plan))
    }

    fn opened(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Open, Refusal> {
        if let Some(source) = plan.downcast_ref::<DataSourceExec>() {
            return self.data_source(plan, source);
        }
        if plan.is::<PlaceholderRowExec>() {
            // A row of which nothing is read: its columns, if it says that it has any, have no values.
            let row = self.upload(plan);
            return Ok(of_source(row.source, Arc::new(Schema::empty())));
        }
        if plan.is::<EmptyExec>() {
            return Ok(self.upload(plan));
        }
        if let Some(filter) = plan.downcast_ref::<FilterExec>() {
            return self.filter(plan, filter);
        }
        if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
            let open = self.open(projection.input())?;
            let exprs: Vec<Arc<dyn PhysicalExpr>> = projection
                .expr()
                .iter()
                .map(|projected| Arc::clone(&projected.expr))
                .collect();
            return project(plan, open, &exprs, &projection.input().schema());
        }
        if plan.is::<RepartitionExec>() || plan.is::<CooperativeExec>() {
            return self.only_child(plan);
        }
        if let Some(coalesce) = plan.downcast_ref::<CoalescePartitionsExec>() {
            let open = self.open(coalesce.input())?;
            return Ok(match plan.fetch() {
                Some(fetch) => self.limit(open, 0, Some(fetch), plan.schema()),
                None => open,
            });
        }
        if let Some(limit) = plan.downcast_ref::<GlobalLimitExec>() {
            let open = self.open(limit.input())?;
            return Ok(self.limit(open, limit.skip(), limit.fetch(), plan.schema()));
        }
        if let Some(limit) = plan.downcast_ref::<LocalLimitExec>() {
            let open = self.open(limit.input())?;
            return Ok(self.limit(open, 0, Some(limit.fetch()), plan.schema()));
        }
        if let Some(sort) = plan.downcast_ref::<SortExec>() {
            return self.sort(plan, sort.input(), sort.expr(), sort.fetch());
        }
        if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
            // Here there is one partition, so rows that were sorted need no merge.
            if !is_sorted_below(merge.input()) {
                return self.sort(plan, merge.input(), merge.expr(), merge.fetch());
            }
            let open = self.open(merge.input())?;
            return Ok(match merge.fetch() {
                Some(fetch) => self.limit(open, 0, Some(fetch), plan.schema()),
                None => open,
            });
        }
        if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
            let (sources, input) = aggregate::input_of(plan, aggregate)?;
            let open = self.open(&input)?;
            let mut spec = aggregate::spec(plan, &sources, &open, &input.schema())?;
            let open = self.strings_first(open, &mut spec);
            return Ok(self.closed(open, Sink::Aggregate(spec), plan.schema()));
        }
        if let Some(join) = join::Join::of(plan) {
            return self.join(plan, &join?);
        }
        if let Some(scalar) = plan.downcast_ref::<ScalarSubqueryExec>() {
            return self.subqueries_first(plan, scalar);
        }
        if let Some(node) = window::node_of(plan) {
            return window::open(self, plan, &node);
        }
        if plan.is::<UnionExec>() || plan.is::<InterleaveExec>() {
            return self.union(plan);
        }
        Err(Refusal::of(plan, "the GPU does not run this operator yet"))
    }

    fn only_child(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Open, Refusal> {
        match plan.children()[..] {
            [child] => self.open(child),
            _ => Err(Refusal::of(
                plan,
                "an operator of one input has another number of them",
            )),
        }
    }

    fn data_source(
        &mut self,
        plan: &Arc<dyn ExecutionPlan>,
        source: &DataSourceExec,
    ) -> Result<Open, Refusal> {
        if memory_of(plan).is_some() {
            return Ok(self.upload(plan));
        }
        let spec = ScanSpec::of(source).map_err(|reason| Refusal::of(plan, reason))?;
        let spec = Arc::new(spec);
        let schema = spec.schema();
        let mut open = of_source(Source::Scan(Arc::clone(&spec)), Arc::clone(&schema));
        if let Some(predicate) = spec.exact_predicate() {
            open.filters = conjunction(plan, &predicate, &schema, &open.outputs)?;
        }
        let exprs: Vec<Arc<dyn PhysicalExpr>> = spec.projection().into_iter().map(|(expr, _)| expr).collect();
        let open = project(plan, open, &exprs, &schema)?;
        // A limit that was pushed into the scan has no operator of its own any more.
        Ok(match source.fetch() {
            Some(fetch) => self.limit(open, 0, Some(fetch), plan.schema()),
            None => open,
        })
    }

    fn filter(&mut self, plan: &Arc<dyn ExecutionPlan>, filter: &FilterExec) -> Result<Open, Refusal> {
        let mut open = self.open(filter.input())?;
        let schema = filter.input().schema();
        open.filters
            .extend(conjunction(plan, filter.predicate(), &schema, &open.outputs)?);
        if let Some(kept) = filter.projection() {
            open.outputs = kept.iter().map(|&at| open.outputs[at].clone()).collect();
        }
        Ok(match plan.fetch() {
            Some(fetch) => self.limit(open, 0, Some(fetch), plan.schema()),
            None => open,
        })
    }

    pub(super) fn limit(&mut self, open: Open, skip: usize, fetch: Option<usize>, schema: SchemaRef) -> Open {
        self.closed(open, Sink::Limit { skip, fetch }, schema)
    }

    fn sort(
        &mut self,
        plan: &Arc<dyn ExecutionPlan>,
        input: &Arc<dyn ExecutionPlan>,
        order: &LexOrdering,
        fetch: Option<usize>,
    ) -> Result<Open, Refusal> {
        let open = self.open(input)?;
        let key = |sort: &datafusion::physical_expr::PhysicalSortExpr| {
            let expr = lower_expr(&sort.expr, &input.schema()).map_err(|reason| Refusal::of(plan, reason))?;
            Ok(SortKey {
                expr: expr.substitute(&open.outputs),
                descending: sort.options.descending,
                nulls_first: sort.options.nulls_first,
            })
        };
        let keys = order.iter().map(key).collect::<Result<Vec<_>, Refusal>>()?;
        let sink = Sink::Sort(SortSpec { keys, fetch });
        Ok(self.closed(open, sink, input.schema()))
    }

    fn union(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Open, Refusal> {
        let schema = plan.schema();
        let mut ids = Vec::new();
        for child in plan.children() {
            let same = child
                .schema()
                .fields()
                .iter()
                .zip(schema.fields())
                .all(|(a, b)| a.data_type() == b.data_type());
            if !same {
                return Err(Refusal::of(plan, "its inputs differ in their types"));
            }
            let open = self.open(child)?;
            if open.outputs.len() != schema.fields().len() {
                return Err(Refusal::of(plan, "an input has no values for its columns"));
            }
            ids.push(self.close(open, Sink::Pass, Arc::clone(&schema)));
        }
        Ok(of_source(Source::Pipelines(ids), schema))
    }

    /// `open`, what `spec` reads computed by a pipeline of its own if that makes strings: a kernel that adds rows to
    /// groups cannot be run again with more room.
    fn strings_first(&mut self, mut open: Open, spec: &mut AggregateSpec) -> Open {
        let mut makes_strings = open.filters.iter().any(Expr::makes_strings);
        spec.visit(&mut |expr| makes_strings |= expr.makes_strings());
        if !makes_strings {
            return open;
        }
        let mut outputs: Vec<Expr> = Vec::new();
        spec.visit(&mut |expr| {
            if !outputs.contains(expr) {
                outputs.push(expr.clone());
            }
        });
        let schema = Arc::new(schema_of(&outputs));
        spec.visit_mut(&mut |expr| {
            if let Some(index) = outputs.iter().position(|output| output == expr) {
                *expr = Expr::column(index, schema.field(index));
            }
        });
        open.outputs = outputs;
        self.closed(open, Sink::Pass, schema)
    }

    /// Ends a pipeline, and begins one that reads it.
    pub(super) fn closed(&mut self, open: Open, sink: Sink, schema: SchemaRef) -> Open {
        let id = self.close(open, sink, Arc::clone(&schema));
        of_source(Source::Pipelines(vec![id]), schema)
    }

    pub(super) fn close(&mut self, open: Open, sink: Sink, output: SchemaRef) -> PipelineId {
        self.pipelines.push(Pipeline {
            source: open.source,
            input: open.input,
            stages: open.stages,
            filters: open.filters,
            outputs: open.outputs,
            sink,
            output,
        });
        self.pipelines.len() - 1
    }
}

/// Refuses rows that the GPU does not hold.
pub(super) fn check_held(plan: &Arc<dyn ExecutionPlan>, schema: &Schema) -> Result<(), Refusal> {
    let mut fields = schema.fields().iter();
    match fields.find(|field| Repr::of(field.data_type()).is_none()) {
        Some(field) => Err(Refusal::of(
            plan,
            format!(
                "column {} of type {} is not held on the GPU",
                field.name(),
                field.data_type()
            ),
        )),
        None => Ok(()),
    }
}

/// Whether a graph does more than pass on what the CPU made.
fn is_worth_uploading(graph: &PipelineGraph) -> bool {
    graph.pipelines.iter().any(|pipeline| {
        matches!(pipeline.source, Source::Scan(_))
            || !matches!(pipeline.sink, Sink::Pass | Sink::Limit { .. })
    })
}

/// Whether the rows of a plan are in the order of a sort, which operators after it keep.
pub(super) fn is_sorted_below(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let keeps = plan.is::<ProjectionExec>()
        || window::node_of(plan).is_some()
        || plan.is::<FilterExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<LocalLimitExec>()
        || plan.is::<GlobalLimitExec>();
    match plan.children()[..] {
        _ if plan.is::<SortExec>() => true,
        [child] if keeps => is_sorted_below(child),
        _ => false,
    }
}

pub(super) fn of_source(source: Source, schema: SchemaRef) -> Open {
    let columns = schema.fields().iter().enumerate();
    Open {
        source,
        filters: Vec::new(),
        outputs: columns.map(|(index, field)| Expr::column(index, field)).collect(),
        stages: Vec::new(),
        columns: Arc::clone(&schema),
        input: schema,
    }
}

fn project(
    plan: &Arc<dyn ExecutionPlan>,
    open: Open,
    exprs: &[Arc<dyn PhysicalExpr>],
    input: &Schema,
) -> Result<Open, Refusal> {
    let lowered = exprs
        .iter()
        .map(|expr| lower_expr(expr, input).map(|expr| expr.substitute(&open.outputs)));
    let outputs = lowered
        .collect::<Result<Vec<Expr>, String>>()
        .map_err(|reason| Refusal::of(plan, reason))?;
    Ok(Open { outputs, ..open })
}

/// The parts of a predicate that must all be true. Filters that joins and sorts make while they run are left out: they
/// spare work, and decide nothing.
pub(super) fn conjunction(
    plan: &Arc<dyn ExecutionPlan>,
    predicate: &Arc<dyn PhysicalExpr>,
    input: &Schema,
    outputs: &[Expr],
) -> Result<Vec<Expr>, Refusal> {
    datafusion::physical_expr::split_conjunction(predicate)
        .into_iter()
        .filter(|part| !DynamicFilterTracking::classify(part).contains_dynamic_filter())
        .map(|part| lower_expr(part, input).map(|expr| expr.substitute(outputs)))
        .collect::<Result<_, String>>()
        .map_err(|reason| Refusal::of(plan, reason))
}

fn is_identity(outputs: &[Expr], input: &Schema) -> bool {
    let columns = input.fields().iter().enumerate();
    outputs.len() == input.fields().len()
        && columns
            .zip(outputs)
            .all(|((index, field), output)| *output == Expr::column(index, field))
}

pub(super) fn schema_of(outputs: &[Expr]) -> Schema {
    let field = |(index, output): (usize, &Expr)| {
        arrow::datatypes::Field::new(format!("c{index}"), output.data_type.clone(), output.nullable)
    };
    Schema::new(outputs.iter().enumerate().map(field).collect::<Vec<_>>())
}
