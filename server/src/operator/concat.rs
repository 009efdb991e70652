//! Batches put together, and rows of a batch in another order.

use std::sync::Arc;

use kernels::select::Gather;
use kernels::{Reservation, View};

use super::columns::{filled, owners_of, used};
use super::{Gpu, Result};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space, bitmap_bytes};

/// Columns like those of `batch` with room for `rows` rows, their bitmaps zero.
fn room_for(batches: &[DeviceBatch], rows: usize, space: &Space) -> Result<Vec<DeviceColumn>> {
    let Some(first) = batches.first() else {
        return Ok(Vec::new());
    };
    let column = |(at, like): (usize, &DeviceColumn)| {
        let nullable = batches.iter().any(|batch| batch.columns[at].validity.is_some());
        let values = match like.repr {
            Repr::Bool => space.zeros_sync(bitmap_bytes(rows))?,
            repr => space.take_sync(repr.bytes(rows))?,
        };
        Ok(DeviceColumn {
            data_type: like.data_type.clone(),
            repr: like.repr,
            values: Arc::new(values),
            validity: match nullable {
                true => Some(Arc::new(space.zeros_sync(bitmap_bytes(rows))?)),
                false => None,
            },
            owners: owners_of(batches.iter().map(|batch| &batch.columns[at])),
            through: None,
        })
    };
    first.columns.iter().enumerate().map(column).collect()
}

/// What carries the columns of `from` to those of `to`.
fn carried(from: &[DeviceColumn], to: &[DeviceColumn]) -> Vec<Gather> {
    let carry = |(from, to): (&DeviceColumn, &DeviceColumn)| {
        let ([source, source_validity], [target, target_validity]) = (from.addresses(), to.addresses());
        Gather {
            source,
            target,
            source_validity,
            target_validity,
            width: from.repr.width() as u32,
            reserved: 0,
        }
    };
    from.iter().zip(to).map(carry).collect()
}

/// One batch of all rows, in order.
pub(super) fn concat_sync(gpu: &Gpu, mut batches: Vec<DeviceBatch>, space: &Space) -> Result<DeviceBatch> {
    batches.retain(|batch| batch.rows > 0 || batch.columns.is_empty());
    if batches.len() == 1 {
        return Ok(batches.remove(0));
    }
    let rows = batches.iter().map(|batch| batch.rows).sum();
    let whole = DeviceBatch {
        rows,
        columns: room_for(&batches, rows, space)?,
    };
    let mut offset = 0;
    for batch in &batches {
        let table = carried(&batch.columns, &whole.columns);
        let mut uses = used(batch);
        uses.extend(filled(&whole.columns));
        space.room_sync(Reservation::charged_bytes(size_of_val(table.as_slice())))?;
        let (stream, reservation) = (&space.stream, &space.reservation);
        gpu.selector
            .append(stream, reservation, &table, batch.rows, offset, &uses)?;
        offset += batch.rows;
    }
    Ok(whole)
}

/// The rows of `batch` that `numbers` names, 32 bits each.
pub(super) fn gather_sync(
    gpu: &Gpu,
    batch: &DeviceBatch,
    numbers: View<'_>,
    rows: usize,
    space: &Space,
) -> Result<DeviceBatch> {
    let gathered = DeviceBatch {
        rows,
        columns: room_for(std::slice::from_ref(batch), rows, space)?,
    };
    let table = carried(&batch.columns, &gathered.columns);
    let mut uses = used(batch);
    uses.extend(filled(&gathered.columns));
    let error = space.error_word_sync()?;
    space.room_sync(Reservation::charged_bytes(size_of_val(table.as_slice())))?;
    let (stream, reservation) = (&space.stream, &space.reservation);
    let numbers = numbers.slice(0..rows * 4)?;
    gpu.selector.gather(
        stream,
        reservation,
        &table,
        numbers,
        rows,
        batch.rows,
        &uses,
        &error,
    )?;
    error.check_sync(stream, "gather_rows")?;
    Ok(gathered)
}
