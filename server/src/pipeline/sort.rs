//! The order of rows: keys over a pipeline's outputs.

use std::fmt;

use super::expr::Expr;
use super::graph::list;

/// One key of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    /// Over the columns of the pipeline's source.
    pub expr: Expr,
    /// Largest first.
    pub descending: bool,
    /// Nulls before all values.
    pub nulls_first: bool,
}

/// Rows in order of `keys`, ties in the order in which they came; the first `fetch` of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SortSpec {
    /// The first one decides first.
    pub keys: Vec<SortKey>,
    /// Rows handed on at most.
    pub fetch: Option<usize>,
}

impl fmt::Display for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { "desc" } else { "asc" };
        let nulls = if self.nulls_first { "first" } else { "last" };
        write!(f, "{} {direction} nulls {nulls}", self.expr)
    }
}

impl fmt::Display for SortSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fetch {
            Some(fetch) => write!(f, "top {fetch} by [{}]", list(&self.keys)),
            None => write!(f, "sort by [{}]", list(&self.keys)),
        }
    }
}
