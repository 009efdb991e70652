//! FILTER of aggregates over windows, said in another way: `sum(x) FILTER (WHERE c) OVER w` is
//! `sum(CASE WHEN c THEN x END) OVER w` for every aggregate that leaves out nulls. A physical plan keeps such a filter to
//! itself, so that nobody else could run the operator.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, Window, WindowFunctionDefinition, when};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Aggregates that are the same without rows whose argument is null.
const LEAVE_OUT_NULLS: [&str; 18] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "var",
    "var_pop",
    "stddev",
    "stddev_pop",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "median",
    "approx_distinct",
    "covar_pop",
    "corr",
];

/// See the module.
#[derive(Debug)]
pub struct WindowFilters;

impl OptimizerRule for WindowFilters {
    fn name(&self) -> &str {
        "window_filters"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Window(window) = plan else {
            return Ok(Transformed::no(plan));
        };
        if !window.window_expr.iter().any(|expr| filtered(expr).is_some()) {
            return Ok(Transformed::no(LogicalPlan::Window(window)));
        }
        let exprs = window.window_expr.iter().map(unfiltered);
        let exprs = exprs.collect::<Result<Vec<Expr>>>()?;
        let window = Window::try_new(exprs, window.input)?;
        Ok(Transformed::yes(LogicalPlan::Window(window)))
    }
}

/// The function that `expr` is, if it has a filter that can be said in another way.
fn filtered(expr: &Expr) -> Option<&WindowFunction> {
    let function = match expr {
        Expr::Alias(alias) => return filtered(&alias.expr),
        Expr::WindowFunction(function) => function,
        _ => return None,
    };
    let WindowFunctionDefinition::AggregateUDF(aggregate) = &function.fun else {
        return None;
    };
    // A constant would leave arguments that are constants too, and several functions alike, of which DataFusion's search
    // for common expressions makes a plan that it cannot run.
    let filter = function.params.filter.as_deref();
    let is_said = filter.is_some_and(|filter| !matches!(filter, Expr::Literal(..)));
    let is_known = LEAVE_OUT_NULLS.contains(&aggregate.name()) && !function.params.args.is_empty();
    (is_said && is_known).then_some(function)
}

/// The same function of an argument that is null where the filter is not true, under the same name.
fn unfiltered(expr: &Expr) -> Result<Expr> {
    let Some(function) = filtered(expr) else {
        return Ok(expr.clone());
    };
    let mut function = function.clone();
    if let Some(filter) = function.params.filter.take() {
        let argument = &mut function.params.args[0];
        *argument = when(*filter, argument.clone()).end()?;
    }
    let function = Expr::WindowFunction(Box::new(function));
    Ok(match expr {
        Expr::Alias(alias) => function.alias_qualified(alias.relation.clone(), alias.name.clone()),
        _ => function.alias(expr.schema_name().to_string()),
    })
}
