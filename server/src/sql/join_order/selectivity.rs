//! Which share of rows a predicate keeps.
//!
//! In: predicates and the profiles of the columns that they name. Out: a share from 0 to 1. Conditions on one column
//! are taken together (`x >= 3 and x < 5` is one range), those on different ones as independent. Where nothing is
//! known the constants below stand in; they are guesses, of the size that other engines guess.

use std::collections::HashSet;

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::utils::{split_binary, split_conjunction};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Like, Operator};

use super::number;
use super::profile::{ColumnProfile, Profile, Values};

/// A comparison of which nothing is known.
const COMPARED: f64 = 1.0 / 3.0;
/// A predicate of which nothing is known.
const UNKNOWN: f64 = 1.0 / 3.0;
/// LIKE, for the first piece of fixed text in its pattern.
const LIKE: f64 = 0.1;
/// LIKE, for each further piece.
const LIKE_MORE: f64 = 0.3;
/// Distinct values of a function's results: `substr`, `extract` and their like sort values into few kinds.
const KINDS: f64 = 30.0;
/// The least share: an estimate of no rows at all would make all orders equal.
const LEAST: f64 = 1e-9;

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
            named.min(KINDS).max(1.0)
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
    let share = match pieces {
        0 => 1.0,
        pieces => LIKE * LIKE_MORE.powi(pieces as i32 - 1),
    };
    if like.negated { 1.0 - share } else { share }
}

/// What one predicate asks of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    /// To lie between two numbers, infinite ones included.
    Range(f64, f64),
    /// To be one of so many values.
    OneOf(Vec<ScalarValue>),
}

impl Limit {
    /// The column and what is asked of it, if the predicate is of this form.
    pub fn of(predicate: &Expr) -> Option<(&Column, Self)> {
        match predicate {
            Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
                let arms = split_binary(predicate, Operator::Or);
                let mut limits = arms.into_iter().map(Self::of);
                let (column, mut limit) = limits.next()??;
                for other in limits {
                    match other? {
                        (other, Self::OneOf(values)) if other == column => limit = limit.or(values)?,
                        _ => return None,
                    }
                }
                matches!(limit, Self::OneOf(_)).then_some((column, limit))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (plain(left), right.as_ref()) {
                (Some(column), Expr::Literal(value, _)) => Some((column, Self::compared(*op, value)?)),
                _ => match (left.as_ref(), plain(right)) {
                    (Expr::Literal(value, _), Some(column)) => {
                        Some((column, Self::compared(op.swap()?, value)?))
                    }
                    _ => None,
                },
            },
            Expr::Between(Between {
                expr,
                negated: false,
                low,
                high,
            }) => match (low.as_ref(), high.as_ref()) {
                (Expr::Literal(low, _), Expr::Literal(high, _)) => Some((
                    plain(expr)?,
                    Self::Range(number::of_value(low)?, number::of_value(high)?),
                )),
                _ => None,
            },
            Expr::InList(list) if !list.negated => {
                let values = list.list.iter().map(|item| match item {
                    Expr::Literal(value, _) => Some(value.clone()),
                    _ => None,
                });
                Some((plain(&list.expr)?, Self::OneOf(values.collect::<Option<_>>()?)))
            }
            _ => None,
        }
    }

    fn compared(op: Operator, value: &ScalarValue) -> Option<Self> {
        if op == Operator::Eq {
            return Some(Self::OneOf(vec![value.clone()]));
        }
        let number = number::of_value(value)?;
        match op {
            Operator::Lt | Operator::LtEq => Some(Self::Range(f64::NEG_INFINITY, number)),
            Operator::Gt | Operator::GtEq => Some(Self::Range(number, f64::INFINITY)),
            _ => None,
        }
    }

    fn or(self, more: Vec<ScalarValue>) -> Option<Self> {
        match self {
            Self::OneOf(values) => {
                let all: HashSet<ScalarValue> = values.into_iter().chain(more).collect();
                Some(Self::OneOf(all.into_iter().collect()))
            }
            Self::Range(..) => None,
        }
    }

    fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Range(from, to), Self::Range(other_from, other_to)) => {
                Self::Range(from.max(*other_from), to.min(*other_to))
            }
            (Self::OneOf(values), Self::OneOf(others)) => Self::OneOf(
                values
                    .iter()
                    .filter(|value| others.contains(value))
                    .cloned()
                    .collect(),
            ),
            (Self::OneOf(values), Self::Range(from, to)) | (Self::Range(from, to), Self::OneOf(values)) => {
                let inside = |value: &&ScalarValue| {
                    number::of_value(value).is_none_or(|value| (*from..=*to).contains(&value))
                };
                Self::OneOf(values.iter().filter(inside).cloned().collect())
            }
        }
    }

    /// The share of a column's rows that are within.
    pub fn share(&self, profile: &ColumnProfile) -> f64 {
        let values = profile.kept;
        let share = match self {
            Self::OneOf(wanted) => {
                let outside = |value: &&ScalarValue| match (number::of_value(value), values.range) {
                    (Some(value), Some((least, greatest))) => value < least || value > greatest,
                    _ => false,
                };
                let possible = wanted.len() - wanted.iter().filter(outside).count();
                possible as f64 / values.distinct.max(1.0)
            }
            Self::Range(from, to) => match (profile.spread, values.range) {
                (Some((mean, deviation)), _) => {
                    let below = |bound: f64| normal_below((bound - mean) / deviation.max(1e-9));
                    below(*to) - below(*from)
                }
                (None, Some(range)) => part_of((*from, *to), range, values.step),
                (None, None) => self.guess(),
            },
        };
        (share * (1.0 - profile.nulls)).clamp(LEAST, 1.0)
    }

    fn guess(&self) -> f64 {
        match self {
            Self::OneOf(values) => (values.len() as f64 / KINDS).min(1.0),
            Self::Range(from, to) => [from, to]
                .iter()
                .filter(|bound| bound.is_finite())
                .map(|_| COMPARED)
                .product(),
        }
    }

    /// What is left of a column's values.
    fn left(&self, profile: &ColumnProfile) -> Values {
        let values = profile.kept;
        let distinct = match self {
            Self::OneOf(wanted) => values.distinct.min(wanted.len() as f64),
            Self::Range(..) => values.distinct * self.share(profile),
        };
        let range = values.range.map(|(least, greatest)| match self {
            Self::Range(from, to) => (least.max(*from).min(greatest), greatest.min(*to).max(least)),
            Self::OneOf(wanted) => {
                let numbers = || wanted.iter().filter_map(number::of_value);
                let (from, to) = (
                    numbers().fold(f64::INFINITY, f64::min),
                    numbers().fold(f64::NEG_INFINITY, f64::max),
                );
                if from <= to { (from, to) } else { (least, greatest) }
            }
        });
        Values {
            distinct: distinct.max(1.0),
            range,
            ..values
        }
    }
}

/// The share of `range` that `wanted` covers.
fn part_of(wanted: (f64, f64), range: (f64, f64), step: Option<f64>) -> f64 {
    let step = step.unwrap_or(0.0);
    let (from, to) = (wanted.0.max(range.0), wanted.1.min(range.1));
    if from > to {
        return 0.0;
    }
    let whole = range.1 - range.0 + step;
    if whole <= 0.0 {
        1.0
    } else {
        ((to - from + step) / whole).min(1.0)
    }
}

/// The column that an expression is, whatever it is cast to: casts keep order and distance.
fn plain(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Cast(cast) => plain(&cast.expr),
        Expr::TryCast(cast) => plain(&cast.expr),
        _ => None,
    }
}

/// The share of a normal distribution below `deviations` from its mean, by the logistic approximation of
/// Bowling and others (2009), whose error is below 0.00014.
fn normal_below(deviations: f64) -> f64 {
    1.0 / (1.0 + (-(0.07056 * deviations.powi(3) + 1.5976 * deviations)).exp())
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
