//! DataFusion's aggregates to accumulators.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Aggregate, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

use super::lower::{Open, Refusal};
use crate::batch::Repr;
use crate::pipeline::aggregate::{Accumulator, Choice, Combine, Finish, Ordered, Outcome, Pairs};
use crate::pipeline::expr::{Expr, Node, lower};
use crate::pipeline::{AggregateSpec, SortKey};

/// Reads an expression over the columns of a pipeline's source.
type OverSource<'a> = dyn Fn(&Arc<dyn PhysicalExpr>) -> Result<Expr, String> + 'a;

/// The keys, aggregates and filters of an aggregation, over the rows that it begins with.
#[derive(Debug)]
pub(super) struct Sources {
    group: PhysicalGroupBy,
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
    let sources = Sources {
        group: whole.group_expr().clone(),
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
    let mut spec = keys(&sources.group, &over_source).map_err(refuse)?;
    for (aggregate, filter) in sources.aggregates.iter().zip(&sources.filters) {
        let filter = filter.as_ref().map(over_source).transpose().map_err(refuse)?;
        let arguments = aggregate.expressions();
        let arguments = arguments
            .iter()
            .map(over_source)
            .collect::<Result<Vec<_>, String>>();
        let order = aggregate.order_bys().iter().map(|sort| {
            Ok(SortKey {
                expr: over_source(&sort.expr)?,
                descending: sort.options.descending,
                nulls_first: sort.options.nulls_first,
            })
        });
        let order = order.collect::<Result<Vec<_>, String>>().map_err(refuse)?;
        let arguments = arguments.map_err(refuse)?;
        let outcome = outcome(aggregate, arguments, order, filter, &mut spec).map_err(refuse)?;
        spec.outcomes.push(outcome);
    }
    Ok(spec)
}

/// The group keys, and the grouping sets if there are any: an expression a key, null where a set lacks the key, and the
/// set's number behind them.
fn keys(group: &PhysicalGroupBy, over_source: &OverSource<'_>) -> Result<AggregateSpec, String> {
    let lowered = |exprs: &[(Arc<dyn PhysicalExpr>, String)]| {
        let exprs = exprs.iter().map(|(expr, _)| over_source(expr));
        exprs.collect::<Result<Vec<_>, String>>()
    };
    let mut spec = AggregateSpec::of_keys(lowered(group.expr())?);
    if !group.has_grouping_set() {
        return Ok(spec);
    }
    let nulls = lowered(group.null_expr())?;
    let count = group.expr().len();
    let masks = group.groups();
    // As DataFusion numbers sets: a bit a key that is null, and above them how often the same set came before.
    let before = |at: usize| masks[..at].iter().filter(|mask| **mask == masks[at]).count();
    let repeats = (0..masks.len()).map(before).max().unwrap_or(0);
    let id_type = Aggregate::grouping_id_type(count, repeats);
    for (at, mask) in masks.iter().enumerate() {
        let bits = mask.iter().fold(0u64, |bits, null| bits << 1 | u64::from(*null));
        let id = ScalarValue::UInt64(Some(bits | (before(at) as u64) << count));
        let id = id.cast_to(&id_type).map_err(|error| error.to_string())?;
        let keys = mask.iter().zip(spec.keys.iter().zip(&nulls));
        let mut set: Vec<Expr> = keys
            .map(|(null, (key, nothing))| if *null { nothing.clone() } else { key.clone() })
            .collect();
        set.push(constant(id));
        spec.sets.push(set);
    }
    for (place, key) in spec.keys.iter_mut().enumerate() {
        key.nullable |= masks.iter().any(|mask| mask[place]);
        if nulls[place].data_type != key.data_type {
            return Err(format!("a null of type {} for {key}", nulls[place].data_type));
        }
    }
    let id = Expr {
        data_type: id_type,
        nullable: false,
        node: spec.sets[0][count].node.clone(),
    };
    spec.keys.push(id);
    Ok(spec)
}

fn constant(value: ScalarValue) -> Expr {
    Expr {
        data_type: value.data_type(),
        nullable: value.is_null(),
        node: Node::Literal(value),
    }
}

/// What one aggregate is made of; its accumulators are added to `spec`. `order` is that of its rows, if it asks for one.
pub(super) fn outcome(
    aggregate: &AggregateFunctionExpr,
    arguments: Vec<Expr>,
    order: Vec<SortKey>,
    filter: Option<Expr>,
    spec: &mut AggregateSpec,
) -> Result<Outcome, String> {
    let name = aggregate.fun().name();
    let data_type = aggregate.field().data_type().clone();
    let of_set = aggregate.is_distinct() && matches!(name, "sum" | "avg");
    if aggregate.is_distinct() && !of_set && !matches!(name, "count" | "min" | "max" | "bool_and" | "bool_or")
    {
        return Err(format!(
            "aggregate {}: DISTINCT is not run on the GPU yet",
            aggregate.name()
        ));
    }
    if let Some(choice) = choice(name, &arguments, &order)? {
        let ordered = ordered(aggregate, &arguments, order, filter, choice)?;
        spec.ordered.push(ordered);
        return Ok(Outcome {
            label: aggregate.name().into(),
            finish: Finish::Ordered(spec.ordered.len() - 1),
            data_type,
        });
    }
    if !order.is_empty() {
        return Err(format!(
            "aggregate {}: ORDER BY is not run on the GPU",
            aggregate.name()
        ));
    }
    let (mut second, mut filter) = (None, filter);
    if name == "count" && !aggregate.is_distinct() {
        filter = all_there(&arguments, filter);
    }
    if let [_, other] = &arguments[..]
        && pairs_of(name).is_some()
    {
        second = Some(other.clone());
    }
    let one_is_zero = spec.keys.is_empty() && name.ends_with("_pop");
    let mut add = |combine: Combine, argument: Option<Expr>| {
        let of_pairs = combine == Combine::CoMoments;
        spec.accumulate(Accumulator {
            combine,
            argument,
            second: second.clone().filter(|_| of_pairs),
            distinct: of_set && combine != Combine::CountDistinct,
            filter: filter.clone(),
        })
    };
    let argument = || match &arguments[..] {
        [argument] => Ok(argument.clone()),
        _ => Err(format!("aggregate {name} of {} arguments", arguments.len())),
    };
    let is_literal = |expr: &Expr| matches!(&expr.node, Node::Literal(value) if !value.is_null());
    // Rows in which the argument is there.
    let counted = |expr: &Expr| (expr.nullable && !is_literal(expr)).then(|| expr.clone());
    let finish = match name {
        "count" if aggregate.is_distinct() => Finish::Value {
            accumulator: add(Combine::CountDistinct, Some(argument()?)),
            count: None,
        },
        // Exact, where the CPU estimates.
        "approx_distinct" => Finish::Value {
            accumulator: add(Combine::CountDistinct, Some(argument()?)),
            count: None,
        },
        "count" => Finish::Value {
            accumulator: add(Combine::Count, arguments.iter().find_map(counted)),
            count: None,
        },
        "regr_count" => {
            let both = all_there(&arguments, filter.clone());
            Finish::Value {
                accumulator: spec.accumulate(Accumulator {
                    combine: Combine::Count,
                    argument: arguments.iter().find_map(counted),
                    second: None,
                    distinct: false,
                    filter: both,
                }),
                count: None,
            }
        }
        _ if pairs_of(name).is_some() && second.is_some() => {
            let [first, other] = &arguments[..] else {
                return Err(format!("{name} of {} arguments", arguments.len()));
            };
            if [&first.data_type, &other.data_type, &data_type] != [&DataType::Float64; 3] {
                return Err(format!(
                    "{name} of {} and {} is not run on the GPU",
                    first.data_type, other.data_type
                ));
            }
            Finish::Pairs {
                moments: add(Combine::CoMoments, Some(first.clone())),
                statistic: pairs_of(name).ok_or("a statistic without a name")?,
            }
        }
        "sum" | "min" | "max" | "bit_and" | "bit_or" | "bit_xor" | "bool_and" | "bool_or" => {
            let argument = argument()?;
            let combine = combine_of(name, &argument, &data_type)?;
            let count = match of_set {
                true => add(Combine::CountDistinct, Some(argument.clone())),
                false => add(Combine::Count, counted(&argument)),
            };
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
                one_is_zero,
            }
        }
        "avg" => {
            let argument = argument()?;
            let count = match of_set {
                true => add(Combine::CountDistinct, Some(argument.clone())),
                false => add(Combine::Count, counted(&argument)),
            };
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
        label: aggregate.name().into(),
        finish,
        data_type,
    })
}

