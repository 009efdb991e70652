//! A join the other way round: what was to go through the table becomes the table.
//!
//! In: a join as planned, and the columns that are kept of its build side. Out: the join by which these find the same pairs
//! in a table of the other side, and where the columns that leave it belong. It moves no rows.

use std::sync::Arc;

use arrow::datatypes::Schema;

use super::Build;
use crate::operator::Force;
use crate::pipeline::expr::Expr;
use crate::pipeline::{BuildSpec, JoinSpec, Stage};

/// See the module.
#[derive(Debug)]
pub(super) struct Swapped {
    /// For the rows that were kept, with no filters: they had theirs.
    pub(super) stage: Stage,
    /// For each column that the join as planned gives, which one this is; `None` if all stand where they belong.
    pub(super) order: Option<Vec<usize>>,
}

impl Swapped {
    /// Of the rows that `build` kept, in a table of rows that met the filters of `stage`.
    pub(super) fn of(stage: &Stage, build: &Build) -> Self {
        let join = &stage.join;
        let input = build.columns();
        let (width, rows) = (join.table.fields().len(), join.input.fields().len());
        // Keys that are no columns of the table stand behind those.
        let kept = input.fields().len();
        let places: Vec<Expr> = columns(&join.input, kept)
            .chain(columns(&join.table, 0))
            .collect();
        let swapped = JoinSpec {
            build: join.build,
            join_type: join.join_type.swap(),
            keys: build.keys().to_vec(),
            residual: join
                .residual
                .iter()
                .map(|filter| filter.substitute(&places))
                .collect(),
            null_keys: join.null_keys,
            null_aware: false,
            keeps_order: false,
            table: Arc::clone(&join.input),
            input,
        };
        let order: Option<Vec<usize>> = if join.adds_columns() {
            Some((kept..kept + rows).chain(0..width).collect())
        } else if swapped.passes_rows() && kept > width {
            // A mark is the last column.
            let mark = join.adds_mark().then_some(kept);
            Some((0..width).chain(mark).collect())
        } else {
            None
        };
        Self {
            stage: Stage {
                filters: Vec::new(),
                join: swapped,
            },
            order,
        }
    }
}

/// The table of the rows that were to go through another one at `stage`, none yet.
pub(super) fn other_side(stage: &Stage, force: Force) -> Build {
    let join = &stage.join;
    let spec = BuildSpec {
        keys: join.keys.clone(),
        join_type: join.join_type.swap(),
        null_keys: join.null_keys,
        has_residual: !join.residual.is_empty(),
    };
    let outputs = columns(&join.input, 0).collect();
    Build::new(stage.filters.clone(), outputs, spec, force)
}

/// The columns of a schema, where the first of them is column `first`.
fn columns(schema: &Schema, first: usize) -> impl Iterator<Item = Expr> {
    let fields = schema.fields().iter().enumerate();
    fields.map(move |(at, field)| Expr::column(first + at, field))
}
