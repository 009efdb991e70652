//! What is asked of one key is asked of all that are equal to it: `a = b` and `a < 5` imply `b < 5`.
//!
//! In: classes, the relations' plans, predicates over relations. Out: further predicates, each on one relation.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::limit::Limit;
use super::region::Member;

/// The predicates that follow and that no relation has yet.
pub fn implied(classes: &[Vec<Member>], plans: &[LogicalPlan], predicates: &[Expr]) -> Vec<Expr> {
    let mut known: Vec<Expr> = predicates.to_vec();
    for plan in plans {
        asked(plan, &mut known);
    }
    let mut implied: Vec<Expr> = Vec::new();
    for class in classes {
        let members = || {
            class
                .iter()
                .filter(|member| matches!(member.expr, Expr::Column(_)))
        };
        for member in members() {
            let of_member = known
                .iter()
                .filter(|predicate| matches!((Limit::of(predicate), &member.expr), (Some((column, _)), Expr::Column(own)) if column == own));
            for predicate in of_member {
                for other in members().filter(|other| *other != member) {
                    let moved = predicate.clone().transform(|expr| {
                        Ok(match expr == member.expr {
                            true => Transformed::yes(other.expr.clone()),
                            false => Transformed::no(expr),
                        })
                    });
                    implied.extend(moved.ok().map(|moved| moved.data));
                }
            }
        }
    }
    let mut fresh: Vec<Expr> = Vec::new();
    for predicate in implied {
        if !known.contains(&predicate) && !fresh.contains(&predicate) {
            fresh.push(predicate);
        }
    }
    fresh
}

/// What the filters at the top of a plan ask of its columns.
fn asked(plan: &LogicalPlan, found: &mut Vec<Expr>) {
    match plan {
        LogicalPlan::Filter(filter) => {
            found.extend(split_conjunction(&filter.predicate).into_iter().cloned());
            asked(&filter.input, found);
        }
        LogicalPlan::Projection(projection)
            if projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_))) =>
        {
            asked(&projection.input, found);
        }
        LogicalPlan::TableScan(scan) => {
            found.extend(scan.filters.iter().flat_map(split_conjunction).cloned())
        }
        _ => {}
    }
}
