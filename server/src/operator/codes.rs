//! Columns of strings that are read through codes of a dictionary: their entries, and columns that are read alike.
//!
//! In: columns. Out: columns. Launches nothing but a gather.

use std::sync::Arc;

use arrow::datatypes::DataType;
use kernels::Buffer;

use super::concat::gather_sync;
use super::{Gpu, KernelTimes, Result};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space};
use crate::pipeline::expr::ColumnShape;

/// Entries are better looked at than rows where there are this many times as many rows.
const ROWS_PER_ENTRY: usize = 2;

/// Entries that a column's rows are read from.
fn entry_count(column: &DeviceColumn) -> usize {
    column.values.len_bytes() / column.repr.width().max(1)
}

/// Whether `column`, of which `rows` rows are read, holds strings of so few entries that what is done with rows is better
/// done with entries.
pub(super) fn is_coded(column: &DeviceColumn, rows: usize) -> bool {
    let through = column.through.as_ref();
    let are_codes = column.repr == Repr::Str && through.is_some_and(|through| through.are_codes);
    are_codes && entry_count(column) <= rows / ROWS_PER_ENTRY
}

/// The same as far as shapes tell.
pub(super) fn may_be_coded(column: &ColumnShape) -> bool {
    column.repr == Repr::Str && column.through.is_some_and(|through| through.are_codes)
}

/// The entries of `column` as rows of their own.
pub(super) fn entries_of(column: &DeviceColumn) -> DeviceBatch {
    DeviceBatch {
        rows: entry_count(column),
        columns: vec![DeviceColumn {
            through: None,
            ..column.clone()
        }],
    }
}

/// The shape of such rows, of a column that is read through something.
pub(super) fn entries_shape(column: &ColumnShape) -> ColumnShape {
    ColumnShape {
        through: None,
        ..*column
    }
}

/// A column of numbers, one for each entry of `column`, whose rows are read as those of `column` are.
pub(super) fn read_alike(column: &DeviceColumn, numbers: Arc<Buffer>) -> DeviceColumn {
    DeviceColumn {
        data_type: DataType::UInt32,
        repr: Repr::U32,
        values: numbers,
        owners: Vec::new(),
        ..column.clone()
    }
}

/// The shape of such a column.
pub(super) fn read_alike_shape(column: &ColumnShape) -> ColumnShape {
    ColumnShape {
        repr: Repr::U32,
        ..*column
    }
}

/// What was found of the entries of the dictionary met last: joins hand on the rows of one partition in pieces.
#[derive(Debug, Default)]
pub(super) struct OfEntries(Option<(Arc<Buffer>, Arc<Buffer>)>);

impl OfEntries {
    /// Whether something was ever found.
    pub(super) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// What was found, read as `column` is, if its dictionary is the one.
    pub(super) fn of(&self, column: &DeviceColumn) -> Option<DeviceColumn> {
        let (entries, found) = self.0.as_ref()?;
        Arc::ptr_eq(entries, &column.values).then(|| read_alike(column, Arc::clone(found)))
    }

    /// Keeps what was found of the entries of `column`, and returns it read as that is.
    pub(super) fn keep(
        &mut self,
        times: &KernelTimes,
        column: &DeviceColumn,
        found: Arc<Buffer>,
    ) -> DeviceColumn {
        times.entries(entry_count(column));
        self.0 = Some((Arc::clone(&column.values), Arc::clone(&found)));
        read_alike(column, found)
    }
}

/// The value in `values`, of one column, that each of the first `rows` of `numbers` names; null where they are.
pub(super) fn picked_sync(
    gpu: &Gpu,
    values: &DeviceBatch,
    numbers: &DeviceColumn,
    rows: usize,
    space: &Space,
) -> Result<DeviceColumn> {
    let mut picked = gather_sync(gpu, values, numbers.values.view(), rows, space)?;
    Ok(DeviceColumn {
        validity: numbers.validity.clone(),
        ..picked.columns.remove(0)
    })
}
