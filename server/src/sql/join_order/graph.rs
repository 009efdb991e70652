//! A region with numbers: how many rows any set of its relations joins to, and how many bytes a row carries.
//!
//! In: a region whose relations' rows are known. Out: estimates for sets of relations. They depend on the set alone,
//! never on the order in which it was joined, so that orders can be compared.
//!
//! Relations are joined as if the values of one key were among those of the other: `|L| |R| / max(distinct)`.

use std::cell::RefCell;
use std::collections::HashMap;

use datafusion::common::Column;
use datafusion::logical_expr::utils::{split_binary, split_conjunction};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};

use super::carried::Carried;
use super::estimate;
use super::keys::{self, Class, Pair};
use super::profile::{ColumnProfile, Profile, met};
use super::region::{Reducer, Region};
use super::selectivity::{distinct, of, of_all};
use super::tree::{Set, only, relations};

/// An anti join keeps at least this share.
const ANTI_LEAST: f64 = 0.05;

/// See the module.
#[derive(Debug)]
pub struct Graph {
    /// What is joined.
    pub region: Region,
    profiles: Vec<Profile>,
    classes: Vec<Class>,
    pairs: Vec<Pair>,
    predicates: Vec<(Set, f64)>,
    /// The share of rows that each reducer keeps.
    reducers: Vec<(usize, f64)>,
    carried: Carried,
    rows: RefCell<HashMap<Set, f64>>,
}

impl Graph {
    /// The graph of a region; none if the rows of one of its relations are not known.
    pub fn of(region: Region) -> Option<Self> {
        let profiles = region
            .relations
            .iter()
            .map(|relation| estimate::profile(&relation.plan));
        let profiles: Vec<Profile> = profiles.collect::<Option<_>>()?;
        let classes = keys::classes(&region, &profiles);
        let carried = Carried::of(&region, &profiles);
        let pairs = keys::pairs(&region, &classes, &profiles);
        let mut graph = Self {
            region,
            pairs,
            profiles,
            classes,
            predicates: Vec::new(),
            reducers: Vec::new(),
            carried,
            rows: RefCell::default(),
        };
        let predicates = graph.region.predicates.iter();
        graph.predicates = predicates
            .map(|(predicate, reads)| (*reads, graph.share(predicate)))
            .collect();
        let reducers = graph.region.relations.iter().enumerate();
        graph.reducers = reducers
            .filter_map(|(index, relation)| Some((index, graph.kept(index, relation.reducer.as_ref()?))))
            .collect();
        Some(graph)
    }

    /// The rows that these relations join to.
    pub fn rows(&self, set: Set) -> f64 {
        if let Some(rows) = self.rows.borrow().get(&set) {
            return *rows;
        }
        let rows = self.estimated(set);
        self.rows.borrow_mut().insert(set, rows);
        rows
    }

    /// The bytes of one of these rows: the columns that are needed after the join of these relations.
    pub fn row_bytes(&self, set: Set) -> f64 {
        self.carried.bytes(set)
    }

    /// The columns that are needed after the join of these relations.
    pub fn needed(&self, set: Set) -> Vec<Column> {
        self.carried.columns(set).cloned().collect()
    }

    /// The expression that stands for a class in the rows of these relations.
    pub fn key(&self, class: usize, set: Set) -> Option<&Expr> {
        self.carried.key(class, set)
    }

    /// The classes that relations of both sets have.
    pub fn joining(&self, one: Set, other: Set) -> impl Iterator<Item = usize> {
        self.classes
            .iter()
            .enumerate()
            .filter(move |(_, class)| class.relations & one != 0 && class.relations & other != 0)
            .map(|(index, _)| index)
    }

    /// The relation that a set is, if it is one that only reduces.
    pub fn reducer(&self, set: Set) -> Option<(usize, &Reducer)> {
        let relation = set.trailing_zeros() as usize;
        let reducer = self.region.relations.get(relation)?.reducer.as_ref()?;
        (set == only(relation)).then_some((relation, reducer))
    }

    /// Whether a reducer finds its keys, and what its condition reads, in the rows of these relations.
    pub fn can_reduce(&self, reducer: &Reducer, set: Set) -> bool {
        reducer.reads & !set == 0
            && reducer
                .keys
                .iter()
                .all(|(class, _)| self.classes[*class].relations & set != 0)
    }

    /// Whether two disjoint sets can be joined on keys.
    pub fn connects(&self, one: Set, other: Set) -> bool {
        match (self.reducer(one), self.reducer(other)) {
            (None, None) => self.joining(one, other).next().is_some(),
            (Some((_, reducer)), None) => self.can_reduce(reducer, other),
            (None, Some((_, reducer))) => self.can_reduce(reducer, one),
            (Some(_), Some(_)) => false,
        }
    }

