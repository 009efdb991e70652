//! Joins that need no pairs, several in one kernel: each row finds at most one row of each table, or whether there is one.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use kernels::Buffer;

use super::super::program::{More, Programs};
use super::super::select::kept_sync;
use super::super::{Gpu, KernelTimes, Result};
use super::Joined;
use super::look::steps;
use crate::batch::{DeviceBatch, DeviceColumn, Repr, RowNumbers, Space, bitmap_bytes};
use crate::pipeline::expr::Expr;
use crate::pipeline::kernels::{Finding, LOOK_UP, look_up};

/// Some joins in a row.
#[derive(Debug)]
pub(super) struct Lookups {
    joins: Vec<Joined>,
    /// By which of the joins have the entries of their keys found before.
    programs: Programs<Vec<bool>>,
}

impl Lookups {
    pub(super) fn new(joins: Vec<Joined>) -> Self {
        Self {
            joins,
            programs: Programs::default(),
        }
    }

    /// The last of them, whose table may have rows left.
    pub(super) fn last(&self) -> Option<&Joined> {
        self.joins.last()
    }

    /// The rows of `batch` that all joins leave. Waits for how many they are.
    pub(super) fn apply_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: &Space,
    ) -> Result<Option<DeviceBatch>> {
        let (rows, width) = (batch.rows, batch.columns.len());
        let mut wide = batch;
        for joined in &self.joins {
            let join = &joined.join;
            if join.adds_columns() && !joined.table.batch().columns.is_empty() {
                let numbers = Arc::new(space.take_sync(rows * 4)?);
                let may_miss = join.join_type == JoinType::Right;
                let numbers = RowNumbers {
                    numbers,
                    may_miss,
                    are_codes: false,
                };
                wide.columns.extend(read_through(joined, &numbers));
            }
            if join.join_type == JoinType::RightMark {
                wide.columns
                    .push(mark_column(space.take_sync(bitmap_bytes(rows))?));
            }
        }
        let leaving = wide.columns.len();
        let found = self
            .joins
            .iter_mut()
            .map(|joined| joined.find_coded_sync(gpu, times, &mut wide, space));
        let found: Vec<Option<Expr>> = found.collect::<Result<_>>()?;
        let joins = &self.joins;
        let key = found.iter().map(Option::is_some).collect();
        let program = self.programs.of(gpu, times, &wide, key, |columns| {
            let looks = joins.iter().zip(&found);
            let looks: Vec<_> = looks
                .map(|(joined, found)| joined.look_by(found.as_ref()))
                .collect();
            look_up(columns, &steps(&looks, width, columns)?)
        })?;
        let headers: Vec<kernels::join::JoinHeader> = joins.iter().map(Joined::header).collect();
        let headers = space.upload_sync(&headers)?;
        let mask = space.take_sync(bitmap_bytes(rows))?;
        let error = space.error_word_sync()?;
        let mut more = vec![More::View(headers.view()), More::View(mask.view())];
        more.extend(
            joins
                .iter()
                .flat_map(|joined| joined.table.uses())
                .map(More::Uses),
        );
        program.run(space, times, &wide, &error, &more)?;
        drop(more);
        error.check_sync(&space.stream, LOOK_UP)?;
        if self
            .last()
            .is_some_and(|joined| joined.look().finding() == Some(Finding::Seen))
        {
            return Ok(None);
        }
        wide.columns.truncate(leaving);
        kept_sync(gpu, wide, mask.slice(0..bitmap_bytes(rows))?, space)
    }
}

/// The columns of a join's table, read through row numbers.
pub(super) fn read_through<'a>(
    joined: &'a Joined,
    numbers: &'a RowNumbers,
) -> impl Iterator<Item = DeviceColumn> + 'a {
    joined.table.batch().columns.iter().map(|column| DeviceColumn {
        through: Some(numbers.clone()),
        ..column.clone()
    })
}

/// A column of booleans without nulls.
pub(super) fn mark_column(bits: Buffer) -> DeviceColumn {
    DeviceColumn {
        data_type: DataType::Boolean,
        repr: Repr::Bool,
        values: Arc::new(bits),
        validity: None,
        owners: Vec::new(),
        through: None,
    }
}
