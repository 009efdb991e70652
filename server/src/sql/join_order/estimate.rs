//! How many rows a plan gives, and which values its columns have.
//!
//! In: a logical plan over tables that know their statistics. Out: its [`Profile`]; none where a number that
//! everything else hangs on is not known, as the rows of a table without statistics.

use std::collections::HashMap;

use datafusion::common::{Column, DFSchema};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, FetchType, Join, JoinType, Limit, LogicalPlan, Projection, TableScan,
};

use super::graph::Graph;
use super::profile::{ColumnProfile, Profile, met};
use super::region::Region;
use super::selectivity::{distinct, filtered, of_all};

/// The share of rows that a semi join keeps of which nothing is known.
const MATCHED: f64 = 0.5;

/// The rows of a plan.
pub fn profile(plan: &LogicalPlan) -> Option<Profile> {
    match plan {
        LogicalPlan::TableScan(scan) => table(scan),
        LogicalPlan::Filter(filter) => Some(filtered(
            profile(&filter.input)?,
            &split_conjunction(&filter.predicate),
        )),
        LogicalPlan::Projection(projection) => projected(projection),
        LogicalPlan::SubqueryAlias(alias) => Some(profile(&alias.input)?.renamed(alias.schema.clone())),
        LogicalPlan::Aggregate(aggregate) => grouped(aggregate),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let input = profile(input)?;
            let columns = input
                .schema
                .columns()
                .into_iter()
                .map(Expr::Column)
                .collect::<Vec<_>>();
            let rows = groups(&columns, &input);
            Some(Profile { rows, ..input })
        }
        LogicalPlan::Join(join) => joined(plan, join),
        LogicalPlan::Sort(sort) => {
            let input = profile(&sort.input)?;
            Some(match sort.fetch {
                Some(rows) => input.limited(rows),
                None => input,
            })
        }
        LogicalPlan::Limit(limit) => limited(limit),
        LogicalPlan::Repartition(repartition) => profile(&repartition.input),
        LogicalPlan::Subquery(subquery) => profile(&subquery.subquery),
        LogicalPlan::Window(window) => {
            let input = profile(&window.input)?;
            Some(widened(input, plan))
        }
        LogicalPlan::Union(union) => {
            let inputs = union
                .inputs
                .iter()
                .map(|input| profile(input))
                .collect::<Option<Vec<_>>>()?;
            let rows = inputs.iter().map(|input| input.rows).sum();
            Some(of_rows(rows, plan))
        }
        LogicalPlan::Values(values) => Some(of_rows(values.values.len() as f64, plan)),
        LogicalPlan::EmptyRelation(empty) => Some(of_rows(f64::from(u8::from(empty.produce_one_row)), plan)),
        _ => None,
    }
}

/// A plan of so many rows, of whose values nothing is known.
fn of_rows(rows: f64, plan: &LogicalPlan) -> Profile {
    let fields = plan.schema().fields().iter();
    Profile {
        rows,
        schema: plan.schema().clone(),
        columns: fields
            .map(|field| ColumnProfile::unknown(field.data_type(), rows))
            .collect(),
        applied: Vec::new(),
    }
}

/// The rows of `input` with the further columns of `plan`.
fn widened(mut input: Profile, plan: &LogicalPlan) -> Profile {
    let further = plan.schema().fields().iter().skip(input.columns.len());
    input
        .columns
        .extend(further.map(|field| ColumnProfile::unknown(field.data_type(), input.rows)));
    input.renamed(plan.schema().clone())
}

fn table(scan: &TableScan) -> Option<Profile> {
    let statistics = source_as_provider(&scan.source).ok()?.statistics()?;
    let schema = scan.source.schema();
    let whole = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &schema).ok()?;
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let profile = Profile::of_table(&statistics, &all, whole.into())?;
    let filters: Vec<&Expr> = scan.filters.iter().flat_map(split_conjunction).collect();
    let mut profile = filtered(profile, &filters);
    let kept = scan.projection.as_ref().unwrap_or(&all);
    profile.columns = kept.iter().map(|&index| profile.columns[index].clone()).collect();
    profile.schema = scan.projected_schema.clone();
    Some(match scan.fetch {
        Some(rows) => profile.limited(rows),
        None => profile,
    })
}

fn projected(projection: &Projection) -> Option<Profile> {
    let input = profile(&projection.input)?;
    let column = |(expr, field): (&Expr, &std::sync::Arc<arrow::datatypes::Field>)| {
        let known = match expr.clone().unalias() {
            Expr::Column(column) => input.column(&column).cloned(),
            _ => None,
        };
        known.unwrap_or_else(|| {
            let values = distinct(expr, &|column| input.column(column));
            ColumnProfile::of_distinct(field.data_type(), input.rows, values)
        })
    };
    Some(Profile {
        rows: input.rows,
        columns: projection
            .expr
            .iter()
            .zip(projection.schema.fields())
            .map(column)
            .collect(),
        schema: projection.schema.clone(),
        applied: input.applied,
    })
}

fn limited(limit: &Limit) -> Option<Profile> {
    let input = profile(&limit.input)?;
    Some(match limit.get_fetch_type().ok()? {
        FetchType::Literal(Some(rows)) => input.limited(rows),
        _ => input,
    })
}

