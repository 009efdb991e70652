//! Join order and build sides, by estimated cost.
//!
//! In: a logical plan that DataFusion's rules are done with: cross joins with equalities have become joins, filters
//! stand at the scans. Out: the same result with each tree of inner, semi and anti joins in the order that is
//! estimated to cost least, the left side of each join being the one to build the table of. Where the rows of a
//! relation are not known the plan stays as it is written.
//!
//! The modules in the order in which a plan meets them: `region`, `flatten`, `constants` (what is joined), `estimate`,
//! `profile`, `selectivity`, `limit`, `number` (how many rows each relation has), `graph`, `keys`, `carried` (how many
//! rows sets of them have, and how wide), `cost`, `search`, `tree` (the best order), `rebuild` (the plan of it),
//! `sides` (outer joins).

mod carried;
mod constants;
mod cost;
mod estimate;
mod flatten;
mod graph;
mod keys;
mod limit;
mod number;
mod profile;
mod rebuild;
mod region;
mod search;
mod selectivity;
mod sides;
mod tree;

use std::collections::HashSet;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::config::carried::Carried;
use crate::config::sections;
use graph::Graph;
use region::Region;

/// The share of the written order's cost that another must stay below to replace it. Estimates are not good to a
/// hundredth, but a query's plan is not to hang on how its FROM is written: only orders of equal cost are kept.
const CLEARLY_LESS: f64 = 0.99;

/// See the module.
#[derive(Debug)]
pub struct JoinOrder;

impl OptimizerRule for JoinOrder {
    fn name(&self) -> &str {
        "join_order"
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let by_cost = config
            .options()
            .extensions
            .get::<Carried<sections::JoinOrder>>()
            .is_some_and(|carried| carried.0 == sections::JoinOrder::Cost);
        match by_cost && has_joins(&plan) {
            true => ordered(plan, None),
            false => Ok(Transformed::no(plan)),
        }
    }
}

fn has_joins(plan: &LogicalPlan) -> bool {
    let mut found = false;
    let visited = plan.apply_with_subqueries(|node| {
        found |= matches!(node, LogicalPlan::Join(_));
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    visited.is_ok() && found
}

/// A plan with all its joins in order. With `required`, only those of its columns are asked for.
fn ordered(plan: LogicalPlan, required: Option<&HashSet<Column>>) -> Result<Transformed<LogicalPlan>> {
    if let Some(reordered) = reordered(&plan, required)? {
        return Ok(Transformed::yes(reordered));
    }
    let plan = plan.map_uncorrelated_subqueries(|subquery| ordered(subquery, None))?;
    let plan = plan.transform_data(below)?;
    plan.transform_data(|plan| match &plan {
        LogicalPlan::Join(join) => Ok(match sides::exchanged(join)? {
            Some(exchanged) => Transformed::yes(exchanged),
            None => Transformed::no(plan),
        }),
        _ => Ok(Transformed::no(plan)),
    })
}

/// A plan with the joins below it in order.
fn below(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let asked: Vec<Expr> = match &plan {
        LogicalPlan::Projection(projection) => projection.expr.clone(),
        LogicalPlan::Aggregate(aggregate) => aggregate
            .group_expr
            .iter()
            .chain(&aggregate.aggr_expr)
            .cloned()
            .collect(),
        _ => return plan.map_children(|child| ordered(child, None)),
    };
    let required: HashSet<Column> = asked.iter().flat_map(Expr::column_refs).cloned().collect();
    let plain = asked
        .iter()
        .all(|expr| !expr.contains_outer() && !expr.contains_scalar_subquery());
    let required = (plain && !required.is_empty()).then_some(&required);
    let input = plan.inputs().first().copied().cloned();
    let Some(input) = input else {
        return Err(DataFusionError::Internal(format!(
            "{}: found no input, expected one",
            plan.display()
        )));
    };
    let input = ordered(input, required)?;
    match input.transformed {
        true => Ok(Transformed::yes(
            plan.with_new_exprs(plan.expressions(), vec![input.data])?,
        )),
        false => Ok(Transformed::no(plan)),
    }
}

/// The region that starts at a plan in the best order, or in the written one if that costs the same; none if no
/// region starts there or its rows are not known.
fn reordered(plan: &LogicalPlan, required: Option<&HashSet<Column>>) -> Result<Option<LogicalPlan>> {
    let Some(region) = Region::of(plan, required) else {
        return Ok(None);
    };
    let Some(graph) = Graph::of(region) else {
        tracing::debug!(joins = %plan.display(), "joins stay as written: rows not known");
        return Ok(None);
    };
    let Some(best) = search::best(&graph) else {
        return Ok(None);
    };
    let (cost, written) = (
        cost::of_tree(&graph, &best),
        cost::of_tree(&graph, &graph.region.written),
    );
    let replaces = cost < CLEARLY_LESS * written;
    let tree = if replaces { &best } else { &graph.region.written };
    tracing::debug!(order = %rebuild::describe(&graph, tree), cost, written, replaces, "join order");
    let mut plans = Vec::with_capacity(graph.region.relations.len());
    for relation in &graph.region.relations {
        plans.push(ordered(relation.plan.clone(), None)?.data);
    }
    rebuild::plan(&graph, tree, &plans).map(Some)
}

#[cfg(test)]
mod tests;
