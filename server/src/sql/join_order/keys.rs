//! How many values keys have, alone and together.
//!
//! In: a region's classes and its relations' profiles. Out: the distinct values of each class in each relation, and
//! how far keys of several columns are from being independent.

use datafusion::logical_expr::Expr;

use super::profile::{ColumnProfile, Profile};
use super::region::{Member, Region};
use super::selectivity::distinct;
use super::tree::{Set, only};

/// A unique column whose table fills at least this share of the column's range is taken to hold all values there are.
const DENSE: f64 = 1.0 / 8.0;
/// How far the ranges of a key and of what refers to it may be apart, as a share of the key's.
const SLACK: f64 = 0.05;

/// The distinct values of a class in each relation that has it.
#[derive(Debug, Default)]
pub struct Class {
    /// Those relations.
    pub relations: Set,
    /// How many values each has.
    pub distinct: Vec<(usize, f64)>,
}

/// Two relations that several classes join: their keys have fewer values together than the product.
#[derive(Debug)]
pub struct Pair {
    /// The two.
    pub relations: Set,
    /// What the rows of their join are to be multiplied by.
    pub correction: f64,
}

/// The classes of a region.
pub fn classes(region: &Region, profiles: &[Profile]) -> Vec<Class> {
    region
        .classes
        .iter()
        .map(|class| {
            let mut found = Class::default();
            for member in class {
                let values = class_distinct(class, member, profiles);
                found.relations |= only(member.relation);
                match found
                    .distinct
                    .iter_mut()
                    .find(|(relation, _)| *relation == member.relation)
                {
                    Some((_, known)) => *known = known.min(values),
                    None => found.distinct.push((member.relation, values)),
                }
            }
            found
        })
        .collect()
}

/// The distinct values of a class's member, at most those of a dense key that the class has.
fn class_distinct(class: &[Member], member: &Member, profiles: &[Profile]) -> f64 {
    let column_of = |member: &Member| match &member.expr {
        Expr::Column(column) => profiles[member.relation].column(column),
        _ => None,
    };
    let profile = &profiles[member.relation];
    let Some(known) = column_of(member) else {
        return distinct(&member.expr, &|column| profile.column(column));
    };
    let keys = class
        .iter()
        .filter_map(column_of)
        .filter_map(|key| values_of_key(key, known));
    let table = keys.fold(known.table.distinct, f64::min);
    (table * known.kept.distinct / known.table.distinct).max(1.0)
}

/// How many values `other` has if they are those of a dense unique column.
fn values_of_key(key: &ColumnProfile, other: &ColumnProfile) -> Option<f64> {
    let room = key
        .table
        .room()
        .filter(|room| key.is_unique() && key.table_rows >= DENSE * room)?;
    let ((least, greatest), (from, to)) = (key.table.range?, other.table.range?);
    let slack = SLACK * (greatest - least);
    let inside = from >= least - slack && to <= greatest + slack && room > 1.0;
    inside.then(|| key.table_rows * ((to - from) / (greatest - least)).min(1.0))
}

/// The pairs of relations that more than one class joins.
pub fn pairs(region: &Region, classes: &[Class], profiles: &[Profile]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for one in 0..region.relations.len() {
        for other in 0..one {
            let both = only(one) | only(other);
            let shared = || {
                classes
                    .iter()
                    .enumerate()
                    .filter(|(_, class)| class.relations & both == both)
            };
            if shared().count() < 2 {
                continue;
            }
            let of_class = |class: &Class, wanted: usize| {
                let found = class.distinct.iter().find(|(relation, _)| *relation == wanted);
                found.map_or(1.0, |(_, distinct)| *distinct)
            };
            let product = |wanted: usize| {
                shared()
                    .map(|(_, class)| of_class(class, wanted))
                    .product::<f64>()
            };
            let table_rows = |wanted: usize| {
                let members = shared().flat_map(|(index, _)| &region.classes[index]);
                let rows = members
                    .filter(|member| member.relation == wanted)
                    .filter_map(|member| match &member.expr {
                        Expr::Column(column) => profiles[wanted].column(column).map(|known| known.table_rows),
                        _ => None,
                    });
                rows.fold(profiles[wanted].rows, f64::max)
            };
            let independent: f64 = shared()
                .map(|(_, class)| of_class(class, one).max(of_class(class, other)))
                .product();
            // What is only limited by its table's rows is an upper bound, not an estimate: the lower of two counts.
            let (one_limit, other_limit) = (table_rows(one), table_rows(other));
            let together = match (product(one) > one_limit, product(other) > other_limit) {
                (true, true) => one_limit.min(other_limit),
                _ => product(one).min(one_limit).max(product(other).min(other_limit)),
            };
            pairs.push(Pair {
                relations: both,
                correction: (independent / together.max(1.0)).max(1.0),
            });
        }
    }
    pairs
}
