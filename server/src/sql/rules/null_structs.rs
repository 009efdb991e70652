//! Fields of structures that are null. DataFusion's `get_field` gives what lies in the field, whether the structure is null
//! or not: of a field that cannot be null that is whatever the file's reader left there.
//!
//! In: a plan whose types are settled. Out: the same, in which such a field is asked for only where there is a structure.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, when};
use datafusion::optimizer::AnalyzerRule;

const GET_FIELD: &str = "get_field";

/// See the module.
#[derive(Debug)]
pub struct NullStructs;

impl AnalyzerRule for NullStructs {
    fn name(&self) -> &str {
        "null_structs"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !takes_fields(&plan)? {
            return Ok(plan);
        }
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let schema = merge_schema(&plan.inputs());
            let names = NamePreserver::new(&plan);
            let plan = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| guarded(expr, &schema))?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })?;
            match plan.transformed {
                true => plan.map_data(LogicalPlan::recompute_schema),
                false => Ok(plan),
            }
        });
        rewritten.map(|plan| plan.data)
    }
}

/// Whether an expression of `plan` takes a field of something.
fn takes_fields(plan: &LogicalPlan) -> Result<bool> {
    let mut takes = false;
    plan.apply_with_subqueries(|plan| {
        plan.apply_expressions(|expr| {
            takes |= expr.exists(|expr| Ok(is_get_field(expr)))?;
            Ok(match takes {
                true => TreeNodeRecursion::Stop,
                false => TreeNodeRecursion::Continue,
            })
        })
    })?;
    Ok(takes)
}

fn is_get_field(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(function) if function.func.name() == GET_FIELD)
}

/// `expr`, which is null where a structure is that it takes a field of.
fn guarded(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let above = match &expr {
        Expr::ScalarFunction(function) if is_get_field(&expr) => structures(function, schema),
        _ => Vec::new(),
    };
    let there = above.into_iter().map(Expr::is_not_null).reduce(Expr::and);
    match there {
        Some(there) => Ok(Transformed::yes(when(there, expr).end()?)),
        None => Ok(Transformed::no(expr)),
    }
}

/// The structures on the way to a field that cannot be null, of those that can.
fn structures(function: &ScalarFunction, schema: &DFSchema) -> Vec<Expr> {
    let [base, path @ ..] = &function.args[..] else {
        return Vec::new();
    };
    let (Ok(mut data_type), Ok(mut is_nullable)) = (base.get_type(schema), base.nullable(schema)) else {
        return Vec::new();
    };
    let mut above = Vec::new();
    for (place, name) in path.iter().enumerate() {
        let DataType::Struct(fields) = &data_type else {
            return Vec::new();
        };
        let name = name.as_literal().and_then(|name| name.try_as_str().flatten());
        let Some((_, field)) = name.and_then(|name| fields.find(name)) else {
            return Vec::new();
        };
        if is_nullable {
            above.push(match place {
                0 => base.clone(),
                _ => Expr::ScalarFunction(ScalarFunction {
                    func: function.func.clone(),
                    args: function.args[..=place].to_vec(),
                }),
            });
        }
        is_nullable = field.is_nullable();
        data_type = field.data_type().clone();
    }
    match is_nullable {
        true => Vec::new(),
        false => above,
    }
}
