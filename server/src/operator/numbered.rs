//! Expressions of which plain columns of strings that come as codes stand as numbers.
//!
//! In: expressions over rows, and which columns come as codes. Out: expressions over these rows and columns of numbers
//! behind theirs. It does not know where numbers come from.

use arrow::datatypes::DataType;

use super::codes::{may_be_coded, read_alike_shape};
use crate::pipeline::expr::{ColumnShape, Expr, Node};

/// See the module.
#[derive(Debug)]
pub(super) struct Numbered {
    /// All of them: those that are numbers read the columns behind those of the rows.
    pub(super) exprs: Vec<Expr>,
    /// Columns of strings whose numbers stand there, in this order.
    pub(super) strings: Vec<usize>,
    /// The places of the expressions that are numbers.
    pub(super) numbers: Vec<usize>,
    /// Arrow's types of the strings that these stand for.
    pub(super) types: Vec<DataType>,
}

impl Numbered {
    /// `exprs` over rows of `width` columns, of which those that are plain columns and of which `is_coded` says so, by place
    /// and column, stand as numbers.
    pub(super) fn of(exprs: &[Expr], width: usize, is_coded: impl Fn(usize, usize) -> bool) -> Self {
        let mut numbered = Self {
            exprs: exprs.to_vec(),
            strings: Vec::new(),
            numbers: Vec::new(),
            types: Vec::new(),
        };
        for (place, expr) in numbered.exprs.iter_mut().enumerate() {
            let Node::Column(column, name) = &expr.node else {
                continue;
            };
            if !is_coded(place, *column) {
                continue;
            }
            let known = numbered.strings.iter().position(|string| string == column);
            let behind = known.unwrap_or_else(|| {
                numbered.strings.push(*column);
                numbered.strings.len() - 1
            });
            numbered.numbers.push(place);
            numbered.types.push(expr.data_type.clone());
            *expr = Expr {
                data_type: DataType::UInt32,
                nullable: expr.nullable,
                node: Node::Column(width + behind, name.clone()),
            };
        }
        numbered
    }

    /// Whether no expression stands as a number.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The shapes of the rows, and of the columns of numbers behind them.
    pub(super) fn beside(&self, columns: &[ColumnShape]) -> Vec<ColumnShape> {
        let strings = self.strings.iter();
        let beside = strings.map(|&column| read_alike_shape(&columns[column]));
        columns.iter().copied().chain(beside).collect()
    }
}

/// Whether one of `columns` may come as codes, as far as its shape tells.
pub(super) fn coded_in(columns: &[ColumnShape]) -> impl Fn(usize) -> bool {
    |column| columns.get(column).is_some_and(may_be_coded)
}
