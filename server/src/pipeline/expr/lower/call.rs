//! Scalar functions by name.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::physical_expr::ScalarFunctionExpr;

use crate::pipeline::expr::{Expr, Function, Node};

/// What a call of a function is.
pub(super) fn call_node(call: &ScalarFunctionExpr, args: Vec<Expr>) -> Result<Node, String> {
    let name = call.fun().name();
    if matches!(name, "coalesce" | "nvl") {
        return coalesce(args);
    }
    if let ("arrow_typeof", [value]) = (name, &args[..]) {
        let name = value.data_type.to_string();
        return Ok(Node::Literal(ScalarValue::Utf8(Some(name))));
    }
    match Function::of(name) {
        Some(function) => Ok(Node::Call(function, args)),
        None => Err(format!("function {name} is not run on the GPU")),
    }
}

/// As DataFusion's own optimizer writes it.
fn coalesce(mut args: Vec<Expr>) -> Result<Node, String> {
    let last = args
        .pop()
        .ok_or_else(|| "coalesce without arguments".to_owned())?;
    if args.iter().any(|arg| arg.data_type != last.data_type) {
        return Err("coalesce over several types is not run on the GPU".to_owned());
    }
    let branches = args
        .into_iter()
        .map(|arg| {
            let when = Expr {
                data_type: arrow::datatypes::DataType::Boolean,
                nullable: false,
                node: Node::IsNotNull(Arc::new(arg.clone())),
            };
            (when, arg)
        })
        .collect();
    Ok(Node::Case {
        base: None,
        branches,
        otherwise: Some(Arc::new(last)),
    })
}
