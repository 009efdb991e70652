//! How a plan becomes a region: its joins are taken apart, and what they say is written in the relations' columns.
//!
//! In: a plan. Out: a [`Region`]; none if something in it would not mean the same in another order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::utils::{split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, ExprSchemable, Join, JoinType, LogicalPlan, Projection};

use super::constants;
use super::region::{Member, Output, Reducer, Region, Relation};
use super::tree::{Set, Tree, only};

/// Relations of a region, at most.
const RELATIONS_MAX: usize = 64;

/// Whether a plan is a join of a region, or passes one's rows on.
pub fn leads_to_join(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Join(join) => is_free(join),
        LogicalPlan::Projection(projection) => only_renames(projection) && leads_to_join(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => leads_to_join(&alias.input),
        LogicalPlan::Filter(filter) => is_plain(&filter.predicate) && leads_to_join(&filter.input),
        _ => false,
    }
}

fn is_free(join: &Join) -> bool {
    let kind = match join.join_type {
        JoinType::Inner => true,
        JoinType::LeftSemi | JoinType::RightSemi | JoinType::LeftAnti | JoinType::RightAnti => {
            !join.on.is_empty()
        }
        _ => false,
    };
    kind && !join.null_aware
        && join.null_equality == NullEquality::NullEqualsNothing
        && join
            .on
            .iter()
            .all(|(left, right)| is_plain(left) && is_plain(right))
        && join.filter.iter().all(is_plain)
}

/// Whether an expression gives the same wherever it is evaluated.
fn is_plain(expr: &Expr) -> bool {
    let asks = expr.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::ScalarSubquery(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
        ))
    });
    !expr.is_volatile() && !asks.unwrap_or(true)
}

fn only_renames(projection: &Projection) -> bool {
    projection
        .expr
        .iter()
        .all(|expr| matches!(expr.clone().unalias(), Expr::Column(_)))
}

/// A semi or anti join before its keys' classes are known.
struct Reduction {
    relation: usize,
    anti: bool,
    keys: Vec<(Member, Expr)>,
    filter: Option<Expr>,
}

/// A region in the making.
pub struct Builder {
    through_names: bool,
    plans: Vec<LogicalPlan>,
    owners: HashMap<Column, usize>,
    equal: Vec<(Member, Member)>,
    reductions: Vec<Reduction>,
    predicates: Vec<Expr>,
}

impl Builder {
    /// Nothing yet; names are looked through or not.
    pub fn new(through_names: bool) -> Self {
        Self {
            through_names,
            plans: Vec::new(),
            owners: HashMap::new(),
            equal: Vec::new(),
            reductions: Vec::new(),
            predicates: Vec::new(),
        }
    }

    /// The region of a plan.
    pub fn region(mut self, plan: &LogicalPlan, required: Option<&HashSet<Column>>) -> Option<Region> {
        let (columns, written) = self.flatten(plan)?;
        if self.plans.len() < 2 {
            return None;
        }
        let outputs = plan
            .schema()
            .iter()
            .zip(columns)
            .filter_map(|((qualifier, field), column)| {
                let named = Column::new(qualifier.cloned(), field.name());
                required
                    .is_none_or(|required| required.contains(&named))
                    .then(|| Output {
                        column,
                        qualifier: qualifier.cloned(),
                        name: field.name().clone(),
                    })
            });
        let outputs = outputs.collect();
        let mut classes: Vec<Vec<Member>> = Vec::new();
        for (left, right) in &self.equal {
            unite(&mut classes, left, Some(right));
        }
        for (member, _) in self.reductions.iter().flat_map(|reduction| &reduction.keys) {
            unite(&mut classes, member, None);
        }
        let class_of = |member: &Member| classes.iter().position(|class| class.contains(member));
        let mut reducers: HashMap<usize, Reducer> = HashMap::new();
        for reduction in &self.reductions {
            let keys = reduction
                .keys
                .iter()
                .map(|(member, expr)| Some((class_of(member)?, expr.clone())));
            let reads = reduction
                .filter
                .as_ref()
                .map_or(Some(0), |filter| self.reads(filter))?;
            reducers.insert(
                reduction.relation,
                Reducer {
                    anti: reduction.anti,
                    keys: keys.collect::<Option<_>>()?,
                    filter: reduction.filter.clone(),
                    reads: reads & !only(reduction.relation),
                },
            );
        }
        let mut predicates = Vec::new();
        let mut conditions = self.predicates.clone();
        conditions.extend(self.within_relations(&classes));
        conditions.extend(constants::implied(&classes, &self.plans, &self.predicates));
        for predicate in conditions {
            let reads = self.reads(&predicate)?;
            if reads == 0 {
                return None;
            }
            predicates.push((predicate, reads));
        }
        let relations = self.plans.into_iter().enumerate().map(|(index, plan)| Relation {
            plan,
            reducer: reducers.remove(&index),
        });
        Some(Region {
            relations: relations.collect(),
            classes,
            predicates,
            outputs,
            written,
        })
    }

