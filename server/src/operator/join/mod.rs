//! Joins: the rows of one side kept by their keys, and batches of the other side on their way through.

mod chain;
mod lookups;
mod pairs;
mod rest;
mod table;

pub use chain::Joins;
pub use table::{Build, Table};

use kernels::join::JoinHeader;

use crate::pipeline::expr::Expr;
use crate::pipeline::kernels::Probe;
use crate::pipeline::{JoinSpec, Stage};

/// A join, the filters before it, and its table.
#[derive(Debug)]
struct Joined {
    filters: Vec<Expr>,
    join: JoinSpec,
    table: Table,
}

impl Joined {
    fn new(stage: &Stage, table: Table) -> Self {
        Self {
            filters: stage.filters.clone(),
            join: stage.join.clone(),
            table,
        }
    }

    fn probe(&self) -> Probe<'_> {
        Probe {
            filters: &self.filters,
            keys: &self.join.keys,
            lookup: self.table.lookup(),
            unique: self.table.is_unique(),
            null_keys: self.join.null_keys,
        }
    }

    fn header(&self) -> JoinHeader {
        self.table.header()
    }
}
