//! Which joins will find several rows for one key, and how far apart their keys may lie.
//!
//! In: pipelines, and what footers tell of the columns that they read. Out: the same for the columns that they leave, and
//! for the key of each table. It is a guess about which kernels will be needed: filters may leave fewer rows, and columns
//! of which nothing is known are taken for such that repeat nothing.

use datafusion::execution::TaskContext;

use crate::pipeline::expr::{Expr, Node};
use crate::pipeline::{JoinSpec, Pipeline, PipelineId, Sink, Source};
use crate::scan::ColumnAbout;

type Columns = Vec<ColumnAbout>;

/// What is known of the pipelines so far.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// The columns that each pipeline leaves.
    left: Vec<Columns>,
    /// What is known of the key of the table that each pipeline builds.
    keys: Vec<ColumnAbout>,
}

impl Repeats {
    /// Whether a table that the pipeline builds has several rows of one key.
    pub(super) fn has_several(&self, id: PipelineId) -> bool {
        self.keys.get(id).is_some_and(|key| key.repeats)
    }

    /// How many values there may be from the least key to the greatest of a table that the pipeline builds.
    pub(super) fn key_values(&self, id: PipelineId) -> Option<u64> {
        self.keys.get(id)?.values
    }

    /// Takes the next pipeline.
    pub(super) fn add(&mut self, pipeline: &Pipeline, context: &TaskContext) {
        let mut columns = self.source(pipeline, context);
        for stage in &pipeline.stages {
            columns = self.joined(columns, &stage.join);
        }
        let outputs = pipeline.outputs.iter().map(|output| about(output, &columns));
        let outputs = outputs.collect();
        let (left, key) = match &pipeline.sink {
            Sink::Build(spec) => (outputs, of_key(&spec.keys, &columns)),
            Sink::Aggregate(spec) => {
                let is_key_alone = spec.keys.len() == 1 && spec.sets.is_empty();
                let keys = spec.keys.iter().map(|key| {
                    let key = about(key, &columns);
                    ColumnAbout {
                        repeats: key.repeats && !is_key_alone,
                        ..key
                    }
                });
                let values = spec.outcomes.iter().map(|_| ColumnAbout::default());
                (keys.chain(values).collect(), ColumnAbout::default())
            }
            _ => (outputs, ColumnAbout::default()),
        };
        self.left.push(left);
        self.keys.push(key);
    }

    fn source(&self, pipeline: &Pipeline, context: &TaskContext) -> Columns {
        match &pipeline.source {
            Source::Scan(spec) => spec.columns_about(context),
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
        table.resize(join.table.fields().len(), ColumnAbout::default());
        if !join.passes_rows() {
            return table;
        }
        rows.resize(join.input.fields().len(), ColumnAbout::default());
        if !join.adds_columns() {
            return rows;
        }
        if of_key(&join.keys, &rows).repeats {
            table.iter_mut().for_each(|column| column.repeats = true);
        }
        if self.has_several(join.build) {
            rows.iter_mut().for_each(|column| column.repeats = true);
        }
        [rows, table].concat()
    }
}

/// What is known of the `keys` of rows: of several columns nobody knows how they go together.
fn of_key(keys: &[Expr], columns: &[ColumnAbout]) -> ColumnAbout {
    match keys {
        [key] => about(key, columns),
        _ => ColumnAbout::default(),
    }
}

/// What is known of an expression: of a column, cast or not.
fn about(expr: &Expr, columns: &[ColumnAbout]) -> ColumnAbout {
    match &expr.node {
        Node::Column(at, _) => columns.get(*at).copied().unwrap_or_default(),
        Node::Cast { value, .. } => about(value, columns),
        _ => ColumnAbout::default(),
    }
}
