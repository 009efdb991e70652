//! DataFusion's aggregates to accumulators.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

use super::lower::{Open, Refusal};
use crate::batch::Repr;
use crate::pipeline::AggregateSpec;
use crate::pipeline::aggregate::{Accumulator, Combine, Finish, Outcome};
use crate::pipeline::expr::{Expr, lower};

/// The keys, aggregates and filters of an aggregation, over the rows that it begins with.
#[derive(Debug)]
pub(super) struct Sources {
    keys: Vec<Arc<dyn PhysicalExpr>>,
    aggregates: Vec<Arc<AggregateFunctionExpr>>,
    filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
}

/// What an aggregation computes, and the plan whose rows it aggregates: for the final half of one, what its first
/// half does.
pub(super) fn input_of(
    plan: &Arc<dyn ExecutionPlan>,
    aggregate: &AggregateExec,
) -> Result<(Sources, Arc<dyn ExecutionPlan>), Refusal> {
    let whole = match aggregate.mode() {
        AggregateMode::Single | AggregateMode::SinglePartitioned => aggregate,
        AggregateMode::Final | AggregateMode::FinalPartitioned => first_half(aggregate.input())
            .ok_or_else(|| Refusal::of(plan, "the first half of this aggregate is somewhere else"))?,
        other => {
            return Err(Refusal::of(
                plan,
                format!("half an aggregate ({other:?}) is not run on the GPU"),
            ));
        }
    };
    if whole.group_expr().has_grouping_set() {
        return Err(Refusal::of(plan, "grouping sets are not run on the GPU yet"));
    }
    let sources = Sources {
        keys: whole.group_expr().input_exprs(),
        aggregates: whole.aggr_expr().to_vec(),
        filters: whole.filter_expr().to_vec(),
    };
    Ok((sources, Arc::clone(whole.input())))
}

/// The first half of an aggregate below operators that only move rows.
fn first_half(plan: &Arc<dyn ExecutionPlan>) -> Option<&AggregateExec> {
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return (*aggregate.mode() == AggregateMode::Partial).then_some(aggregate);
    }
    let moves = plan.is::<RepartitionExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<SortPreservingMergeExec>()
        || plan.is::<CooperativeExec>();
    match plan.children()[..] {
        [child] if moves => first_half(child),
        _ => None,
    }
}

/// The aggregation over the source of `open`.
pub(super) fn spec(
    plan: &Arc<dyn ExecutionPlan>,
    sources: &Sources,
    open: &Open,
    input: &Schema,
) -> Result<AggregateSpec, Refusal> {
    let refuse = |reason: String| Refusal::of(plan, reason);
    let over_source =
        |expr: &Arc<dyn PhysicalExpr>| lower(expr, input).map(|expr| expr.substitute(&open.outputs));
    let keys = sources
        .keys
        .iter()
        .map(over_source)
        .collect::<Result<Vec<_>, String>>();
    let mut spec = AggregateSpec {
        keys: keys.map_err(refuse)?,
        accumulators: Vec::new(),
        outcomes: Vec::new(),
    };
    for (aggregate, filter) in sources.aggregates.iter().zip(&sources.filters) {
        let filter = filter.as_ref().map(over_source).transpose().map_err(refuse)?;
        let arguments = aggregate.expressions();
        let arguments = arguments
            .iter()
            .map(over_source)
            .collect::<Result<Vec<_>, String>>();
        let outcome = outcome(aggregate, arguments.map_err(refuse)?, filter, &mut spec).map_err(refuse)?;
        spec.outcomes.push(outcome);
    }
    Ok(spec)
}

