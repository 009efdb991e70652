//! A region's joins in a new order, as a logical plan.
//!
//! In: a graph, a tree, the relations' plans. Out: joins whose left sides are the trees' build sides. Each predicate
//! is applied by the first join that has its columns, each class by one pair of keys a join; columns that nothing
//! asks for any more are dropped. The result has the columns, names and order that the region's plan had.

use std::sync::Arc;

use datafusion::common::{Column, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Filter, Join, JoinConstraint, JoinType, LogicalPlan, Projection};

use super::graph::Graph;
use super::region::Reducer;
use super::tree::{Set, Tree};

/// The plan of a tree over all relations. `plans` are the relations', as they are to be read.
pub fn plan(graph: &Graph, tree: &Tree, plans: &[LogicalPlan]) -> Result<LogicalPlan> {
    let joined = subtree(graph, tree, plans)?;
    let outputs = graph.region.outputs.iter().map(|output| {
        let unchanged = output.column.relation == output.qualifier && output.column.name == output.name;
        match unchanged {
            true => Expr::Column(output.column.clone()),
            false => {
                Expr::Column(output.column.clone()).alias_qualified(output.qualifier.clone(), &output.name)
            }
        }
    });
    let outputs: Vec<Expr> = outputs.collect();
    let natural = joined.schema().columns().into_iter().map(Expr::Column);
    if natural.eq(outputs.iter().cloned()) {
        return Ok(joined);
    }
    Ok(LogicalPlan::Projection(Projection::try_new(
        outputs,
        Arc::new(joined),
    )?))
}

pub(super) fn subtree(graph: &Graph, tree: &Tree, plans: &[LogicalPlan]) -> Result<LogicalPlan> {
    let set = tree.set();
    let plan = match tree {
        Tree::Relation(relation) => {
            let plan = plans[*relation].clone();
            match conjunction(due(graph, set, 0, 0)) {
                Some(predicate) => LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(plan))?),
                None => plan,
            }
        }
        Tree::Join(build, probe) => {
            let left = subtree(graph, build, plans)?;
            let right = subtree(graph, probe, plans)?;
            join(graph, (left, build.set()), (right, probe.set()))?
        }
    };
    if set == graph.region.all() || graph.reducer(set).is_some() {
        return Ok(plan);
    }
    let needed = graph.needed(set);
    let columns: Vec<Column> = plan.schema().columns();
    if needed.is_empty() || needed.len() == columns.len() {
        return Ok(plan);
    }
    let kept = columns
        .into_iter()
        .filter(|column| needed.contains(column))
        .map(Expr::Column);
    Ok(LogicalPlan::Projection(Projection::try_new(
        kept.collect(),
        Arc::new(plan),
    )?))
}

fn join(graph: &Graph, left: (LogicalPlan, Set), right: (LogicalPlan, Set)) -> Result<LogicalPlan> {
    let ((left, left_set), (right, right_set)) = (left, right);
    let mut on = Vec::new();
    let (join_type, filter) = match (graph.reducer(left_set), graph.reducer(right_set)) {
        (Some((_, reducer)), _) => {
            on.extend(keys(graph, reducer, right_set).map(|(key, expr)| (expr, key)));
            let kind = if reducer.anti {
                JoinType::RightAnti
            } else {
                JoinType::RightSemi
            };
            (kind, reducer.filter.clone())
        }
        (_, Some((_, reducer))) => {
            on.extend(keys(graph, reducer, left_set));
            let kind = if reducer.anti {
                JoinType::LeftAnti
            } else {
                JoinType::LeftSemi
            };
            (kind, reducer.filter.clone())
        }
        (None, None) => {
            let classes = graph.joining(left_set, right_set);
            on.extend(classes.filter_map(|class| {
                let (left, right) = (graph.key(class, left_set)?, graph.key(class, right_set)?);
                Some((left.clone(), right.clone()))
            }));
            let filter = conjunction(due(graph, left_set | right_set, left_set, right_set));
            (JoinType::Inner, filter)
        }
    };
    Ok(LogicalPlan::Join(Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        filter,
        join_type,
        JoinConstraint::On,
        NullEquality::NullEqualsNothing,
        false,
    )?))
}

/// A reducer's keys: what it asks of the rows of `set`, and its own expression.
fn keys(graph: &Graph, reducer: &Reducer, set: Set) -> impl Iterator<Item = (Expr, Expr)> {
    reducer
        .keys
        .iter()
        .filter_map(move |(class, expr)| Some((graph.key(*class, set)?.clone(), expr.clone())))
}

/// The predicates that can be applied to the rows of `set`, and could not to those of its parts.
fn due(graph: &Graph, set: Set, one: Set, other: Set) -> Vec<Expr> {
    let within = |reads: Set, set: Set| reads & !set == 0;
    let predicates = graph.region.predicates.iter();
    let due =
        predicates.filter(|(_, reads)| within(*reads, set) && !within(*reads, one) && !within(*reads, other));
    due.map(|(predicate, _)| predicate.clone()).collect()
}

/// The parts of a tree as text, for logs: `(build > probe)`, each with its estimated rows.
pub fn describe(graph: &Graph, tree: &Tree) -> String {
    let rows = graph.rows(tree.set());
    match tree {
        Tree::Relation(relation) => format!("{}:{rows:.0}", name(&graph.region.relations[*relation].plan)),
        Tree::Join(build, probe) => {
            let sign = match (graph.reducer(build.set()), graph.reducer(probe.set())) {
                (Some((_, reducer)), _) | (_, Some((_, reducer))) if reducer.anti => "anti",
                (None, None) => "⋈",
                _ => "semi",
            };
            format!(
                "({} {sign} {}):{rows:.0}",
                describe(graph, build),
                describe(graph, probe)
            )
        }
    }
}

/// The tables that a relation reads.
fn name(plan: &LogicalPlan) -> String {
    match plan {
        LogicalPlan::TableScan(scan) => scan.table_name.table().to_owned(),
        LogicalPlan::SubqueryAlias(alias) => alias.alias.table().to_owned(),
        LogicalPlan::Filter(_) | LogicalPlan::Projection(_) => plan.inputs().into_iter().map(name).collect(),
        other => {
            let inputs: Vec<String> = other.inputs().into_iter().map(name).collect();
            let kind = other.display().to_string();
            let kind = kind.split([':', ' ']).next().unwrap_or_default().to_lowercase();
            format!("{kind}[{}]", inputs.join(","))
        }
    }
}
