//! Joins: the rows of one side kept by their keys, and batches of the other side on their way through.

mod build;
mod chain;
mod coded;
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

use super::{Gpu, KernelTimes, Result};
use crate::batch::{DeviceBatch, Space};
use crate::pipeline::expr::Expr;
use crate::pipeline::{JoinSpec, Stage};
use coded::{Coded, found_key};
use look::Look;

/// A join, the filters before it, and its table.
#[derive(Debug)]
struct Joined {
    filters: Vec<Expr>,
    join: JoinSpec,
    table: Arc<Table>,
    coded: Coded,
}

impl Joined {
    fn new(stage: &Stage, table: Arc<Table>) -> Self {
        Self {
            filters: stage.filters.clone(),
            join: stage.join.clone(),
            table,
            coded: Coded::default(),
        }
    }

    fn look(&self) -> Look<'_> {
        self.look_by(None)
    }

    /// The same with the entry of each row found before, by `found`.
    fn look_by<'a>(&'a self, found: Option<&'a Expr>) -> Look<'a> {
        Look {
            filters: &self.filters,
            join: &self.join,
            lookup: self.table.lookup(),
            found,
            unique: self.table.is_unique(),
            width: self.table.batch().columns.len(),
        }
    }

    /// Looks up the keys of the rows of `wide` by the entries of their dictionary, if they are codes: returns the key that stands
    /// for them then, a column that is added to `wide`.
    fn find_coded_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        wide: &mut DeviceBatch,
        space: &Space,
    ) -> Result<Option<Expr>> {
        let (join, table, columns) = (&self.join, &self.table, &wide.columns);
        let found = self
            .coded
            .found_sync(gpu, times, join, table, columns, wide.rows, space)?;
        Ok(found.map(|found| {
            wide.columns.push(found);
            found_key(wide.columns.len() - 1)
        }))
    }

    fn header(&self) -> JoinHeader {
        self.table.header()
    }
}
