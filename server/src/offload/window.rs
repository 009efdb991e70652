//! DataFusion's window operators to one of ours: which sort it takes over, and what its functions are.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{WindowFrame, WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::window::{SlidingAggregateWindowExpr, WindowExpr};
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::windows::{
    BoundedWindowAggExec, PlainAggregateWindowExpr, StandardWindowExpr, WindowAggExec, WindowUDFExpr,
};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode};

use super::aggregate;
use super::lower::{Lowering, Open, Refusal, is_sorted_below};
use crate::pipeline::aggregate::{Accumulator, Combine, Finish};
use crate::pipeline::expr::{Expr, Node, lower};
use crate::pipeline::window::{Bound, Frame, Place, Units, WindowFunction, WindowValue};
use crate::pipeline::{AggregateSpec, Sink, SortKey, WindowSpec};

/// A window operator of either kind.
pub(super) struct WindowNode<'a> {
    input: &'a Arc<dyn ExecutionPlan>,
    exprs: &'a [Arc<dyn WindowExpr>],
    /// Whether partitions come one after the other.
    sorted: bool,
}

/// The window operator that `plan` is, if it is one.
pub(super) fn node_of(plan: &Arc<dyn ExecutionPlan>) -> Option<WindowNode<'_>> {
    if let Some(node) = plan.downcast_ref::<WindowAggExec>() {
        return Some(WindowNode {
            input: node.input(),
            exprs: node.window_expr(),
            sorted: true,
        });
    }
    plan.downcast_ref::<BoundedWindowAggExec>()
        .map(|node| WindowNode {
            input: node.input(),
            exprs: node.window_expr(),
            sorted: node.input_order_mode == InputOrderMode::Sorted,
        })
}

/// The rows of a window operator.
pub(super) fn open(
    lowering: &mut Lowering,
    plan: &Arc<dyn ExecutionPlan>,
    node: &WindowNode<'_>,
) -> Result<Open, Refusal> {
    let refuse = |reason: String| Refusal::of(plan, reason);
    if !node.sorted {
        return Err(refuse("a window over rows that are not sorted".into()));
    }
    // A sort right below is the window's own; rows that some operator sorted before come in order.
    let sort = node.input.downcast_ref::<SortExec>();
    let (source, ordering) = match sort.filter(|sort| sort.fetch().is_none()) {
        Some(sort) => (sort.input(), Some(sort.expr().clone())),
        None if is_sorted_below(node.input) => (node.input, None),
        None => (node.input, node.input.output_ordering().cloned()),
    };
    let open = lowering.open(source)?;
    let over = Over {
        open: &open,
        input: source.schema(),
    };
    let sort = ordering.map(|ordering| over.keys(ordering)).transpose();
    let spec = spec(node, &over, sort.map_err(refuse)?, &plan.schema()).map_err(refuse)?;
    Ok(lowering.closed(open, Sink::Window(spec), plan.schema()))
}

/// Expressions over the columns of a source.
struct Over<'a> {
    open: &'a Open,
    input: Arc<Schema>,
}

impl Over<'_> {
    fn expr(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Expr, String> {
        lower(expr, &self.input).map(|expr| expr.substitute(&self.open.outputs))
    }

    fn exprs(&self, exprs: &[Arc<dyn PhysicalExpr>]) -> Result<Vec<Expr>, String> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn key(&self, sort: &PhysicalSortExpr) -> Result<SortKey, String> {
        Ok(SortKey {
            expr: self.expr(&sort.expr)?,
            descending: sort.options.descending,
            nulls_first: sort.options.nulls_first,
        })
    }

    fn keys(&self, ordering: LexOrdering) -> Result<Vec<SortKey>, String> {
        ordering.iter().map(|sort| self.key(sort)).collect()
    }
}

