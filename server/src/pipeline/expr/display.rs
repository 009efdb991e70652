//! How expressions print themselves: as SQL would write them, with the names of columns.

use std::fmt;

use arrow::datatypes::DataType;

use super::{Expr, Node};
use crate::batch::Repr;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Column(_, name) => write!(f, "{name}"),
            Node::Subquery(_) => write!(f, "(subquery)"),
            Node::Literal(value) if value.is_null() => write!(f, "NULL"),
            Node::Literal(value) if Repr::of(&self.data_type) == Some(Repr::Str) => {
                write!(f, "'{}'", value.to_string().replace('\'', "''"))
            }
            Node::Literal(value) if matches!(self.data_type, DataType::Date32 | DataType::Date64) => {
                write!(f, "DATE '{value}'")
            }
            Node::Literal(value) => write!(f, "{value}"),
            Node::Binary(operator, left, right) => {
                write!(f, "{} {operator} {}", Operand(left), Operand(right))
            }
            Node::Not(value) => write!(f, "NOT {}", Operand(value)),
            Node::IsNull(value) => write!(f, "{} IS NULL", Operand(value)),
            Node::IsNotNull(value) => write!(f, "{} IS NOT NULL", Operand(value)),
            Node::Negative(value) => write!(f, "-{}", Operand(value)),
            Node::Cast { value, safe } => {
                let name = if *safe { "TRY_CAST" } else { "CAST" };
                write!(f, "{name}({value} AS {})", self.data_type)
            }
            Node::Case {
                base,
                branches,
                otherwise,
            } => {
                write!(f, "CASE")?;
                if let Some(base) = base {
                    write!(f, " {base}")?;
                }
                for (when, then) in branches {
                    write!(f, " WHEN {when} THEN {then}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {otherwise}")?;
                }
                write!(f, " END")
            }
            Node::InList { value, list, negated } => {
                let not = if *negated { "NOT " } else { "" };
                write!(f, "{} {not}IN ({})", Operand(value), List(list))
            }
            Node::Like {
                value,
                pattern,
                negated,
                fold,
            } => {
                let not = if *negated { "NOT " } else { "" };
                let like = if *fold { "ILIKE" } else { "LIKE" };
                write!(f, "{} {not}{like} {}", Operand(value), Operand(pattern))
            }
            Node::Call(function, args) => write!(f, "{}({})", function.name(), List(args)),
        }
    }
}

/// An expression inside another, in parentheses where it has an operator of its own.
struct Operand<'a>(&'a Expr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.node {
            Node::Column(..) | Node::Literal(_) | Node::Cast { .. } | Node::Case { .. } | Node::Call(..) => {
                write!(f, "{}", self.0)
            }
            _ => write!(f, "({})", self.0),
        }
    }
}

struct List<'a>(&'a [Expr]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{item}")?;
        }
        Ok(())
    }
}
