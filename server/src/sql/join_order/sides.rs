//! The build sides of joins whose order is not free: outer joins, mark joins.
//!
//! In: a join. Out: the same join with its sides exchanged, if its left side, of which the table is built, is the
//! larger one by what is known of both. Its columns stay in their order.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, Projection};

use super::cost;
use super::estimate::profile;
use super::profile::Profile;

/// The join with its sides exchanged, if that is better.
pub fn exchanged(join: &Join) -> Result<Option<LogicalPlan>> {
    let outer = matches!(join.join_type, JoinType::Left | JoinType::Right | JoinType::Full);
    if !outer || join.null_aware || join.on.is_empty() {
        return Ok(None);
    }
    let (Some(left), Some(right)) = (profile(&join.left), profile(&join.right)) else {
        return Ok(None);
    };
    if table(&left) <= table(&right) {
        return Ok(None);
    }
    let on = join
        .on
        .iter()
        .map(|(left, right)| (right.clone(), left.clone()))
        .collect();
    let exchanged = Join::try_new(
        Arc::clone(&join.right),
        Arc::clone(&join.left),
        on,
        join.filter.clone(),
        join.join_type.swap(),
        join.join_constraint,
        join.null_equality,
        false,
    )?;
    let columns = join.schema.columns().into_iter().map(Expr::Column).collect();
    let projection = Projection::try_new(columns, Arc::new(LogicalPlan::Join(exchanged)))?;
    Ok(Some(LogicalPlan::Projection(projection)))
}

fn table(profile: &Profile) -> f64 {
    cost::of_table(
        profile.rows,
        profile.columns.iter().map(|column| column.bytes).sum(),
    )
}
