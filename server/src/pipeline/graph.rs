//! The graph of pipelines: each reads one source, filters and computes rows in one pass, and hands them to one sink.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::expr::Expr;
use super::{AggregateSpec, BuildSpec, SortSpec, Stage, WindowSpec};
use crate::scan::ScanSpec;

/// A pipeline of its graph, by its place in [`PipelineGraph::pipelines`].
pub type PipelineId = usize;

/// Where a pipeline's rows come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Parquet files, partition by partition.
    Scan(Arc<ScanSpec>),
    /// Rows that the CPU makes, uploaded: a child of the node that holds the graph, by its number.
    Upload(usize),
    /// What other pipelines hand on, one after the other.
    Pipelines(Vec<PipelineId>),
}

/// What becomes of a pipeline's rows.
#[derive(Debug, Clone)]
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

/// Pipelines in an order in which each comes after those that it reads; the last one's rows are the result.
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
            write!(f, "{separator}p{id}: {pipeline}")?;
        }
        Ok(())
    }
}

/// Items with commas between them.
pub(super) fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
