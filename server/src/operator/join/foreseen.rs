//! The kernels of a pipeline's joins, before there are tables: each is thought to have keys that are dense where they can
//! be.

use std::collections::HashMap;

use datafusion::common::JoinType;

use super::Build;
use super::coded::{foreseen_coded, found_key};
use super::look::{Look, steps};
use crate::batch::Repr;
use crate::pipeline::Stage;
use crate::pipeline::expr::{ColumnShape, Expr, Through};
use crate::pipeline::kernels::{Generated, Lookup, count_matches, look_up, mask};

/// A table that is not there yet.
#[derive(Debug, Clone)]
pub struct Foretold {
    /// How its keys will be found.
    pub lookup: Lookup,
    /// How they may have to be found too.
    pub other: Option<Lookup>,
    /// Whether a key is thought to have one row at most.
    pub unique: bool,
    /// Its columns.
    pub columns: Vec<ColumnShape>,
}

/// What is foreseen of the joins of a pipeline.
#[derive(Debug, Default)]
pub struct ForeseenJoins {
    /// Their kernels.
    pub kernels: Vec<Result<Generated, String>>,
    /// Shapes of the batches that they read.
    pub read: Vec<Vec<ColumnShape>>,
    /// Shapes of the batches that leave the last one: where rows were dropped, and where all stayed.
    pub left: Vec<Vec<ColumnShape>>,
}

impl Build {
    /// The table that it is thought to make of columns of these shapes.
    pub(in crate::operator) fn foretold(
        &self,
        columns: Vec<ColumnShape>,
        (unique, values): (bool, Option<u64>),
    ) -> Foretold {
        Foretold {
            lookup: self.likely_lookup(),
            other: self.other_lookup(values),
            unique,
            columns,
        }
    }
}

impl Foretold {
    /// The same, with keys found in the other way, if there is one.
    pub fn otherwise(&self) -> Self {
        Self {
            lookup: self.other.clone().unwrap_or_else(|| self.lookup.clone()),
            ..self.clone()
        }
    }
}

/// What is foreseen of `stages`, whose tables are `tables`, over columns of these shapes.
pub fn foreseen_joins(stages: &[Stage], tables: &[&Foretold], columns: Vec<ColumnShape>) -> ForeseenJoins {
    let mut foreseen = ForeseenJoins::default();
    let mut columns = columns;
    let mut looks: Vec<Look<'_>> = Vec::new();
    let mut added: Vec<&[ColumnShape]> = Vec::new();
    let mut stages = stages.iter().zip(tables).peekable();
    while let Some((stage, table)) = stages.next() {
        let look = Look {
            filters: &stage.filters,
            join: &stage.join,
            lookup: &table.lookup,
            found: None,
            unique: table.unique,
            width: table.columns.len(),
        };
        if look.finding().is_none() {
            columns = foreseen.pairs(&look, &table.columns, columns);
            continue;
        }
        looks.push(look);
        added.push(&table.columns);
        let next_is_pairs = stages.peek().is_some_and(|(stage, table)| {
            let next = Look {
                join: &stage.join,
                filters: &stage.filters,
                lookup: &table.lookup,
                found: None,
                unique: table.unique,
                width: table.columns.len(),
            };
            next.finding().is_none()
        });
        if look.is_last() || next_is_pairs || stages.peek().is_none() {
            columns = foreseen.lookups(&looks, &added, columns);
            looks.clear();
            added.clear();
        }
    }
    if foreseen.left.is_empty() {
        foreseen.left.push(columns);
    }
    foreseen
}

