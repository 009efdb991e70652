//! DataFusion's joins: the left side becomes a table, the right side goes on through it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};

use super::lower::{Lowering, Open, Refusal, check_held, conjunction, schema_of};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, lower as lower_expr};
use crate::pipeline::{BuildSpec, JoinSpec, Sink, Stage};

/// Keys of both sides that are equal.
type Equal = (Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>);

/// A join, however DataFusion would run it.
pub(super) struct Join<'a> {
    left: &'a Arc<dyn ExecutionPlan>,
    right: &'a Arc<dyn ExecutionPlan>,
    on: Vec<Equal>,
    filter: Option<&'a JoinFilter>,
    join_type: JoinType,
    nulls_equal: bool,
    null_aware: bool,
    projection: Option<&'a [usize]>,
    fetch: Option<usize>,
}

impl<'a> Join<'a> {
    /// The join that a plan is, if it is one.
    pub(super) fn of(plan: &'a Arc<dyn ExecutionPlan>) -> Option<Result<Self, Refusal>> {
        let plain = |left, right, join_type| Self {
            left,
            right,
            on: Vec::new(),
            filter: None,
            join_type,
            nulls_equal: false,
            null_aware: false,
            projection: None,
            fetch: plan.fetch(),
        };
        if let Some(hash) = plan.downcast_ref::<HashJoinExec>() {
            return Some(Ok(Self {
                on: hash.on().to_vec(),
                filter: hash.filter(),
                nulls_equal: hash.null_equality() == NullEquality::NullEqualsNull,
                null_aware: hash.null_aware,
                projection: hash.projection.as_deref(),
                ..plain(hash.left(), hash.right(), *hash.join_type())
            }));
        }
        if let Some(merge) = plan.downcast_ref::<SortMergeJoinExec>() {
            // Rows leave it in the order of its keys, which no table keeps.
            if plan.properties().output_ordering().is_some() {
                return Some(Err(Refusal::of(plan, "a join that keeps the order of its keys")));
            }
            return Some(Ok(Self {
                on: merge.on().to_vec(),
                filter: merge.filter().as_ref(),
                nulls_equal: merge.null_equality() == NullEquality::NullEqualsNull,
                ..plain(merge.left(), merge.right(), merge.join_type())
            }));
        }
        if let Some(nested) = plan.downcast_ref::<NestedLoopJoinExec>() {
            return Some(Ok(Self {
                filter: nested.filter(),
                projection: nested.projection().as_deref(),
                ..plain(nested.left(), nested.right(), *nested.join_type())
            }));
        }
        let cross = plan.downcast_ref::<CrossJoinExec>()?;
        Some(Ok(plain(cross.left(), cross.right(), JoinType::Inner)))
    }
}

impl Lowering {
    pub(super) fn join(&mut self, plan: &Arc<dyn ExecutionPlan>, join: &Join<'_>) -> Result<Open, Refusal> {
        let refuse = |reason: String| Refusal::of(plan, reason);
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        check_held(plan, &left_schema)?;
        let build = self.open(join.left)?;
        let left_keys = keys(&join.on, |pair| &pair.0, &left_schema, &build.outputs).map_err(refuse)?;
        let has_residual = join.filter.is_some() && join.join_type != JoinType::Inner;
        let right = self.open(join.right)?;
        let right_keys = keys(&join.on, |pair| &pair.1, &right_schema, &right.outputs).map_err(refuse)?;
        for (left, right) in left_keys.iter().zip(&right_keys) {
            if !alike(&left.data_type, &right.data_type) {
                return Err(refuse(format!(
                    "keys of types {} and {} are not compared on the GPU",
                    left.data_type, right.data_type
                )));
            }
        }
        let is_nullable = |key: &Expr| key.nullable;
        let null_keys =
            join.nulls_equal && (left_keys.iter().any(is_nullable) || right_keys.iter().any(is_nullable));
        let sink = Sink::Build(BuildSpec {
            keys: left_keys,
            join_type: join.join_type,
            null_keys,
            has_residual,
        });
        let table = Arc::clone(&left_schema);
        let build = self.close(build, sink, Arc::clone(&table));
        let (mut open, keys) = self.ready(right, right_keys, join.join_type);
        let input = Arc::clone(&open.columns);
        let width = input.fields().len();
        let pair_filters = self.pair_filters(plan, join, &open, width)?;
        let mut spec = JoinSpec {
            build,
            join_type: join.join_type,
            keys,
            residual: Vec::new(),
            null_keys,
            null_aware: join.null_aware,
            // Somebody above may rely on it.
            keeps_order: plan.properties().output_ordering().is_some(),
            table,
            input,
        };
        if join.join_type != JoinType::Inner {
            if pair_filters.iter().any(Expr::makes_strings) {
                return Err(refuse("a join whose filter makes strings".into()));
            }
            spec.residual = pair_filters.clone();
        }
        let (columns, outputs) = after(&spec, &open, &left_schema);
        open.stages.push(Stage {
            filters: std::mem::take(&mut open.filters),
            join: spec,
        });
        if join.join_type == JoinType::Inner {
            open.filters = pair_filters;
        }
        open.columns = columns;
        open.outputs = match join.projection {
            Some(kept) => kept.iter().map(|&at| outputs[at].clone()).collect(),
            None => outputs,
        };
        Ok(match join.fetch {
            Some(fetch) => self.limit(open, 0, Some(fetch), plan.schema()),
            None => open,
        })
    }