/// How many groups the rows have. Columns of one table make at most as many as the table has rows.
fn groups(keys: &[Expr], input: &Profile) -> f64 {
    let columns = |column: &Column| input.column(column);
    let mut tables: HashMap<_, (f64, f64)> = HashMap::new();
    let mut rest = 1.0;
    for key in keys {
        let values = distinct(key, &columns);
        match key {
            Expr::Column(column) => {
                let rows = input.column(column).map_or(input.rows, |known| known.table_rows);
                let (product, limit) = tables.entry(column.relation.clone()).or_insert((1.0, rows));
                *product *= values;
                *limit = limit.max(rows);
            }
            _ => rest *= values,
        }
    }
    let of_tables: f64 = tables
        .values()
        .map(|(product, limit)| product.min(*limit))
        .product();
    met(rest * of_tables, input.rows).max(1.0)
}

fn grouped(aggregate: &Aggregate) -> Option<Profile> {
    let input = profile(&aggregate.input)?;
    let rows = match aggregate.group_expr.is_empty() {
        true => 1.0,
        false => groups(&aggregate.group_expr, &input),
    };
    let group_rows = input.rows / rows;
    let exprs = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
    let plain = aggregate.group_expr_len().ok()? == aggregate.group_expr.len();
    let columns = aggregate
        .schema
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let fallback = ColumnProfile::unknown(field.data_type(), rows);
            let Some(expr) = exprs.clone().nth(index).filter(|_| plain) else {
                return fallback;
            };
            if index >= aggregate.group_expr.len() {
                let spread = spread(expr, &input, group_rows);
                return ColumnProfile {
                    spread,
                    ..ColumnProfile::of_distinct(field.data_type(), rows, rows)
                };
            }
            match expr {
                Expr::Column(column) => input.column(column).map_or(fallback, |known| {
                    let mut known = known.clone();
                    // One key alone is unique from here on.
                    if aggregate.group_expr.len() == 1 {
                        known.table_rows = known.table.distinct;
                    }
                    known
                }),
                other => ColumnProfile::of_distinct(
                    field.data_type(),
                    rows,
                    distinct(other, &|column| input.column(column)),
                ),
            }
        });
    Some(Profile {
        rows,
        columns: columns.collect(),
        schema: aggregate.schema.clone(),
        applied: Vec::new(),
    })
}

/// Mean and deviation of an aggregate over groups of about `rows` rows, their sizes as Poisson has them and their
/// values even between least and greatest.
fn spread(expr: &Expr, input: &Profile, rows: f64) -> Option<(f64, f64)> {
    let Expr::AggregateFunction(call) = expr.clone().unalias() else {
        return None;
    };
    let name = call.func.name().to_lowercase();
    if name == "count" {
        return Some((rows, rows.sqrt()));
    }
    let argument = match call.params.args.first()? {
        Expr::Cast(cast) => cast.expr.as_ref(),
        other => other,
    };
    let Expr::Column(column) = argument else {
        return None;
    };
    let (least, greatest) = input.column(column)?.kept.range?;
    let (mean, variance) = (f64::midpoint(least, greatest), (greatest - least).powi(2) / 12.0);
    match name.as_str() {
        "sum" => Some((rows * mean, (rows * (variance + mean * mean)).sqrt())),
        "avg" => Some((mean, (variance / rows.max(1.0)).sqrt())),
        _ => None,
    }
}

fn joined(plan: &LogicalPlan, join: &Join) -> Option<Profile> {
    if let Some(graph) = Region::of(plan, None).and_then(Graph::of) {
        return Some(graph.profile(plan));
    }
    let (left, right) = (profile(&join.left)?, profile(&join.right)?);
    let columns = |column: &Column| left.column(column).or_else(|| right.column(column));
    let pairs = join.on.iter().map(|(left, right)| {
        let most = distinct(left, &columns).max(distinct(right, &columns));
        1.0 / most.max(1.0)
    });
    let filters = join.filter.iter().flat_map(split_conjunction);
    // Keys of several columns have no more values than there are rows.
    let share = pairs
        .product::<f64>()
        .max(1.0 / left.rows.max(right.rows).max(1.0))
        * of_all(filters, &columns);
    let inner = left.rows * right.rows * share;
    let rows = match join.join_type {
        JoinType::Inner => inner,
        JoinType::Left => inner.max(left.rows),
        JoinType::Right => inner.max(right.rows),
        JoinType::Full => inner.max(left.rows).max(right.rows),
        JoinType::LeftSemi | JoinType::LeftAnti => left.rows * MATCHED,
        JoinType::RightSemi | JoinType::RightAnti => right.rows * MATCHED,
        JoinType::LeftMark => left.rows,
        JoinType::RightMark => right.rows,
    };
    let sides = match join.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left.columns,
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right.columns,
        _ => left.columns.into_iter().chain(right.columns).collect(),
    };
    let input = Profile {
        rows: rows.max(1.0),
        schema: join.schema.clone(),
        columns: sides,
        applied: Vec::new(),
    };
    Some(widened(input, plan))
}
