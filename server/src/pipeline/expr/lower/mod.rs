//! From DataFusion's physical expressions to ours. In: an expression and the schema that it reads. Out: the same as
//! [`Expr`], or the reason in words why the GPU cannot run it.

mod call;

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal,
    NegativeExpr, NotExpr, TryCastExpr,
};

use super::{Code, ColumnShape, Expr, Node, Subquery};
use crate::batch::Repr;

/// `expr` over `input` as an expression that the GPU can run.
///
/// # Errors
/// The reason in words why it cannot.
pub fn lower(expr: &Arc<dyn PhysicalExpr>, input: &Schema) -> Result<Expr, String> {
    let lowered = node(expr, input)?;
    // What no code can be written for is found by writing it.
    let mut shapes: Vec<ColumnShape> = Vec::with_capacity(input.fields().len());
    let read = lowered.columns();
    for (index, field) in input.fields().iter().enumerate() {
        let repr = match Repr::of(field.data_type()) {
            Some(repr) => repr,
            None if !read.contains(&index) => Repr::Bool,
            None => {
                return Err(format!(
                    "column {} of type {} is not held on the GPU",
                    field.name(),
                    field.data_type()
                ));
            }
        };
        shapes.push(ColumnShape {
            repr,
            nullable: true,
            through: None,
        });
    }
    Code::new(shapes).value(&lowered)?;
    Ok(lowered)
}

fn node(expr: &Arc<dyn PhysicalExpr>, input: &Schema) -> Result<Expr, String> {
    let child = |expr: &Arc<dyn PhysicalExpr>| node(expr, input).map(Arc::new);
    let plain: &dyn PhysicalExpr = &**expr;
    let mut node = if let Some(column) = plain.downcast_ref::<Column>() {
        return match input.fields().get(column.index()) {
            Some(field) => Ok(Expr::column(column.index(), field)),
            None => Err(format!(
                "column {} has index {} of {}",
                column.name(),
                column.index(),
                input.fields().len()
            )),
        };
    } else if let Some(literal) = plain.downcast_ref::<Literal>() {
        Node::Literal(literal.value().clone())
    } else if let Some(subquery) = Subquery::of(expr) {
        Node::Subquery(subquery)
    } else if let Some(binary) = plain.downcast_ref::<BinaryExpr>() {
        binary_node(binary, input)?
    } else if let Some(not) = plain.downcast_ref::<NotExpr>() {
        Node::Not(child(not.arg())?)
    } else if let Some(test) = plain.downcast_ref::<IsNullExpr>() {
        Node::IsNull(child(test.arg())?)
    } else if let Some(test) = plain.downcast_ref::<IsNotNullExpr>() {
        Node::IsNotNull(child(test.arg())?)
    } else if let Some(negative) = plain.downcast_ref::<NegativeExpr>() {
        Node::Negative(child(negative.arg())?)
    } else if let Some(cast) = plain.downcast_ref::<CastExpr>() {
        Node::Cast {
            value: child(cast.expr())?,
            safe: cast.cast_options().safe,
        }
    } else if let Some(cast) = plain.downcast_ref::<TryCastExpr>() {
        Node::Cast {
            value: child(cast.expr())?,
            safe: true,
        }
    } else if let Some(case) = plain.downcast_ref::<CaseExpr>() {
        case_node(case, expr, input)?
    } else if let Some(list) = plain.downcast_ref::<InListExpr>() {
        let items: Result<Vec<Expr>, String> = list.list().iter().map(|item| node(item, input)).collect();
        Node::InList {
            value: child(list.expr())?,
            list: items?,
            negated: list.negated(),
        }
    } else if let Some(like) = plain.downcast_ref::<LikeExpr>() {
        Node::Like {
            value: child(like.expr())?,
            pattern: child(like.pattern())?,
            negated: like.negated(),
            fold: like.case_insensitive(),
        }
    } else if let Some(call) = plain.downcast_ref::<ScalarFunctionExpr>() {
        let args: Result<Vec<Expr>, String> = call.args().iter().map(|arg| node(arg, input)).collect();
        call::call_node(call, args?)?
    } else {
        return Err(format!("expression {expr} is not run on the GPU"));
    };
    // What planning left to be computed of constants.
    if let Node::Cast { value, .. } = &node
        && matches!(value.node, Node::Literal(_))
    {
        let constant = expr.evaluate(&RecordBatch::new_empty(Arc::new(input.clone())));
        if let Ok(ColumnarValue::Scalar(constant)) = constant {
            node = Node::Literal(constant);
        }
    }
    let failed = |error| format!("expression {expr} has no type: {error}");
    Ok(Expr {
        data_type: expr.data_type(input).map_err(failed)?,
        nullable: expr.nullable(input).map_err(failed)?,
        node,
    })
}

fn binary_node(binary: &BinaryExpr, input: &Schema) -> Result<Node, String> {
    let (left, right) = (node(binary.left(), input)?, node(binary.right(), input)?);
    // The only way to ask: DataFusion's own planner never makes such an expression.
    let failing = BinaryExpr::new(
        Arc::clone(binary.left()),
        *binary.op(),
        Arc::clone(binary.right()),
    )
    .with_fail_on_overflow(true);
    if *binary == failing {
        return Err(format!(
            "operator {} with checked overflow is not run on the GPU",
            binary.op()
        ));
    }
    Ok(match binary.op() {
        Operator::LikeMatch | Operator::NotLikeMatch | Operator::ILikeMatch | Operator::NotILikeMatch => {
            Node::Like {
                value: Arc::new(left),
                pattern: Arc::new(right),
                negated: matches!(binary.op(), Operator::NotLikeMatch | Operator::NotILikeMatch),
                fold: matches!(binary.op(), Operator::ILikeMatch | Operator::NotILikeMatch),
            }
        }
        operator => Node::Binary(*operator, Arc::new(left), Arc::new(right)),
    })
}

fn case_node(case: &CaseExpr, expr: &Arc<dyn PhysicalExpr>, input: &Schema) -> Result<Node, String> {
    let result: DataType = expr
        .data_type(input)
        .map_err(|error| format!("expression {expr} has no type: {error}"))?;
    let mut branches = Vec::with_capacity(case.when_then_expr().len());
    for (when, then) in case.when_then_expr() {
        let then = node(then, input)?;
        // Planners give all branches one type; arrow's merge fails where they did not.
        if then.data_type != result {
            return Err(format!(
                "CASE of type {result} with a branch of type {} is not run on the GPU",
                then.data_type
            ));
        }
        branches.push((node(when, input)?, then));
    }
    let otherwise = match case.else_expr() {
        None => None,
        Some(otherwise) => {
            let value = node(otherwise, input)?;
            Some(Arc::new(match &value.data_type {
                same if *same == result => value,
                DataType::Null => Expr {
                    data_type: result,
                    nullable: true,
                    node: Node::Cast {
                        value: Arc::new(value),
                        safe: true,
                    },
                },
                // DataFusion 55.2 casts it or not, by how it runs the CASE.
                other => {
                    return Err(format!(
                        "CASE of type {result} with ELSE of type {other} is not run on the GPU"
                    ));
                }
            }))
        }
    };
    let base = case
        .expr()
        .map(|base| node(base, input).map(Arc::new))
        .transpose()?;
    Ok(Node::Case {
        base,
        branches,
        otherwise,
    })
}
