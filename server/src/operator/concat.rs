//! Batches put together, and rows of a batch in another order.

use std::sync::Arc;

use kernels::select::{Append, Gather};
use kernels::{Buffer, ErrorWord, View};

use super::program::used;
use super::{Failure, Gpu, Result};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space, bitmap_bytes};

/// Columns like those of `batch` with room for `rows` rows, their bitmaps zero.
fn room_for(batches: &[DeviceBatch], rows: usize, space: &Space) -> Result<Vec<DeviceColumn>> {
    let Some(first) = batches.first() else {
        return Ok(Vec::new());
    };
    let column = |(at, like): (usize, &DeviceColumn)| {
        let nullable = batches.iter().any(|batch| batch.columns[at].validity.is_some());
        let mut owners: Vec<Arc<Buffer>> = Vec::new();
        for batch in batches {
            owners.extend(batch.columns[at].owners.iter().cloned());
        }
        owners.sort_by_key(|owner| owner.address());
        owners.dedup_by_key(|owner| owner.address());
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
            owners,
        })
    };
    first.columns.iter().enumerate().map(column).collect()
}

fn address(bitmap: Option<&Arc<Buffer>>) -> u64 {
    bitmap.map_or(0, |bitmap| bitmap.address())
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
        let table: Vec<Append> = batch
            .columns
            .iter()
            .zip(&whole.columns)
            .map(|(from, to)| Append {
                source: from.values.address(),
                target: to.values.address(),
                source_validity: address(from.validity.as_ref()),
                target_validity: address(to.validity.as_ref()),
                width: from.repr.width() as u32,
                reserved: 0,
            })
            .collect();
        let mut uses = used(batch);
        uses.extend(whole.columns.iter().map(|column| column.values.as_ref()));
        uses.extend(
            whole
                .columns
                .iter()
                .filter_map(|column| column.validity.as_deref()),
        );
        space.room_sync(size_of_val(table.as_slice()) + 256)?;
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
    let table: Vec<Gather> = batch
        .columns
        .iter()
        .zip(&gathered.columns)
        .map(|(from, to)| Gather {
            source: from.values.address(),
            target: to.values.address(),
            source_validity: address(from.validity.as_ref()),
            target_validity: address(to.validity.as_ref()),
            width: from.repr.width() as u32,
            reserved: 0,
        })
        .collect();
    let mut uses = used(batch);
    uses.extend(gathered.columns.iter().map(|column| column.values.as_ref()));
    uses.extend(
        gathered
            .columns
            .iter()
            .filter_map(|column| column.validity.as_deref()),
    );
    space.room_sync(size_of_val(table.as_slice()) + 256 + ErrorWord::RESERVED_BYTES)?;
    let (stream, reservation) = (&space.stream, &space.reservation);
    let error = ErrorWord::new(stream, reservation)?;
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
    match error.read_sync(stream)? {
        Some(raised) => Err(Failure::of_raised(raised)),
        None => Ok(gathered),
    }
}
