//! Expressions: from DataFusion's physical ones to typed ones of our own, and from those to CUDA C++.
//!
//! In: physical expressions over a schema. Out: [`Expr`], which prints itself as SQL, and the statements that compute
//! it for one row, by [`Code`]. Semantics are DataFusion's and arrow's: what they refuse is an error here too, at the
//! same rows. It knows no operators and launches nothing.

mod code;
mod display;
mod function;
mod label;
mod lower;
mod subquery;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;

pub use code::{Code, ColumnShape, Through, Value};
pub use function::Function;
pub use label::Label;
pub use lower::lower;
pub use subquery::{Subquery, SubquerySlot};

use crate::batch::Repr;

/// A typed expression over the columns of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expr {
    /// Arrow's type of its values.
    pub data_type: DataType,
    /// Whether DataFusion thinks that it can be null.
    pub nullable: bool,
    /// What computes it.
    pub node: Node,
}

/// What computes an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Node {
    /// The column at an index of the input.
    Column(usize, Label),
    /// A constant, null or not.
    Literal(ScalarValue),
    /// A value that is known when the query runs.
    Subquery(Subquery),
    /// Two operands of types that DataFusion has made fit.
    Binary(Operator, Arc<Expr>, Arc<Expr>),
    /// The opposite of a boolean.
    Not(Arc<Expr>),
    /// Whether a value is null.
    IsNull(Arc<Expr>),
    /// Whether a value is not null.
    IsNotNull(Arc<Expr>),
    /// A number with its sign changed.
    Negative(Arc<Expr>),
    /// A value of another type. Where it does not fit: null if `safe`, else an error.
    Cast {
        /// The value.
        value: Arc<Expr>,
        /// Whether a value that does not fit is null.
        safe: bool,
    },
    /// The first branch whose condition is true, or whose value equals the base.
    Case {
        /// What the branches' values are compared to.
        base: Option<Arc<Expr>>,
        /// Conditions or values, and results.
        branches: Vec<(Expr, Expr)>,
        /// The result where no branch is taken; null without.
        otherwise: Option<Arc<Expr>>,
    },
    /// Whether a value is in a list.
    InList {
        /// The value.
        value: Arc<Expr>,
        /// The list.
        list: Vec<Expr>,
        /// Whether the opposite is asked.
        negated: bool,
    },
    /// Whether a text is like a pattern.
    Like {
        /// The text.
        value: Arc<Expr>,
        /// The pattern.
        pattern: Arc<Expr>,
        /// Whether the opposite is asked.
        negated: bool,
        /// Whether letters are alike in both cases.
        fold: bool,
    },
    /// A scalar function.
    Call(Function, Vec<Expr>),
}

impl Expr {
    /// The column at `index`, as `field` describes it.
    pub fn column(index: usize, field: &Field) -> Self {
        Self {
            data_type: field.data_type().clone(),
            nullable: field.is_nullable(),
            node: Node::Column(index, field.name().as_str().into()),
        }
    }

    pub(crate) fn repr(&self) -> Result<Repr, String> {
        Repr::of(&self.data_type)
            .ok_or_else(|| format!("values of type {} are not held on the GPU", self.data_type))
    }

    fn children(&self) -> Vec<&Expr> {
        match &self.node {
            Node::Column(..) | Node::Literal(_) | Node::Subquery(_) => Vec::new(),
            Node::Binary(_, left, right) => vec![left, right],
            Node::Not(value)
            | Node::IsNull(value)
            | Node::IsNotNull(value)
            | Node::Negative(value)
            | Node::Cast { value, .. } => vec![value],
            Node::Case {
                base,
                branches,
                otherwise,
            } => {
                let mut all: Vec<&Expr> = base.iter().map(|base| &**base).collect();
                all.extend(branches.iter().flat_map(|(when, then)| [when, then]));
                all.extend(otherwise.iter().map(|otherwise| &**otherwise));
                all
            }
            Node::InList { value, list, .. } => std::iter::once(&**value).chain(list).collect(),
            Node::Like { value, pattern, .. } => vec![value, pattern],
            Node::Call(_, args) => args.iter().collect(),
        }
    }

    /// Indices of the columns that it reads.
    pub fn columns(&self) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        self.collect_columns(&mut found);
        found
    }

    fn collect_columns(&self, found: &mut BTreeSet<usize>) {
        if let Node::Column(index, _) = self.node {
            found.insert(index);
        }
        for child in self.children() {
            child.collect_columns(found);
        }
    }

    /// Whether it reads the value of a subquery, which is not there before that has run.
    pub fn asks_subqueries(&self) -> bool {
        matches!(self.node, Node::Subquery(_)) || self.children().iter().any(|input| input.asks_subqueries())
    }

    /// Whether computing it makes strings that need room: the kernel then takes a heap.
    pub fn makes_strings(&self) -> bool {
        let makes = match &self.node {
            Node::Binary(Operator::StringConcat, ..) => true,
            Node::Cast { value, .. } => {
                Repr::of(&self.data_type) == Some(Repr::Str) && Repr::of(&value.data_type) != Some(Repr::Str)
            }
            Node::Call(function, _) => function.makes_strings(),
            _ => false,
        };
        makes || self.children().iter().any(|child| child.makes_strings())
    }

    /// The same with `inputs[i]` in place of column i: what it is over the input of a projection.
    ///
    /// # Panics
    /// If it reads a column that `inputs` lacks.
    pub fn substitute(&self, inputs: &[Expr]) -> Expr {
        let one = |child: &Arc<Expr>| Arc::new(child.substitute(inputs));
        let all = |children: &[Expr]| children.iter().map(|child| child.substitute(inputs)).collect();
        let node = match &self.node {
            Node::Column(index, _) => return inputs[*index].clone(),
            Node::Literal(value) => Node::Literal(value.clone()),
            Node::Subquery(subquery) => Node::Subquery(subquery.clone()),
            Node::Binary(operator, left, right) => Node::Binary(*operator, one(left), one(right)),
            Node::Not(value) => Node::Not(one(value)),
            Node::IsNull(value) => Node::IsNull(one(value)),
            Node::IsNotNull(value) => Node::IsNotNull(one(value)),
            Node::Negative(value) => Node::Negative(one(value)),
            Node::Cast { value, safe } => Node::Cast {
                value: one(value),
                safe: *safe,
            },
            Node::Case {
                base,
                branches,
                otherwise,
            } => Node::Case {
                base: base.as_ref().map(one),
                branches: branches
                    .iter()
                    .map(|(when, then)| (when.substitute(inputs), then.substitute(inputs)))
                    .collect(),
                otherwise: otherwise.as_ref().map(one),
            },
            Node::InList { value, list, negated } => Node::InList {
                value: one(value),
                list: all(list),
                negated: *negated,
            },
            Node::Like {
                value,
                pattern,
                negated,
                fold,
            } => Node::Like {
                value: one(value),
                pattern: one(pattern),
                negated: *negated,
                fold: *fold,
            },
            Node::Call(function, args) => Node::Call(*function, all(args)),
        };
        Expr {
            data_type: self.data_type.clone(),
            nullable: self.nullable,
            node,
        }
    }
}