    /// Members of one class within one relation: nothing else would make them equal.
    fn within_relations(&self, classes: &[Vec<Member>]) -> Vec<Expr> {
        let mut predicates = Vec::new();
        for class in classes {
            for (index, member) in class.iter().enumerate() {
                let first = class[..index]
                    .iter()
                    .find(|other| other.relation == member.relation);
                predicates.extend(first.map(|first| first.expr.clone().eq(member.expr.clone())));
            }
        }
        predicates
    }

    /// The relations' columns that the plan's columns are, and its joins; none if it is not what a region takes.
    fn flatten(&mut self, plan: &LogicalPlan) -> Option<(Vec<Column>, Tree)> {
        match plan {
            LogicalPlan::Join(join) if is_free(join) => self.join(join),
            LogicalPlan::Projection(projection) if self.through_names && leads_to_join(plan) => {
                let (columns, tree) = self.flatten(&projection.input)?;
                let of_input = |expr: &Expr| match expr.clone().unalias() {
                    Expr::Column(column) => at(&columns, projection.input.schema(), &column),
                    _ => None,
                };
                Some((projection.expr.iter().map(of_input).collect::<Option<_>>()?, tree))
            }
            LogicalPlan::SubqueryAlias(alias) if self.through_names && leads_to_join(plan) => {
                self.flatten(&alias.input)
            }
            LogicalPlan::Filter(filter) if leads_to_join(plan) => {
                let (columns, tree) = self.flatten(&filter.input)?;
                for conjunct in split_conjunction(&filter.predicate) {
                    self.predicates
                        .push(rewritten(conjunct, &columns, filter.input.schema())?);
                }
                Some((columns, tree))
            }
            _ => self.relation(plan),
        }
    }

    fn relation(&mut self, plan: &LogicalPlan) -> Option<(Vec<Column>, Tree)> {
        let index = self.plans.len();
        let columns = plan.schema().columns();
        let unmet = columns
            .iter()
            .all(|column| self.owners.insert(column.clone(), index).is_none());
        self.plans.push(plan.clone());
        (unmet && index < RELATIONS_MAX).then_some((columns, Tree::Relation(index)))
    }

