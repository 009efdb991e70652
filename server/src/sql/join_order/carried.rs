//! Which columns the rows of a set of relations carry: those of the result, and those that later joins ask for.

use datafusion::common::Column;
use datafusion::logical_expr::Expr;

use super::profile::Profile;
use super::region::{Member, Region};
use super::tree::{Set, only};

/// See the module.
#[derive(Debug)]
pub struct Carried {
    columns: Vec<Use>,
    /// The members of each class, those first that are carried anyway, and the relations that ask for the class.
    classes: Vec<(Vec<Member>, Set)>,
}

/// A column and what asks for it.
#[derive(Debug)]
struct Use {
    relation: usize,
    column: Column,
    bytes: f64,
    in_result: bool,
    /// Whether its relation only reduces: its columns end in the join.
    reduces: bool,
    /// Relations that must be joined before the column can go.
    until: Set,
    /// Classes in which the column stands, by class and place.
    keys: Vec<(usize, usize)>,
}

impl Carried {
    /// What the rows of a region's relations carry.
    pub fn of(region: &Region, profiles: &[Profile]) -> Self {
        let in_result = |column: &Column| region.outputs.iter().any(|output| output.column == *column);
        let classes: Vec<(Vec<Member>, Set)> = region
            .classes
            .iter()
            .enumerate()
            .map(|(class, members)| {
                let mut members = members.clone();
                members.sort_by_key(|member| {
                    let free = matches!(&member.expr, Expr::Column(column) if in_result(column));
                    (!free, member.relation)
                });
                let mut asked = members.iter().fold(0, |set, member| set | only(member.relation));
                for (index, relation) in region.relations.iter().enumerate() {
                    let reducer = relation.reducer.iter();
                    if reducer
                        .flat_map(|reducer| &reducer.keys)
                        .any(|(key, _)| *key == class)
                    {
                        asked |= only(index);
                    }
                }
                (members, asked)
            })
            .collect();
        let mut columns = Vec::new();
        for (relation, profile) in profiles.iter().enumerate() {
            for (column, known) in profile.schema.columns().into_iter().zip(&profile.columns) {
                let mut until = 0;
                for (predicate, reads) in &region.predicates {
                    if predicate.column_refs().contains(&column) {
                        until |= reads;
                    }
                }
                for (index, other) in region.relations.iter().enumerate() {
                    let filter = other.reducer.as_ref().and_then(|reducer| reducer.filter.as_ref());
                    if filter.is_some_and(|filter| filter.column_refs().contains(&column)) {
                        until |= only(index);
                    }
                }
                let keys = classes.iter().enumerate().flat_map(|(class, (members, _))| {
                    let named = |member: &Member| {
                        member.relation == relation && member.expr.column_refs().contains(&column)
                    };
                    members
                        .iter()
                        .enumerate()
                        .filter(move |(_, member)| named(member))
                        .map(move |(place, _)| (class, place))
                        .collect::<Vec<_>>()
                });
                columns.push(Use {
                    relation,
                    bytes: known.bytes,
                    in_result: in_result(&column),
                    reduces: region.relations[relation].reducer.is_some(),
                    until,
                    keys: keys.collect(),
                    column,
                });
            }
        }
        Self { columns, classes }
    }

    /// The columns that are needed once these relations are joined.
    pub fn columns(&self, set: Set) -> impl Iterator<Item = &Column> {
        self.needed(set).map(|carried| &carried.column)
    }

    /// The bytes of those columns.
    pub fn bytes(&self, set: Set) -> f64 {
        self.needed(set).map(|carried| carried.bytes).sum()
    }

    /// The expression that stands for a class in the rows of these relations.
    pub fn key(&self, class: usize, set: Set) -> Option<&Expr> {
        let (members, _) = &self.classes[class];
        members
            .iter()
            .find(|member| set & only(member.relation) != 0)
            .map(|member| &member.expr)
    }

    fn needed(&self, set: Set) -> impl Iterator<Item = &Use> {
        self.columns.iter().filter(move |carried| match carried.reduces {
            true => set == only(carried.relation),
            false => {
                set & only(carried.relation) != 0
                    && (carried.in_result || carried.until & !set != 0 || self.is_key(carried, set))
            }
        })
    }

    fn is_key(&self, carried: &Use, set: Set) -> bool {
        carried.keys.iter().any(|(class, place)| {
            let (members, asked) = &self.classes[*class];
            let first = members.iter().position(|member| set & only(member.relation) != 0);
            asked & !set != 0 && first == Some(*place)
        })
    }
}