pub(super) fn outcome(
    aggregate: &AggregateFunctionExpr,
    arguments: Vec<Expr>,
    filter: Option<Expr>,
    spec: &mut AggregateSpec,
) -> Result<Outcome, String> {
    let name = aggregate.fun().name();
    let data_type = aggregate.field().data_type().clone();
    if aggregate.is_distinct() && !matches!(name, "count" | "min" | "max" | "bool_and" | "bool_or") {
        return Err(format!(
            "aggregate {}: DISTINCT is not run on the GPU yet",
            aggregate.name()
        ));
    }
    if !aggregate.order_bys().is_empty() {
        return Err(format!(
            "aggregate {}: ORDER BY is not run on the GPU",
            aggregate.name()
        ));
    }
    let mut add = |combine: Combine, argument: Option<Expr>| {
        spec.accumulate(Accumulator {
            combine,
            argument,
            filter: filter.clone(),
        })
    };
    let argument = || match &arguments[..] {
        [argument] => Ok(argument.clone()),
        _ => Err(format!("aggregate {name} of {} arguments", arguments.len())),
    };
    let is_literal =
        |expr: &Expr| matches!(&expr.node, crate::pipeline::expr::Node::Literal(value) if !value.is_null());
    // Rows in which the argument is there.
    let counted = |expr: &Expr| (expr.nullable && !is_literal(expr)).then(|| expr.clone());
    let finish = match name {
        "count" if aggregate.is_distinct() => Finish::Value {
            accumulator: add(Combine::CountDistinct, Some(argument()?)),
            count: None,
        },
        "count" => {
            let mut nullable = arguments.iter().filter_map(counted);
            let first = nullable.next();
            if nullable.next().is_some() {
                return Err("count of several columns that may be null is not run on the GPU".into());
            }
            Finish::Value {
                accumulator: add(Combine::Count, first),
                count: None,
            }
        }
        "sum" | "min" | "max" | "bit_and" | "bit_or" | "bit_xor" | "bool_and" | "bool_or" => {
            let argument = argument()?;
            let combine = combine_of(name, &argument, &data_type)?;
            let count = add(Combine::Count, counted(&argument));
            Finish::Value {
                accumulator: add(combine, Some(argument)),
                count: Some(count),
            }
        }
        "var" | "var_pop" | "stddev" | "stddev_pop" => {
            let argument = argument()?;
            if argument.data_type != DataType::Float64 || data_type != DataType::Float64 {
                return Err(format!(
                    "{name} of {} as {data_type} is not run on the GPU",
                    argument.data_type
                ));
            }
            Finish::Variance {
                moments: add(Combine::Moments, Some(argument)),
                of_sample: !name.ends_with("_pop"),
                deviation: name.starts_with("stddev"),
            }
        }
        "avg" => {
            let argument = argument()?;
            let count = add(Combine::Count, counted(&argument));
            match (&data_type, &argument.data_type) {
                (DataType::Float64, DataType::Float64 | DataType::Float32) => Finish::AverageFloat {
                    sum: add(Combine::SumFloat, Some(argument)),
                    count,
                },
                (DataType::Decimal128(precision, scale), DataType::Decimal128(_, from)) if scale >= from => {
                    Finish::AverageDecimal {
                        scale_digits: (scale - from) as u32,
                        precision: *precision,
                        sum: add(Combine::SumDecimal, Some(argument)),
                        count,
                    }
                }
                (to, from) => return Err(format!("avg of {from} as {to} is not run on the GPU")),
            }
        }
        other => return Err(format!("aggregate {other} is not run on the GPU yet")),
    };
    Ok(Outcome {
        label: aggregate.name().to_owned(),
        finish,
        data_type,
    })
}

fn combine_of(name: &str, argument: &Expr, result: &DataType) -> Result<Combine, String> {
    let repr = Repr::of(&argument.data_type)
        .ok_or_else(|| format!("values of type {} are not held on the GPU", argument.data_type))?;
    Ok(match name {
        "sum" => match result {
            DataType::Float64 => Combine::SumFloat,
            DataType::Decimal128(..) => Combine::SumDecimal,
            DataType::Int64 | DataType::UInt64 => Combine::SumInteger,
            other => return Err(format!("sum as {other} is not run on the GPU")),
        },
        "min" if repr == Repr::Str => Combine::MinText,
        "max" if repr == Repr::Str => Combine::MaxText,
        "min" if repr == Repr::I128 => Combine::MinWide,
        "max" if repr == Repr::I128 => Combine::MaxWide,
        "min" | "bool_and" => Combine::Min,
        "max" | "bool_or" => Combine::Max,
        "bit_and" => Combine::BitAnd,
        "bit_or" => Combine::BitOr,
        _ => Combine::BitXor,
    })
}