/// `filter`, and that all arguments that may be null but the first of them are there: that one an accumulator looks after.
fn all_there(arguments: &[Expr], filter: Option<Expr>) -> Option<Expr> {
    let nullable = arguments.iter().filter(|argument| argument.nullable);
    nullable.skip(1).fold(filter, |filter, argument| {
        let there = boolean(Node::IsNotNull(Arc::new(argument.clone())));
        Some(match filter {
            Some(filter) => boolean(Node::Binary(Operator::And, Arc::new(filter), Arc::new(there))),
            None => there,
        })
    })
}

fn boolean(node: Node) -> Expr {
    Expr {
        data_type: DataType::Boolean,
        nullable: true,
        node,
    }
}

/// The statistic of pairs that a function is. Regressions name the dependent number first.
fn pairs_of(name: &str) -> Option<Pairs> {
    Some(match name {
        "covar_pop" => Pairs::CovariancePopulation,
        "covar_samp" | "covar" => Pairs::CovarianceSample,
        "corr" => Pairs::Correlation,
        "regr_slope" => Pairs::Slope,
        "regr_intercept" => Pairs::Intercept,
        "regr_r2" => Pairs::Determination,
        "regr_avgy" => Pairs::MeanFirst,
        "regr_avgx" => Pairs::MeanSecond,
        "regr_syy" => Pairs::SquaresFirst,
        "regr_sxx" => Pairs::SquaresSecond,
        "regr_sxy" => Pairs::Products,
        _ => return None,
    })
}

