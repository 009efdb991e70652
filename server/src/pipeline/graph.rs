//! The graph of pipelines: each reads one source, filters and computes rows in one pass, and hands them to one sink.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::expr::{Expr, SubquerySlot};
use super::{AggregateSpec, BuildSpec, SortSpec, Stage, WindowSpec};
use crate::scan::ScanSpec;

/// A pipeline of its graph, by its place in [`PipelineGraph::pipelines`].
pub type PipelineId = usize;

/// Where a pipeline's rows come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Parquet files, partition by partition.
    Scan(Arc<ScanSpec>),
    /// Rows that the CPU makes, uploaded: a child of the node that holds the graph, by its number.
    Upload(usize),
    /// What other pipelines hand on, one after the other.
    Pipelines(Vec<PipelineId>),
}

impl Source {
    /// The pipelines that it reads.
    pub fn pipelines(&self) -> &[PipelineId] {
        match self {
            Self::Pipelines(ids) => ids,
            Self::Scan(_) | Self::Upload(_) => &[],
        }
    }
}

/// What becomes of a pipeline's rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Sink {
    /// They are handed on as they come: to the pipeline that names this one, or out.
    Pass,
    /// Some of them are handed on: the first `fetch` after `skip`.
    Limit {
        /// Rows left out first.
        skip: usize,
        /// Rows handed on at most.
        fetch: Option<usize>,
    },
    /// A breaker: groups are handed on when all rows have been seen.
    Aggregate(AggregateSpec),
    /// A breaker: rows are handed on in order when all have been seen.
    Sort(SortSpec),
    /// A breaker: rows are kept for the join that names this pipeline.
    Build(BuildSpec),
    /// A breaker: rows are handed on, with a column a function, when all have been seen.
    Window(WindowSpec),
    /// A breaker: the one column of the one row is the value of a scalar subquery, which pipelines behind this one read.
    Value(SubquerySlot),
}

/// One pipeline. Expressions are over the columns of its source and what joins make of them, as they stand there.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Where its rows come from.
    pub source: Source,
    /// Columns of its source.
    pub input: SchemaRef,
    /// Joins on the way.
    pub stages: Vec<Stage>,
    /// Rows for which one of these is not true are dropped.
    pub filters: Vec<Expr>,
    /// What is computed of each row left; an aggregate computes its own.
    pub outputs: Vec<Expr>,
    /// What becomes of the rows.
    pub sink: Sink,
    /// Columns that leave the sink.
    pub output: SchemaRef,
}

/// Equal are those that make the same rows, whatever their columns are called.
impl PartialEq for Pipeline {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            source,
            input,
            stages,
            filters,
            outputs,
            sink,
            output,
        } = self;
        // Files last: there may be many.
        *filters == other.filters
            && *outputs == other.outputs
            && *sink == other.sink
            && *stages == other.stages
            && same_columns(input, &other.input)
            && same_columns(output, &other.output)
            && *source == other.source
    }
}

/// Pipelines in an order in which each comes after those that it reads, and after those whose values it reads; the last
/// one's rows are the result.
#[derive(Debug, Clone)]
pub struct PipelineGraph {
    /// At least one.
    pub pipelines: Vec<Pipeline>,
}

impl PipelineGraph {
    /// The same, whose scans leave nothing out unread.
    pub fn unpruned(&self) -> Self {
        let mut graph = self.clone();
        for pipeline in &mut graph.pipelines {
            if let Source::Scan(spec) = &mut pipeline.source {
                *spec = Arc::new(spec.unpruned());
            }
        }
        graph
    }

    /// Columns of the result.
    pub fn schema(&self) -> SchemaRef {
        match self.pipelines.last() {
            Some(last) => Arc::clone(&last.output),
            None => Arc::new(arrow::datatypes::Schema::empty()),
        }
    }

    /// The pipelines that make values of subqueries, in the order in which they are to run, all of them before the root.
    pub fn values(&self) -> impl Iterator<Item = (PipelineId, &SubquerySlot)> {
        let all = self.pipelines.iter().enumerate();
        all.filter_map(|(id, pipeline)| match &pipeline.sink {
            Sink::Value(slot) => Some((id, slot)),
            _ => None,
        })
    }

    /// The id of the pipeline whose rows are the result.
    pub fn root(&self) -> PipelineId {
        self.pipelines.len().saturating_sub(1)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan(spec) => write!(f, "scan {spec}"),
            Self::Upload(child) => write!(f, "upload of child {child}"),
            Self::Pipelines(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| format!("p{id}")).collect();
                write!(f, "{}", ids.join(", then "))
            }
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => write!(f, "pass"),
            Self::Limit { skip, fetch: None } => write!(f, "limit skip={skip}"),
            Self::Limit {
                skip,
                fetch: Some(fetch),
            } => write!(f, "limit skip={skip} fetch={fetch}"),
            Self::Aggregate(spec) => write!(f, "{spec}"),
            Self::Sort(spec) => write!(f, "{spec}"),
            Self::Build(spec) => write!(f, "{spec}"),
            Self::Window(spec) => write!(f, "{spec}"),
            Self::Value(_) => write!(f, "value of a subquery"),
        }
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        for stage in &self.stages {
            write!(f, " | {stage}")?;
        }
        if !self.filters.is_empty() {
            let filters: Vec<String> = self.filters.iter().map(Expr::to_string).collect();
            write!(f, " | filter {}", filters.join(" AND "))?;
        }
        if !matches!(self.sink, Sink::Aggregate(_)) {
            write!(f, " | compute [{}]", list(&self.outputs))?;
        }
        write!(f, " | {}", self.sink)
    }
}

impl fmt::Display for PipelineGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, pipeline) in self.pipelines.iter().enumerate() {
            let separator = if id > 0 { "; " } else { "" };
            write!(f, "{separator}p{id}: {pipeline}{}", self.shared_by(id))?;
        }
        Ok(())
    }
}

/// Whether two schemas have columns of the same types, whatever they are called.
pub(super) fn same_columns(one: &SchemaRef, other: &SchemaRef) -> bool {
    let (one, other) = (one.fields(), other.fields());
    let mut pairs = one.iter().zip(other);
    one.len() == other.len()
        && pairs.all(|(one, other)| {
            one.data_type() == other.data_type() && one.is_nullable() == other.is_nullable()
        })
}

/// Items with commas between them.
pub(super) fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