    fn join(&mut self, join: &Join) -> Option<(Vec<Column>, Tree)> {
        let (kept, reducing, anti) = match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => {
                (&join.left, &join.right, join.join_type == JoinType::LeftAnti)
            }
            JoinType::RightSemi | JoinType::RightAnti => {
                (&join.right, &join.left, join.join_type == JoinType::RightAnti)
            }
            _ => return self.inner_join(join),
        };
        let kept_is_left = Arc::ptr_eq(kept, &join.left);
        let (columns, kept_tree) = self.flatten(kept)?;
        let relation = self.plans.len();
        let (reducing_columns, reducing_tree) = self.relation(reducing)?;
        let mut keys = Vec::new();
        for (left, right) in &join.on {
            let (key, expr) = if kept_is_left {
                (left, right)
            } else {
                (right, left)
            };
            let key = self.member(rewritten(key, &columns, kept.schema())?)?;
            if self.reads(expr)? != only(relation) {
                return None;
            }
            keys.push((key, expr.clone()));
        }
        let both: Vec<Column> = columns.iter().chain(&reducing_columns).cloned().collect();
        let schema = kept.schema().join(reducing.schema()).ok()?;
        let filter = match &join.filter {
            Some(filter) => Some(rewritten(filter, &both, &schema)?),
            None => None,
        };
        self.reductions.push(Reduction {
            relation,
            anti,
            keys,
            filter,
        });
        let tree = match kept_is_left {
            true => Tree::join(kept_tree, reducing_tree),
            false => Tree::join(reducing_tree, kept_tree),
        };
        Some((columns, tree))
    }

    fn inner_join(&mut self, join: &Join) -> Option<(Vec<Column>, Tree)> {
        let (left, left_tree) = self.flatten(&join.left)?;
        let (right, right_tree) = self.flatten(&join.right)?;
        for (one, other) in &join.on {
            let one = self.member(rewritten(one, &left, join.left.schema())?)?;
            let other = self.member(rewritten(other, &right, join.right.schema())?)?;
            if self.data_type(&one)? != self.data_type(&other)? {
                return None;
            }
            self.equal.push((one, other));
        }
        let columns: Vec<Column> = left.into_iter().chain(right).collect();
        for conjunct in join.filter.clone().into_iter().flat_map(split_conjunction_owned) {
            self.predicates
                .push(rewritten(&conjunct, &columns, &join.schema)?);
        }
        Some((columns, Tree::join(left_tree, right_tree)))
    }

    fn data_type(&self, member: &Member) -> Option<DataType> {
        member.expr.get_type(self.plans[member.relation].schema()).ok()
    }

    /// An expression of exactly one relation.
    fn member(&self, expr: Expr) -> Option<Member> {
        let reads = self.reads(&expr)?;
        (reads.count_ones() == 1).then(|| Member {
            relation: reads.trailing_zeros() as usize,
            expr,
        })
    }

    /// The relations that an expression reads; none if it names a column that is in none.
    fn reads(&self, expr: &Expr) -> Option<Set> {
        let mut reads = 0;
        for column in expr.column_refs() {
            reads |= only(*self.owners.get(column)?);
        }
        Some(reads)
    }
}

/// Puts two members (or one) into one class, with what each was equal to before.
fn unite(classes: &mut Vec<Vec<Member>>, one: &Member, other: Option<&Member>) {
    let mut united = vec![one.clone()];
    united.extend(other.cloned());
    let (touched, mut apart): (Vec<_>, Vec<_>) = classes
        .drain(..)
        .partition(|class| class.iter().any(|member| united.contains(member)));
    let mut class: Vec<Member> = touched.into_iter().flatten().collect();
    for member in united {
        if !class.contains(&member) {
            class.push(member);
        }
    }
    apart.push(class);
    *classes = apart;
}

fn at(columns: &[Column], schema: &DFSchema, column: &Column) -> Option<Column> {
    columns.get(schema.maybe_index_of_column(column)?).cloned()
}

/// An expression over a plan's columns as one over the relations' columns.
fn rewritten(expr: &Expr, columns: &[Column], schema: &DFSchema) -> Option<Expr> {
    let mut known = true;
    let rewritten: Result<Transformed<Expr>> = expr.clone().transform_down(|expr| {
        Ok(match expr {
            Expr::Column(column) => match at(columns, schema, &column) {
                Some(column) => Transformed::new(Expr::Column(column), true, TreeNodeRecursion::Jump),
                None => {
                    known = false;
                    Transformed::no(Expr::Column(column))
                }
            },
            other => Transformed::no(other),
        })
    });
    rewritten.ok().map(|rewritten| rewritten.data).filter(|_| known)
}
