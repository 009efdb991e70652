//! Columns of strings that are read through codes of a dictionary: their entries, and columns that are read alike.
//!
//! In: columns. Out: columns. Launches nothing but a gather.

use std::sync::Arc;

use arrow::datatypes::DataType;
use kernels::select::Gather;
use kernels::{Buffer, ErrorWord, Reservation};

use super::columns::new_column_sync;
use super::{Gpu, Result};
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

/// A column of type `data_type` of the value in `source`, which has `count`, that each of the first `rows` of `numbers` names;
/// null where they are.
#[allow(clippy::too_many_arguments)]
pub(super) fn picked_sync(
    gpu: &Gpu,
    source: &Buffer,
    count: usize,
    numbers: &DeviceColumn,
    rows: usize,
    data_type: &DataType,
    error: &ErrorWord,
    space: &Space,
) -> Result<DeviceColumn> {
    let picked = DeviceColumn {
        validity: numbers.validity.clone(),
        ..new_column_sync(data_type, false, rows, space)?
    };
    let gather = [Gather {
        source: source.address(),
        target: picked.values.address(),
        source_validity: 0,
        target_validity: 0,
        width: picked.repr.width() as u32,
        reserved: 0,
    }];
    space.room_sync(Reservation::charged_bytes(size_of_val(&gather)))?;
    gpu.selector.gather(
        &space.stream,
        &space.reservation,
        &gather,
        numbers.values.slice(0..rows * 4)?,
        rows,
        count,
        &[source, &picked.values],
        error,
    )?;
    Ok(picked)
}
