//! The kernels that operators will need, before there are batches.
//!
//! In: what an operator is made of, and the shapes of the columns that it will read. Out: the kernels that it is sure to
//! need, then those that it may need, by what the data turn out to be. An operator that asks for others compiles them
//! when it does: a wrong guess costs time, nothing else.

use kernels::KernelSource;

use super::aggregate::{strategies, wanting_sets};
use super::codes::entries_shape;
use super::group_keys::Grouping;
use super::interner::enter_strings;
use super::join::foreseen_joins;
use super::numbered::{Numbered, coded_in};
use super::numbered_rows::{numbered_outputs, order_of_strings, ranked};
use super::{Build, Foretold, Gpu, Rows, Sort, Window};
use crate::batch::Repr;
use crate::pipeline::aggregate::{Accumulator, Combine};
use crate::pipeline::expr::{ColumnShape, Expr, Node};
use crate::pipeline::kernels::{
    Generated, find_groups, finish, fold_members, insert_distinct, mask, measure_texts, project, sort_keys,
    update, update_extremes,
};
use crate::pipeline::{AggregateSpec, SortKey, SortSpec, Stage};

/// Kernels to compile ahead. A specification that no kernel can be made of adds none: its operator will say so.
#[derive(Debug, Default)]
pub struct Foreseen {
    /// Needed as soon as there is a row.
    pub certain: Vec<KernelSource>,
    /// Needed for some data, the likelier first.
    pub possible: Vec<KernelSource>,
}

impl Foreseen {
    /// Those of `rows` over columns of these shapes; returns the shapes of what it computes.
    pub fn rows(&mut self, rows: &Rows, columns: &[ColumnShape]) -> Vec<ColumnShape> {
        let all: Vec<&Expr> = rows.outputs.iter().collect();
        let is_read_through =
            |index: usize| columns.get(index).is_some_and(|column| column.through.is_some());
        let computed =
            |output: &&Expr| !matches!(output.node, Node::Column(index, _) if !is_read_through(index));
        let computed: Vec<&Expr> = rows.outputs.iter().filter(computed).collect();
        if rows.filters.is_empty() {
            self.certain.extend(projected(columns, &computed));
        } else {
            self.certain.extend(source(mask(columns, &rows.filters)));
            self.certain.extend(projected(columns, &all));
            // Where a filter keeps all rows of a batch, columns are handed on as they are.
            if computed.len() < all.len() {
                self.possible.extend(projected(columns, &computed));
            }
        }
        let shape = |output: &Expr| {
            let nullable = match output.node {
                Node::Column(index, _) => columns.get(index).is_some_and(|column| column.nullable),
                _ => false,
            };
            Some(ColumnShape {
                repr: Repr::of(&output.data_type)?,
                nullable: nullable || output.nullable,
                through: None,
            })
        };
        rows.outputs.iter().filter_map(shape).collect()
    }

    /// Those of a sort; returns the shapes of what it keeps, and of what leaves.
    pub fn sort(&mut self, sort: &Sort, columns: &[ColumnShape]) -> (Vec<ColumnShape>, Vec<ColumnShape>) {
        let outputs = &sort.rows.outputs;
        let outputs = numbered_outputs(outputs, &sort.spec, columns.len(), coded_in(columns));
        if outputs.is_empty() {
            let kept = self.rows(&sort.rows, columns);
            self.ordered(&sort.spec, &kept);
            return (kept.clone(), kept);
        }
        let wide = self.numbered(&outputs, columns);
        let rows = Rows::new(sort.rows.filters.clone(), outputs.exprs.clone());
        let mut kept = self.rows(&rows, &wide);
        let mut leaving = kept.clone();
        for &place in &outputs.numbers {
            leaving[place].repr = Repr::Str;
        }
        let (spec, ranks) = ranked(&sort.spec, &outputs.numbers, kept.len());
        if !ranks.is_empty() {
            let string = ColumnShape {
                repr: Repr::Str,
                nullable: false,
                through: None,
            };
            self.ordered(&order_of_strings(), &[string]);
        }
        for place in ranks {
            kept.push(kept[place]);
        }
        self.ordered(&spec, &kept);
        (kept, leaving)
    }

    /// Those that number the strings of columns of these shapes; returns the shapes of the columns with their numbers.
    fn numbered(&mut self, numbered: &Numbered, columns: &[ColumnShape]) -> Vec<ColumnShape> {
        for &column in &numbered.strings {
            let entered = enter_strings(&[entries_shape(&columns[column])]);
            self.certain.extend(source(entered));
        }
        numbered.beside(columns)
    }