    /// `open` in a state in which its rows can be looked up, with the keys over its columns: what makes strings is
    /// computed by a pipeline of its own, and so is what is not a plain column where rows of nulls join the others.
    fn ready(&mut self, mut open: Open, keys: Vec<Expr>, join_type: JoinType) -> (Open, Vec<Expr>) {
        let makes_strings = open.filters.iter().chain(&keys).any(Expr::makes_strings);
        let is_column = |output: &Expr| matches!(output.node, crate::pipeline::expr::Node::Column(..));
        let nulls_join = matches!(join_type, JoinType::Left | JoinType::Full);
        if !makes_strings && (!nulls_join || open.outputs.iter().all(is_column)) {
            return (open, keys);
        }
        let (width, count) = (open.outputs.len(), keys.len());
        open.outputs.extend(keys);
        let schema = Arc::new(schema_of(&open.outputs));
        let mut open = self.closed(open, Sink::Pass, schema);
        let keys = open.outputs.split_off(width);
        debug_assert_eq!(keys.len(), count);
        (open, keys)
    }

    /// What pairs must meet beside equal keys, over the `width` columns of a row and then those of the table.
    fn pair_filters(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        join: &Join<'_>,
        open: &Open,
        width: usize,
    ) -> Result<Vec<Expr>, Refusal> {
        let Some(filter) = join.filter else {
            return Ok(Vec::new());
        };
        let left = join.left.schema();
        let inputs = filter.column_indices().iter().map(|column| match column.side {
            JoinSide::Left => left
                .fields()
                .get(column.index)
                .map(|field| Expr::column(width + column.index, field)),
            JoinSide::Right => open.outputs.get(column.index).cloned(),
            JoinSide::None => None,
        });
        let inputs: Option<Vec<Expr>> = inputs.collect();
        let inputs =
            inputs.ok_or_else(|| Refusal::of(plan, "a join filter over a column that is on neither side"))?;
        conjunction(plan, filter.expression(), filter.schema(), &inputs)
    }
}

/// Keys of one side over the columns of its pipeline.
fn keys(
    on: &[Equal],
    side: impl Fn(&Equal) -> &Arc<dyn PhysicalExpr>,
    schema: &Schema,
    outputs: &[Expr],
) -> Result<Vec<Expr>, String> {
    on.iter()
        .map(|pair| lower_expr(side(pair), schema).map(|key| key.substitute(outputs)))
        .collect()
}

/// Whether equal values of two types are equal words.
fn alike(left: &DataType, right: &DataType) -> bool {
    left == right
        || matches!(
            (Repr::of(left), Repr::of(right)),
            (Some(Repr::Str), Some(Repr::Str))
        )
        || (left.is_integer() && right.is_integer())
}

/// The columns after a join, and its outputs over them before any projection.
fn after(spec: &JoinSpec, open: &Open, left: &SchemaRef) -> (SchemaRef, Vec<Expr>) {
    let nullable = |field: &Arc<Field>, may_be_null: bool| {
        Field::new(
            field.name(),
            field.data_type().clone(),
            field.is_nullable() || may_be_null,
        )
    };
    let mark = Field::new("mark", DataType::Boolean, false);
    let table = |may_be_null: bool| {
        left.fields()
            .iter()
            .map(move |field| nullable(field, may_be_null))
    };
    let rows = |may_be_null: bool| {
        spec.input
            .fields()
            .iter()
            .map(move |field| nullable(field, may_be_null))
    };
    let (misses_table, misses_rows) = (spec.keeps_rows(), spec.keeps_table());
    let fields: Vec<Field> = if spec.adds_columns() {
        rows(misses_rows).chain(table(misses_table)).collect()
    } else if spec.passes_rows() {
        let mark = (spec.join_type == JoinType::RightMark).then_some(mark);
        rows(false).chain(mark).collect()
    } else {
        let mark = (spec.join_type == JoinType::LeftMark).then_some(mark);
        table(false).chain(mark).collect()
    };
    let width = spec.input.fields().len();
    let columns = |range: std::ops::Range<usize>| range.map(|index| Expr::column(index, &fields[index]));
    let right = open.outputs.iter().map(|output| Expr {
        nullable: output.nullable || misses_rows,
        ..output.clone()
    });
    let outputs = if spec.adds_columns() {
        columns(width..fields.len()).chain(right).collect()
    } else if spec.passes_rows() {
        right.chain(columns(width..fields.len())).collect()
    } else {
        columns(0..fields.len()).collect()
    };
    (Arc::new(Schema::new(fields)), outputs)
}