impl ForeseenJoins {
    /// Joins in one kernel; returns the columns after them, of rows of which some were dropped.
    fn lookups(
        &mut self,
        looks: &[Look<'_>],
        tables: &[&[ColumnShape]],
        columns: Vec<ColumnShape>,
    ) -> Vec<ColumnShape> {
        let width = columns.len();
        let mut wide = columns;
        for (look, table) in looks.iter().zip(tables) {
            if look.join.join_type == JoinType::RightMark {
                wide.push(plain(Repr::Bool));
            } else if look.join.adds_columns() {
                through(&mut wide, table, look.join.keeps_rows());
            }
        }
        let mut read = wide.clone();
        let found = looks.iter().map(|look| self.found(look, &mut read));
        let found: Vec<Option<Expr>> = found.collect();
        let looks_by = looks.iter().zip(&found).map(|(look, found)| Look {
            found: found.as_ref(),
            ..*look
        });
        let looks_by: Vec<Look<'_>> = looks_by.collect();
        let steps = steps(&looks_by, width, &read);
        self.kernels.push(steps.and_then(|steps| look_up(&read, &steps)));
        self.read.push(read);
        self.left.clear();
        let last = looks.last().zip(tables.last());
        if let Some((look, table)) = last
            && !look.join.passes_rows()
        {
            return rest(look, table);
        }
        let dropped = numbered(&wide);
        self.left = vec![dropped.clone(), wide];
        dropped
    }

    /// The key that stands for the keys of a join where their entries are found before, a column that is added to `columns`.
    fn found(&mut self, look: &Look<'_>, columns: &mut Vec<ColumnShape>) -> Option<Expr> {
        let (finder, found) = foreseen_coded(look.join, look.lookup, columns)?;
        self.kernels.push(finder);
        columns.push(found);
        Some(found_key(columns.len() - 1))
    }

    /// A join by pairs; returns the columns after it.
    fn pairs(
        &mut self,
        look: &Look<'_>,
        table: &[ColumnShape],
        columns: Vec<ColumnShape>,
    ) -> Vec<ColumnShape> {
        let has_residual = !look.join.residual.is_empty();
        let keeps = look.join.keeps_rows() && !has_residual;
        let mut read = columns.clone();
        let found = self.found(look, &mut read);
        let look_by = Look {
            found: found.as_ref(),
            ..*look
        };
        self.kernels.push(count_matches(&read, &look_by.probe(), keeps));
        self.read.push(read);
        self.left.clear();
        let mut pairs = numbered(&columns);
        through(&mut pairs, table, keeps);
        if has_residual {
            self.kernels.push(mask(&pairs, &look.join.residual));
            self.read.push(pairs.clone());
        }
        if look.join.adds_columns() {
            return pairs;
        }
        match look.join.passes_rows() {
            true => {
                let mut rows = columns;
                if look.join.join_type == JoinType::RightMark {
                    rows.push(plain(Repr::Bool));
                }
                numbered(&rows)
            }
            false => rest(look, table),
        }
    }
}

/// The columns of a table's rows that leave at the end.
fn rest(look: &Look<'_>, table: &[ColumnShape]) -> Vec<ColumnShape> {
    let mut columns = table.to_vec();
    match look.join.join_type {
        JoinType::LeftMark => {
            columns.push(plain(Repr::Bool));
            columns
        }
        _ => numbered(&columns),
    }
}

fn plain(repr: Repr) -> ColumnShape {
    ColumnShape {
        repr,
        nullable: false,
        through: None,
    }
}

/// Adds a table's columns, read through a list of their own.
fn through(columns: &mut Vec<ColumnShape>, table: &[ColumnShape], may_miss: bool) {
    let lists = columns.iter().filter_map(|column| column.through);
    let list = lists.map(|through| through.list + 1).max().unwrap_or_default();
    let through = Some(Through {
        list,
        may_miss,
        are_codes: false,
    });
    columns.extend(table.iter().map(|&column| ColumnShape { through, ..column }));
}

/// The columns of some of the rows: all are read through lists, which are numbered as they are met.
fn numbered(columns: &[ColumnShape]) -> Vec<ColumnShape> {
    let mut lists: HashMap<Option<usize>, usize> = HashMap::new();
    let one = |column: &ColumnShape| {
        let count = lists.len();
        let list = *lists
            .entry(column.through.map(|through| through.list))
            .or_insert(count);
        let may_miss = column.through.is_some_and(|through| through.may_miss);
        let are_codes = column.through.is_some_and(|through| through.are_codes);
        ColumnShape {
            through: Some(Through {
                list,
                may_miss,
                are_codes,
            }),
            ..*column
        }
    };
    columns.iter().map(one).collect()
}
