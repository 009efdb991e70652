//! Rows of a batch that a mask keeps, by their numbers: no value is moved, columns are read through the numbers.

use std::collections::HashMap;
use std::sync::Arc;

use kernels::select::Gather;
use kernels::{Buffer, Reservation, View};

use super::{Gpu, Result};
use crate::batch::{DeviceBatch, RowNumbers, Space};

/// Rows that were kept; their numbers, unless all or none were.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) rows: usize,
    pub(super) numbers: Option<Buffer>,
}

/// The rows that `mask` keeps; waits for how many they are.
pub(super) fn select_sync(gpu: &Gpu, mask: View<'_>, rows: usize, space: &Space) -> Result<Selection> {
    space.room_sync(kernels::select::Selector::count_bytes(rows))?;
    let (stream, reservation) = (&space.stream, &space.reservation);
    let counted = gpu.selector.count(stream, reservation, mask, None, rows)?;
    let kept = counted.total_sync(stream)? as usize;
    let mut selection = Selection {
        rows: kept,
        numbers: None,
    };
    if kept > 0 && kept < rows {
        let numbers = space.take_sync(kept * 4)?;
        let room = numbers.slice(0..kept * 4)?;
        gpu.selector.write(stream, mask, None, rows, &counted, room)?;
        selection.numbers = Some(numbers);
    }
    Ok(selection)
}

/// The rows of `batch` that `mask` keeps; `None` if there are none. Waits for how many they are.
pub(super) fn kept_sync(
    gpu: &Gpu,
    batch: DeviceBatch,
    mask: View<'_>,
    space: &Space,
) -> Result<Option<DeviceBatch>> {
    let selection = select_sync(gpu, mask, batch.rows, space)?;
    match (selection.rows, selection.numbers) {
        (0, _) => Ok(None),
        (_, None) => Ok(Some(batch)),
        (rows, Some(numbers)) => through_sync(gpu, &batch, Arc::new(numbers), rows, space).map(Some),
    }
}

/// The rows of `batch` that `numbers` names, 32 bits each, in their order.
pub(super) fn through_sync(
    gpu: &Gpu,
    batch: &DeviceBatch,
    numbers: Arc<Buffer>,
    rows: usize,
    space: &Space,
) -> Result<DeviceBatch> {
    let mut composed: HashMap<u64, Arc<Buffer>> = HashMap::new();
    let mut table = Vec::new();
    let lists = batch.columns.iter().filter_map(|column| column.through.as_ref());
    for list in lists {
        if let std::collections::hash_map::Entry::Vacant(place) = composed.entry(list.numbers.address()) {
            let target = Arc::new(space.take_sync(rows * 4)?);
            table.push(Gather {
                source: list.numbers.address(),
                target: target.address(),
                source_validity: 0,
                target_validity: 0,
                width: 4,
                reserved: 0,
            });
            place.insert(target);
        }
    }
    if !table.is_empty() {
        let error = space.error_word_sync()?;
        space.room_sync(Reservation::charged_bytes(size_of_val(table.as_slice())))?;
        let sources = batch.columns.iter().filter_map(|column| column.through.as_ref());
        let uses: Vec<&Buffer> = sources
            .map(|list| &*list.numbers)
            .chain(composed.values().map(Arc::as_ref))
            .collect();
        let (stream, reservation) = (&space.stream, &space.reservation);
        gpu.selector.gather(
            stream,
            reservation,
            &table,
            numbers.slice(0..rows * 4)?,
            rows,
            batch.rows,
            &uses,
            &error,
        )?;
    }
    let columns = batch.columns.iter().map(|column| {
        let mut column = column.clone();
        column.through = Some(match &column.through {
            None => RowNumbers {
                numbers: Arc::clone(&numbers),
                may_miss: false,
                are_codes: false,
            },
            Some(list) => RowNumbers {
                numbers: Arc::clone(&composed[&list.numbers.address()]),
                may_miss: list.may_miss,
                are_codes: list.are_codes,
            },
        });
        column
    });
    Ok(DeviceBatch {
        rows,
        columns: columns.collect(),
    })
}