fn spec(
    node: &WindowNode<'_>,
    over: &Over<'_>,
    sort: Option<Vec<SortKey>>,
    output: &Schema,
) -> Result<WindowSpec, String> {
    let first = node.exprs.first().ok_or("a window without functions")?;
    let order = first.order_by().iter().map(|sort| over.key(sort));
    let mut spec = WindowSpec {
        sort,
        partition: over.exprs(first.partition_by())?,
        order: order.collect::<Result<_, String>>()?,
        accumulators: Vec::new(),
        frames: Vec::new(),
        functions: Vec::new(),
    };
    let behind = output.fields().len() - node.exprs.len();
    for (expr, field) in node.exprs.iter().zip(&output.fields()[behind..]) {
        let value = value(expr, over, field.data_type(), &mut spec)
            .map_err(|reason| format!("{}: {reason}", expr.name()))?;
        spec.functions.push(WindowFunction {
            label: expr.name().into(),
            data_type: field.data_type().clone(),
            nullable: field.is_nullable(),
            value,
        });
    }
    Ok(spec)
}

fn value(
    expr: &Arc<dyn WindowExpr>,
    over: &Over<'_>,
    data_type: &DataType,
    spec: &mut WindowSpec,
) -> Result<WindowValue, String> {
    let frame = expr.get_window_frame();
    let any = expr.as_any();
    if let Some(plain) = any.downcast_ref::<PlainAggregateWindowExpr>() {
        unfiltered(plain)?;
        return of_aggregate(plain.get_aggregate_expr(), frame, over, data_type, spec);
    }
    if let Some(sliding) = any.downcast_ref::<SlidingAggregateWindowExpr>() {
        unfiltered(sliding)?;
        return of_aggregate(sliding.get_aggregate_expr(), frame, over, data_type, spec);
    }
    let function = any
        .downcast_ref::<StandardWindowExpr>()
        .and_then(|standard| {
            standard
                .get_standard_func_expr()
                .as_any()
                .downcast_ref::<WindowUDFExpr>()
        })
        .ok_or("a window function of an unknown kind")?;
    of_function(function, frame, over, data_type, spec)
}

/// DataFusion keeps the filter of an aggregate over a window to itself; only what it prints for debugging ends with it.
fn unfiltered(aggregate: &dyn std::fmt::Debug) -> Result<(), String> {
    match format!("{aggregate:?}").ends_with("filter: None }") {
        true => Ok(()),
        false => Err("FILTER over a window: DataFusion's plan does not tell the condition".into()),
    }
}

fn of_aggregate(
    function: &AggregateFunctionExpr,
    frame: &WindowFrame,
    over: &Over<'_>,
    data_type: &DataType,
    spec: &mut WindowSpec,
) -> Result<WindowValue, String> {
    if function.is_distinct() && !matches!(function.fun().name(), "min" | "max") {
        return Err("DISTINCT over a window is not run on the GPU".into());
    }
    let mut accumulators = AggregateSpec::of_keys(Vec::new());
    accumulators.accumulators = std::mem::take(&mut spec.accumulators);
    let outcome = aggregate::outcome(
        function,
        over.exprs(&function.expressions())?,
        Vec::new(),
        None,
        &mut accumulators,
    );
    spec.accumulators = accumulators.accumulators;
    let outcome = outcome?;
    let cannot_frame = |place: &usize| {
        let combine = spec.accumulators[*place].combine;
        matches!(combine, Combine::CountDistinct | Combine::CoMoments)
    };
    if matches!(outcome.finish, Finish::Ordered(_)) || outcome.finish.accumulators().iter().any(cannot_frame)
    {
        return Err("not run over a window on the GPU".into());
    }
    if outcome.data_type != *data_type {
        return Err(format!("its type is {}, expected {data_type}", outcome.data_type));
    }
    Ok(WindowValue::Aggregate {
        frame: frame_of(frame, spec)?,
        finish: outcome.finish,
    })
}

