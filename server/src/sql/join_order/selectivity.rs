//! Which share of rows a predicate keeps.
//!
//! In: predicates and the profiles of the columns that they name. Out: a share from 0 to 1. Conditions on one column
//! are taken together (`x >= 3 and x < 5` is one range), those on different ones as independent. Where nothing is
//! known the constants below stand in; they are guesses, of the size that other engines guess.

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::utils::{split_binary, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Like, Operator};

use super::limit::Limit;
use super::profile::{ColumnProfile, Profile};

/// A comparison of which nothing is known.
pub const COMPARED: f64 = 1.0 / 3.0;
/// A predicate of which nothing is known.
const UNKNOWN: f64 = 1.0 / 3.0;
/// LIKE, for each piece of fixed text in its pattern.
const LIKE: f64 = 0.1;
/// Distinct values of a function's results: `substr`, `extract` and their like sort values into few kinds.
pub const KINDS: f64 = 30.0;
/// The least share: an estimate of no rows at all would make all orders equal.
pub const LEAST: f64 = 1e-9;

/// Where the profiles of columns come from.
pub type Columns<'a> = dyn Fn(&Column) -> Option<&'a ColumnProfile> + 'a;

/// The share of rows that fulfil all of these.
pub fn of_all<'e>(conjuncts: impl IntoIterator<Item = &'e Expr>, columns: &Columns<'_>) -> f64 {
    let mut limits: Vec<(&Column, Limit)> = Vec::new();
    let mut share = 1.0;
    for conjunct in conjuncts {
        match Limit::of(conjunct) {
            Some((column, limit)) => match limits.iter_mut().find(|(known, _)| *known == column) {
                Some((_, known)) => *known = known.and(&limit),
                None => limits.push((column, limit)),
            },
            None => share *= of(conjunct, columns),
        }
    }
    for (column, limit) in limits {
        share *= columns(column).map_or_else(|| limit.guess(), |profile| limit.share(profile));
    }
    share.clamp(LEAST, 1.0)
}

/// The share of rows that fulfil a predicate.
pub fn of(predicate: &Expr, columns: &Columns<'_>) -> f64 {
    if let Some((column, limit)) = Limit::of(predicate) {
        return columns(column).map_or_else(|| limit.guess(), |profile| limit.share(profile));
    }
    let share = match predicate {
        Expr::Alias(alias) => of(&alias.expr, columns),
        Expr::Literal(ScalarValue::Boolean(value), _) => f64::from(u8::from(value.unwrap_or(false))),
        Expr::Not(inner) => 1.0 - of(inner, columns),
        Expr::IsNull(inner) => nulls(inner, columns),
        Expr::IsNotNull(inner) => 1.0 - nulls(inner, columns),
        Expr::IsTrue(inner) => of(inner, columns),
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::And, ..
        }) => of_all(split_conjunction(predicate), columns),
        Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
            let arms = split_binary(predicate, Operator::Or);
            1.0 - arms
                .into_iter()
                .map(|arm| 1.0 - of(arm, columns))
                .product::<f64>()
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => compared(left, *op, right, columns),
        Expr::InList(list) => {
            let share = (list.list.len() as f64 / distinct(&list.expr, columns)).min(1.0);
            if list.negated { 1.0 - share } else { share }
        }
        Expr::Like(like) => alike(like),
        Expr::Between(between) => {
            let share = COMPARED * COMPARED;
            if between.negated { 1.0 - share } else { share }
        }
        _ => UNKNOWN,
    };
    share.clamp(LEAST, 1.0)
}

/// How many different values an expression has, at most.
pub fn distinct(expr: &Expr, columns: &Columns<'_>) -> f64 {
    match expr {
        Expr::Column(column) => columns(column).map_or(KINDS, |profile| profile.kept.distinct),
        Expr::Alias(alias) => distinct(&alias.expr, columns),
        Expr::Cast(cast) => distinct(&cast.expr, columns),
        Expr::Literal(..) => 1.0,
        other => {
            let named: f64 = other
                .column_refs()
                .into_iter()
                .map(|column| distinct(&Expr::Column(column.clone()), columns))
                .product();
            named.clamp(1.0, KINDS)
        }
    }
}

fn nulls(expr: &Expr, columns: &Columns<'_>) -> f64 {
    match expr {
        Expr::Column(column) => columns(column).map_or(0.0, |profile| profile.nulls),
        _ => 0.0,
    }
}

fn compared(left: &Expr, op: Operator, right: &Expr, columns: &Columns<'_>) -> f64 {
    let equal = || 1.0 / distinct(left, columns).max(distinct(right, columns)).max(1.0);
    match op {
        Operator::Eq | Operator::IsNotDistinctFrom => equal(),
        Operator::NotEq | Operator::IsDistinctFrom => 1.0 - equal(),
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => COMPARED,
        _ => UNKNOWN,
    }
}

fn alike(like: &Like) -> f64 {
    let pieces = match like.pattern.as_ref() {
        Expr::Literal(pattern, _) => match pattern.try_as_str() {
            Some(Some(pattern)) => pattern
                .split(['%', '_'])
                .filter(|piece| !piece.is_empty())
                .count(),
            _ => 1,
        },
        _ => 1,
    };
    let share = LIKE.powi(pieces as i32);
    if like.negated { 1.0 - share } else { share }
}

/// The rows of a profile that fulfil all of these predicates.
pub fn filtered(mut profile: Profile, predicates: &[&Expr]) -> Profile {
    let fresh: Vec<&Expr> = predicates
        .iter()
        .copied()
        .filter(|predicate| !profile.applied.contains(predicate))
        .collect();
    let share = of_all(fresh.iter().copied(), &|column| profile.column(column));
    for predicate in fresh {
        if let Some((column, limit)) = Limit::of(predicate)
            && let Some(index) = profile.schema.maybe_index_of_column(column)
        {
            let left = limit.left(&profile.columns[index]);
            profile.columns[index].kept = left;
        }
        profile.applied.push(predicate.clone());
    }
    profile.rows = (profile.rows * share).max(1.0).min(profile.rows);
    profile
}
