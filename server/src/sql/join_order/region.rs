//! A region: a tree of joins whose order is free.
//!
//! In: a logical plan. Out: its relations, what equates them, what else must hold, and its output columns, all in
//! terms of the relations' own columns. Inner joins are followed through projections that only rename, aliases and
//! filters. Semi and anti joins commute with them: their right sides are relations too, which only reduce others.
//! A region ends at everything else: outer joins, aggregates, limits, volatile expressions, subqueries.

use std::collections::HashSet;

use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::flatten::{Builder, leads_to_join};
use super::tree::{Set, Tree, only};

/// See the module.
#[derive(Debug)]
pub struct Region {
    /// What is joined.
    pub relations: Vec<Relation>,
    /// Expressions that are equal in every row: `a = b` and `b = c` are one class.
    pub classes: Vec<Vec<Member>>,
    /// Other predicates, each with the relations that it reads.
    pub predicates: Vec<(Expr, Set)>,
    /// The columns of its result: where each comes from, and its name.
    pub outputs: Vec<Output>,
    /// The joins as the plan has them.
    pub written: Tree,
}

/// One input of the joins.
#[derive(Debug)]
pub struct Relation {
    /// What it reads.
    pub plan: LogicalPlan,
    /// Set if it is the right side of a semi or anti join: it keeps rows or not and adds no columns.
    pub reducer: Option<Reducer>,
}

/// How a relation reduces others.
#[derive(Debug)]
pub struct Reducer {
    /// Whether rows without a match are kept instead of those with one.
    pub anti: bool,
    /// The class of each key, and this relation's expression for it.
    pub keys: Vec<(usize, Expr)>,
    /// A further condition for a match.
    pub filter: Option<Expr>,
    /// The other relations that the condition reads.
    pub reads: Set,
}

/// One expression of a class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// The only relation that it reads.
    pub relation: usize,
    /// The expression.
    pub expr: Expr,
}

/// One column of the result.
#[derive(Debug)]
pub struct Output {
    /// The relation's column.
    pub column: Column,
    /// Its qualifier in the result.
    pub qualifier: Option<TableReference>,
    /// Its name in the result.
    pub name: String,
}

impl Region {
    /// The region whose root a plan is; none if it is no join of at least two relations. With `required`, only those
    /// of its columns are needed.
    pub fn of(plan: &LogicalPlan, required: Option<&HashSet<Column>>) -> Option<Self> {
        if !leads_to_join(plan) {
            return None;
        }
        // Names within aliases may be met twice; then aliases are not looked through.
        [true, false]
            .into_iter()
            .find_map(|through_names| Builder::new(through_names).region(plan, required))
    }

    /// All relations.
    pub fn all(&self) -> Set {
        (0..self.relations.len()).fold(0, |set, index| set | only(index))
    }
}