/// What a function takes of rows in order, if it is of that kind.
fn choice(name: &str, arguments: &[Expr], order: &[SortKey]) -> Result<Option<Choice>, String> {
    Ok(Some(match name {
        "first_value" => Choice::First,
        "last_value" => Choice::Last,
        "median" => Choice::Median,
        // Exact, where the CPU estimates.
        "approx_median" => Choice::Percentile(constant(ScalarValue::Float64(Some(0.5)))),
        "percentile_cont" | "approx_percentile_cont" => {
            let Some(Node::Literal(fraction)) = arguments.get(1).map(|argument| &argument.node) else {
                return Err(format!("{name} of a fraction that is no constant"));
            };
            let Ok(ScalarValue::Float64(Some(fraction))) = fraction.cast_to(&DataType::Float64) else {
                return Err(format!("{name} of {fraction}"));
            };
            let descending = order.first().is_some_and(|key| key.descending);
            let fraction = if descending { 1.0 - fraction } else { fraction };
            Choice::Percentile(constant(ScalarValue::Float64(Some(fraction))))
        }
        _ => return Ok(None),
    }))
}

/// The rows in order that a function takes.
fn ordered(
    aggregate: &AggregateFunctionExpr,
    arguments: &[Expr],
    order: Vec<SortKey>,
    filter: Option<Expr>,
    choice: Choice,
) -> Result<Ordered, String> {
    let argument = arguments.first().ok_or("a value of nothing")?.clone();
    let is_place = matches!(choice, Choice::First | Choice::Last);
    let mut filters: Vec<Expr> = filter.into_iter().collect();
    if !is_place || aggregate.ignore_nulls() {
        filters.push(boolean(Node::IsNotNull(Arc::new(argument.clone()))));
    }
    let result = aggregate.field().data_type().clone();
    let computable = match &choice {
        _ if argument.data_type != result => false,
        Choice::First | Choice::Last => true,
        Choice::Median => {
            result.is_integer() || result.is_floating() || matches!(result, DataType::Decimal128(..))
        }
        Choice::Percentile(_) => result.is_integer() || result.is_floating(),
    };
    if !computable {
        return Err(format!(
            "aggregate {}: of {} as {result} it is not run on the GPU",
            aggregate.name(),
            argument.data_type
        ));
    }
    let keys = match is_place {
        true => order,
        false => vec![SortKey {
            expr: argument.clone(),
            descending: false,
            nulls_first: false,
        }],
    };
    Ok(Ordered {
        argument,
        keys,
        filters,
        choice,
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