    /// The rows of the whole region, under the names of its plan.
    pub fn profile(&self, plan: &LogicalPlan) -> Profile {
        let rows = self.rows(self.region.all()).max(1.0);
        let columns = plan
            .schema()
            .fields()
            .iter()
            .zip(&self.region.outputs)
            .map(|(field, output)| {
                let known = self.column(&output.column).cloned();
                known.unwrap_or_else(|| ColumnProfile::unknown(field.data_type(), rows))
            });
        Profile {
            rows,
            columns: columns.collect(),
            schema: plan.schema().clone(),
            applied: Vec::new(),
        }
    }

    fn column(&self, column: &Column) -> Option<&ColumnProfile> {
        self.profiles.iter().find_map(|profile| profile.column(column))
    }

    fn estimated(&self, set: Set) -> f64 {
        if let Some((relation, _)) = self.reducer(set) {
            return self.profiles[relation].rows;
        }
        let joined = relations(set).filter(|relation| self.region.relations[*relation].reducer.is_none());
        let mut rows: f64 = joined.map(|relation| self.profiles[relation].rows).product();
        for class in &self.classes {
            let mut found: Vec<f64> = class
                .distinct
                .iter()
                .filter(|(relation, _)| set & only(*relation) != 0)
                .map(|(_, distinct)| *distinct)
                .collect();
            found.sort_by(f64::total_cmp);
            rows /= found.iter().skip(1).product::<f64>();
        }
        // Relations in one tree of pairs are corrected once a branch.
        let mut trees: Vec<Set> = Vec::new();
        for pair in self.pairs.iter().filter(|pair| pair.relations & !set == 0) {
            if trees.iter().any(|tree| pair.relations & !tree == 0) {
                continue;
            }
            rows *= pair.correction;
            let (touched, mut apart): (Vec<Set>, Vec<Set>) =
                trees.into_iter().partition(|tree| tree & pair.relations != 0);
            apart.push(touched.into_iter().fold(pair.relations, |all, tree| all | tree));
            trees = apart;
        }
        let predicates = self.predicates.iter().filter(|(reads, _)| reads & !set == 0);
        let reducers = self
            .reducers
            .iter()
            .filter(|(relation, _)| set & only(*relation) != 0);
        rows * predicates.map(|(_, share)| share).product::<f64>()
            * reducers.map(|(_, share)| share).product::<f64>()
    }

    /// The share of rows that a predicate over relations keeps.
    ///
    /// The arms of an OR often were pushed to the relations in part, `(a and b) or (c and d)` as `a or c` and
    /// `b or d`: those rows are gone already, so that the share is one of what is left.
    fn share(&self, predicate: &Expr) -> f64 {
        let arms = split_binary(predicate, Operator::Or);
        if arms.len() < 2 {
            return of(predicate, &|column| self.column(column));
        }
        let tables: HashMap<Column, ColumnProfile> = predicate
            .column_refs()
            .into_iter()
            .filter_map(|column| Some((column.clone(), self.column(column)?.unfiltered())))
            .collect();
        let columns = |column: &Column| tables.get(column);
        let mut share = of(predicate, &columns);
        for profile in &self.profiles {
            let of_relation = |expr: &&Expr| {
                let mut read = expr.column_refs().into_iter().peekable();
                read.peek().is_some() && read.all(|column| profile.column(column).is_some())
            };
            let parts: Vec<Vec<&Expr>> = arms
                .iter()
                .map(|arm| split_conjunction(arm).into_iter().filter(of_relation).collect())
                .collect();
            if parts.iter().all(|part| !part.is_empty()) {
                let missed = parts.into_iter().map(|part| 1.0 - of_all(part, &columns));
                share /= 1.0 - missed.product::<f64>();
            }
        }
        share.min(1.0)
    }

    /// The share of rows that a reducer keeps: that of its keys among all there are.
    fn kept(&self, relation: usize, reducer: &Reducer) -> f64 {
        let profile = &self.profiles[relation];
        let (mut asked, mut held) = (1.0, 1.0);
        for (class, expr) in &reducer.keys {
            let known = self.classes[*class]
                .distinct
                .iter()
                .map(|(_, distinct)| *distinct);
            asked *= known.fold(f64::INFINITY, f64::min);
            held *= distinct(expr, &|column| profile.column(column));
        }
        // Several keys are no more values together than there are rows.
        if reducer.keys.len() > 1 {
            asked = asked.min(profile.rows.max(1.0));
        }
        let met = met(held, profile.rows);
        let mut share = (met / asked.max(met).max(1.0)).min(1.0);
        if let Some(filter) = &reducer.filter {
            let one = of(filter, &|column| self.column(column));
            share *= 1.0 - (1.0 - one).powf((profile.rows / met.max(1.0)).max(1.0));
        }
        if reducer.anti {
            (1.0 - share).max(ANTI_LEAST)
        } else {
            share
        }
    }
}