    /// Those that order columns of these shapes by `spec`.
    fn ordered(&mut self, spec: &SortSpec, columns: &[ColumnShape]) {
        let is_text = |key: &SortKey| Repr::of(&key.expr.data_type) == Some(Repr::Str);
        if spec.keys.iter().any(is_text) {
            self.certain.extend(source(measure_texts(columns, spec)));
        }
        let keys = sort_keys(columns, spec).map(|(generated, _)| generated);
        self.certain.extend(source(keys));
    }

    /// Those of a join's table of `width` columns; returns the shapes of the columns that are kept for it, and what is
    /// thought of the table. Of its `key` is said whether it is thought to have one row at most, and how many values there
    /// may be from the least to the greatest.
    pub fn build(
        &mut self,
        build: &Build,
        width: usize,
        key: (bool, Option<u64>),
        columns: &[ColumnShape],
    ) -> (Vec<ColumnShape>, Foretold) {
        let kept = self.rows(build.rows(), columns);
        for generated in build.foreseen(&kept) {
            self.certain.extend(source(generated));
        }
        let foretold = build.foretold(kept.iter().take(width).copied().collect(), key);
        if foretold.other.is_some() {
            self.possible.extend(source(build.find_groups(&kept)));
        }
        (kept, foretold)
    }

    /// Those of joins; returns the shapes of the batches that their kernels read, and of those that may leave the last one.
    pub fn joins(
        &mut self,
        stages: &[Stage],
        tables: &[&Foretold],
        columns: Vec<ColumnShape>,
    ) -> (Vec<Vec<ColumnShape>>, Vec<Vec<ColumnShape>>) {
        let joins = foreseen_joins(stages, tables, columns);
        self.certain.extend(joins.kernels.into_iter().filter_map(source));
        (joins.read, joins.left)
    }

    /// Has what `other` foresees as what is possible.
    pub fn may_need(&mut self, other: Self) {
        self.possible.extend(other.certain);
        self.possible.extend(other.possible);
    }

    /// Those that keep rows for a window; returns the shapes of what leaves.
    pub fn window(&mut self, window: &Window, columns: &[ColumnShape]) -> Vec<ColumnShape> {
        window.foresee(self, columns)
    }

    /// Those of an aggregation of rows for which all `filters` are true; returns the shapes of its groups.
    pub fn aggregate(
        &mut self,
        gpu: &Gpu,
        spec: &AggregateSpec,
        filters: &[Expr],
        columns: &[ColumnShape],
    ) -> Vec<ColumnShape> {
        let Ok(grouping) = Grouping::of(spec, columns.len(), coded_in(columns)) else {
            return Vec::new();
        };
        let grouped = !spec.keys.is_empty();
        if grouped {
            let wide = self.numbered(&grouping.keys, columns);
            for set in 0..spec.sets.len().max(1) {
                let keys = grouping.of_set(set);
                let finder = find_groups(&wide, filters, keys, &grouping.layout);
                self.certain.extend(source(finder));
            }
        }
        if spec.has(Accumulator::is_plain) {
            let mut updaters = strategies(spec, gpu.device.info().shared_bytes_max as usize)
                .into_iter()
                .filter_map(|strategy| source(update(columns, filters, spec, strategy)));
            self.certain.extend(updaters.next());
            self.possible.extend(updaters);
        }
        if spec.has(|added| added.combine.is_extreme()) {
            self.certain
                .extend(source(update_extremes(columns, filters, spec)));
        }
        for (start, counted) in wanting_sets(spec) {
            let Some(argument) = &counted.argument else {
                continue;
            };
            if counted.combine != Combine::CountDistinct {
                self.certain.extend(source(fold_members(counted, start)));
            }
            let coded = coded_in(columns);
            let member = Numbered::of(std::slice::from_ref(argument), columns.len(), |_, column| {
                coded(column)
            });
            let wide = self.numbered(&member, columns);
            let filter = counted.filter.as_ref();
            let inserted = insert_distinct(&wide, filters, grouped, &member.exprs[0], filter);
            self.certain.extend(source(inserted));
        }
        self.certain.extend(source(finish(spec, &grouping.layout)));
        let keys = spec.keys.iter().map(|key| (&key.data_type, key.nullable));
        let outcomes = spec.outcomes.iter();
        let outcomes = outcomes.map(|outcome| (&outcome.data_type, outcome.may_be_null()));
        let shape = |(data_type, nullable)| {
            Some(ColumnShape {
                repr: Repr::of(data_type)?,
                nullable,
                through: None,
            })
        };
        keys.chain(outcomes).filter_map(shape).collect()
    }
}

fn projected(columns: &[ColumnShape], outputs: &[&Expr]) -> Option<KernelSource> {
    if outputs.is_empty() {
        return None;
    }
    let outputs: Vec<Expr> = outputs.iter().map(|&output| output.clone()).collect();
    source(project(columns, &outputs))
}

fn source(generated: Result<Generated, String>) -> Option<KernelSource> {
    generated.ok().map(|generated| generated.source)
}
