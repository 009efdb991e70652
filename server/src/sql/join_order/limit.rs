//! What one predicate asks of one column: a range, or one of some values.
//!
//! In: a predicate; a column's profile. Out: the share of its rows that are within, and the values that are left.

use std::collections::HashSet;

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::utils::split_binary;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

use super::number;
use super::profile::{ColumnProfile, Values};
use super::selectivity::{COMPARED, KINDS, LEAST};

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

    /// What both ask for.
    pub fn and(&self, other: &Self) -> Self {
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

    /// The share of a column of which nothing is known.
    pub fn guess(&self) -> f64 {
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
    pub fn left(&self, profile: &ColumnProfile) -> Values {
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
