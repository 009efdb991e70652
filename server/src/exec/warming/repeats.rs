//! Which joins will find several rows for one key.
//!
//! In: pipelines, and what footers tell of the columns that they read. Out: for each column, whether it surely holds
//! some value more than once, and so for the key of each table. It is a guess about which kernels will be needed:
//! filters may leave fewer rows, and columns of which nothing is known are taken for such that repeat nothing.

use datafusion::execution::TaskContext;

use crate::pipeline::expr::{Expr, Node};
use crate::pipeline::{JoinSpec, Pipeline, PipelineId, Sink, Source};

/// For each column, whether it repeats values.
type Columns = Vec<bool>;

/// What is known of the pipelines so far.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// The columns that each pipeline leaves.
    left: Vec<Columns>,
    /// Whether each pipeline builds a table in which a key has several rows.
    several: Vec<bool>,
}

impl Repeats {
    /// Whether a table that the pipeline builds has several rows of one key.
    pub(super) fn has_several(&self, id: PipelineId) -> bool {
        self.several.get(id) == Some(&true)
    }

    /// Takes the next pipeline.
    pub(super) fn add(&mut self, pipeline: &Pipeline, context: &TaskContext) {
        let mut columns = self.source(pipeline, context);
        for stage in &pipeline.stages {
            columns = self.joined(columns, &stage.join);
        }
        let repeated = |expr: &Expr| is_repeated(expr, &columns);
        let outputs = pipeline.outputs.iter().map(repeated).collect();
        let (left, several) = match &pipeline.sink {
            Sink::Build(spec) => (outputs, repeats(&spec.keys, &columns)),
            Sink::Aggregate(spec) => {
                let is_key_alone = spec.keys.len() == 1 && spec.sets.is_empty();
                let keys = spec.keys.iter().map(|key| !is_key_alone && repeated(key));
                let values = spec.outcomes.iter().map(|_| false);
                (keys.chain(values).collect(), false)
            }
            _ => (outputs, false),
        };
        self.left.push(left);
        self.several.push(several);
    }

    fn source(&self, pipeline: &Pipeline, context: &TaskContext) -> Columns {
        match &pipeline.source {
            Source::Scan(spec) => spec.repeats_about(context),
            Source::Pipelines(ids) => match &ids[..] {
                [id] => self.left.get(*id).cloned().unwrap_or_default(),
                // What is in one may be in another too, which nobody knows.
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// The columns behind a join of rows with these.
    fn joined(&self, mut rows: Columns, join: &JoinSpec) -> Columns {
        let mut table = self.left.get(join.build).cloned().unwrap_or_default();
        table.resize(join.table.fields().len(), false);
        if !join.passes_rows() {
            return table;
        }
        rows.resize(join.input.fields().len(), false);
        if !join.adds_columns() {
            return rows;
        }
        if repeats(&join.keys, &rows) {
            table.fill(true);
        }
        if self.has_several(join.build) {
            rows.fill(true);
        }
        [rows, table].concat()
    }
}

/// Whether rows with the same `keys` are sure to be there: of several columns nobody knows how they go together.
fn repeats(keys: &[Expr], columns: &[bool]) -> bool {
    match keys {
        [key] => is_repeated(key, columns),
        _ => false,
    }
}

/// Whether an expression is a column that repeats values, cast or not.
fn is_repeated(expr: &Expr, columns: &[bool]) -> bool {
    match &expr.node {
        Node::Column(at, _) => columns.get(*at) == Some(&true),
        Node::Cast { value, .. } => is_repeated(value, columns),
        _ => false,
    }
}
