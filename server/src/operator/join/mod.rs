//! Joins: the rows of one side kept by their keys, and batches of the other side on their way through.

mod build;
mod chain;
mod foreseen;
mod gathered;
mod key_range;
mod key_values;
mod look;
mod lookups;
mod pairs;
mod rest;
mod sides;
mod swapped;
mod table;
mod table_keys;

pub use build::Build;
pub use chain::Joins;
pub use foreseen::{Foretold, foreseen_joins};
pub use gathered::{Gathered, Side, may_swap, settled_sync};
pub use sides::Sides;
pub use table::Table;
pub use table_keys::TableKeys;

use std::sync::Arc;

use kernels::join::JoinHeader;

use crate::pipeline::expr::Expr;
use crate::pipeline::{JoinSpec, Stage};
use look::Look;

/// A join, the filters before it, and its table.
#[derive(Debug)]
struct Joined {
    filters: Vec<Expr>,
    join: JoinSpec,
    table: Arc<Table>,
}

impl Joined {
    fn new(stage: &Stage, table: Arc<Table>) -> Self {
        Self {
            filters: stage.filters.clone(),
            join: stage.join.clone(),
            table,
        }
    }

    fn look(&self) -> Look<'_> {
        Look {
            filters: &self.filters,
            join: &self.join,
            lookup: self.table.lookup(),
            unique: self.table.is_unique(),
            width: self.table.batch().columns.len(),
        }
    }

    fn header(&self) -> JoinHeader {
        self.table.header()
    }
}