fn of_function(
    function: &WindowUDFExpr,
    frame: &WindowFrame,
    over: &Over<'_>,
    data_type: &DataType,
    spec: &mut WindowSpec,
) -> Result<WindowValue, String> {
    let argument = || {
        let argument = function.args().first().ok_or("without an argument")?;
        over.expr(argument)
    };
    let name = function.fun().name();
    Ok(match name {
        "row_number" => WindowValue::RowNumber,
        "rank" => WindowValue::Rank,
        "dense_rank" => WindowValue::DenseRank,
        "percent_rank" => WindowValue::PercentRank,
        "cume_dist" => WindowValue::CumeDist,
        "ntile" => {
            let buckets = integer(function, 0)?.ok_or("without a number of buckets")?;
            WindowValue::Ntile(count(u64::try_from(buckets).map_err(|_| "buckets below 0")?))
        }
        "lag" | "lead" => {
            let argument = typed(argument()?, data_type)?;
            let shift = Shift::of(function)?;
            WindowValue::Shift {
                by: count(shift.by),
                back: shift.back,
                default: default_of(function, data_type)?,
                valued: shift.ignores_nulls.then(|| valued(&argument, spec)),
                argument,
            }
        }
        "first_value" | "last_value" | "nth_value" => {
            let argument = typed(argument()?, data_type)?;
            let (place, ignores_nulls) = place_of(function)?;
            WindowValue::Pick {
                frame: frame_of(frame, spec)?,
                place,
                valued: ignores_nulls.then(|| valued(&argument, spec)),
                argument,
            }
        }
        other => return Err(format!("window function {other} is not run on the GPU")),
    })
}

/// The count of rows that have `argument`.
fn valued(argument: &Expr, spec: &mut WindowSpec) -> usize {
    let accumulator = Accumulator {
        combine: Combine::Count,
        argument: Some(argument.clone()),
        second: None,
        distinct: false,
        filter: None,
    };
    match spec.accumulators.iter().position(|known| *known == accumulator) {
        Some(place) => place,
        None => {
            spec.accumulators.push(accumulator);
            spec.accumulators.len() - 1
        }
    }
}

fn typed(argument: Expr, data_type: &DataType) -> Result<Expr, String> {
    match argument.data_type == *data_type {
        true => Ok(argument),
        false => Err(format!("a value of type {} as {data_type}", argument.data_type)),
    }
}

fn constant(value: ScalarValue) -> Expr {
    Expr {
        data_type: value.data_type(),
        nullable: value.is_null(),
        node: Node::Literal(value),
    }
}

fn count(rows: u64) -> Expr {
    constant(ScalarValue::UInt64(Some(rows)))
}

/// The integer that argument `at` is; null counts as 0, as DataFusion takes it.
fn integer(function: &WindowUDFExpr, at: usize) -> Result<Option<i64>, String> {
    let Some(argument) = function.args().get(at) else {
        return Ok(None);
    };
    let literal = argument
        .downcast_ref::<Literal>()
        .ok_or_else(|| format!("argument {argument} is no constant"))?;
    match literal.value().cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(value)) => Ok(Some(value.unwrap_or(0))),
        _ => Err(format!("argument {argument} is no integer of 64 bits")),
    }
}

fn default_of(function: &WindowUDFExpr, data_type: &DataType) -> Result<Expr, String> {
    let value = match function.args().get(2) {
        None => ScalarValue::Null,
        Some(argument) => argument
            .downcast_ref::<Literal>()
            .ok_or_else(|| format!("default {argument} is no constant"))?
            .value()
            .clone(),
    };
    let value = match value.data_type() {
        DataType::Null => ScalarValue::try_from(data_type),
        _ => value.cast_to(data_type),
    };
    value.map(constant).map_err(|error| error.to_string())
}

/// What lag and lead do. DataFusion keeps to itself whether it has turned a function round, and whether it leaves out
/// nulls: both show in which rows its evaluator asks for.
struct Shift {
    by: u64,
    back: bool,
    ignores_nulls: bool,
}

impl Shift {
    fn of(function: &WindowUDFExpr) -> Result<Self, String> {
        use datafusion::physical_expr::window::StandardWindowFunctionExpr;
        let by = integer(function, 1)?.unwrap_or(1).unsigned_abs();
        let evaluator = function.create_evaluator().map_err(|error| error.to_string())?;
        let (row, rows) = (1usize << 61, 1usize << 62);
        if by >= row as u64 {
            return Err(format!("{by} rows away is not run on the GPU"));
        }
        let range = evaluator
            .get_range(row, rows)
            .map_err(|error| error.to_string())?;
        let back = evaluator.is_causal();
        // With nulls left out, it may have to look at all rows; a distance of 0 is the row itself, null or not.
        let ignores_nulls = by > 0 && if back { range.start == 0 } else { range.end == rows };
        Ok(Self {
            by,
            back,
            ignores_nulls,
        })
    }
}

/// Which row of the frame a function takes, and whether it leaves out nulls: DataFusion keeps to itself whether it has
/// turned the function round, so its evaluator is asked.
fn place_of(function: &WindowUDFExpr) -> Result<(Place, bool), String> {
    let by = match function.fun().name() {
        "nth_value" => integer(function, 1)?.ok_or("without a number of a row")?,
        _ => 1,
    };
    let by = by.unsigned_abs();
    if by == 0 {
        return Ok((Place::Nowhere, false));
    }
    if by > 1 << 16 {
        return Err(format!("row {by} of a frame is not run on the GPU"));
    }
    // So many that no row is as far from the first as from the last.
    let rows = by * 2 + 1;
    let at = Int64Array::from_iter_values(0..rows as i64);
    let chosen = evaluated(function, Arc::new(at), 0..rows as usize)?;
    let place = match chosen {
        ScalarValue::Int64(Some(row)) if row + 1 == by as i64 => Place::FromFirst(count(by - 1)),
        _ => Place::BeforeEnd(count(by)),
    };
    // A frame of so many values with a null in front, and the same from behind: the value that is taken is another one if
    // nulls are left out.
    let null = std::iter::once(None);
    let values = (0..rows as i64).map(Some);
    let (values, taken): (Int64Array, i64) = match place {
        Place::FromFirst(_) => (null.chain(values).collect(), by as i64 - 1),
        _ => (values.chain(null).collect(), rows as i64 - by as i64),
    };
    let chosen = evaluated(function, Arc::new(values), 0..rows as usize + 1)?;
    Ok((place, chosen == ScalarValue::Int64(Some(taken))))
}

fn evaluated(function: &WindowUDFExpr, values: ArrayRef, frame: Range<usize>) -> Result<ScalarValue, String> {
    use datafusion::physical_expr::window::StandardWindowFunctionExpr;
    let mut evaluator = function.create_evaluator().map_err(|error| error.to_string())?;
    evaluator
        .evaluate(&[values], &frame)
        .map_err(|error| error.to_string())
}

fn frame_of(frame: &WindowFrame, spec: &mut WindowSpec) -> Result<usize, String> {
    let units = match frame.units {
        WindowFrameUnits::Rows => Units::Rows,
        WindowFrameUnits::Range => Units::Range,
        WindowFrameUnits::Groups => Units::Groups,
    };
    let bound = |bound: &WindowFrameBound| match bound {
        bound if bound.is_unbounded() => Bound::Unbounded,
        WindowFrameBound::CurrentRow => Bound::Current,
        WindowFrameBound::Preceding(by) => Bound::Preceding(constant(by.clone())),
        WindowFrameBound::Following(by) => Bound::Following(constant(by.clone())),
    };
    // Where a frame ends before it starts, DataFusion computes something else.
    let crossed = match (&frame.start_bound, &frame.end_bound) {
        (WindowFrameBound::Following(_), WindowFrameBound::Preceding(by)) => !by.is_null(),
        (WindowFrameBound::Preceding(start), WindowFrameBound::Preceding(end)) => {
            !start.is_null() && start < end
        }
        (WindowFrameBound::Following(start), WindowFrameBound::Following(end)) => {
            !end.is_null() && start > end
        }
        _ => false,
    };
    if crossed {
        return Err("a frame that ends before it starts is not run on the GPU".into());
    }
    Ok(spec.frame(Frame {
        units,
        start: bound(&frame.start_bound),
        end: bound(&frame.end_bound),
    }))
}
