//! What operators do with the columns of batches, whatever is in them: room for new ones, and where they lead.

use std::sync::Arc;

use arrow::datatypes::DataType;
use kernels::Buffer;

use super::{Result, unplanned};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space, bitmap_bytes};
use crate::pipeline::expr::{Expr, Node};

/// A column of `rows` rows for a kernel to fill, with any contents.
pub(super) fn new_column_sync(
    data_type: &DataType,
    nullable: bool,
    rows: usize,
    space: &Space,
) -> Result<DeviceColumn> {
    let repr = Repr::of(data_type)
        .ok_or_else(|| unplanned(format!("values of type {data_type} are not held on the GPU")))?;
    Ok(DeviceColumn {
        data_type: data_type.clone(),
        repr,
        values: Arc::new(space.take_sync(repr.bytes(rows))?),
        validity: match nullable {
            true => Some(Arc::new(space.take_sync(bitmap_bytes(rows))?)),
            false => None,
        },
        owners: Vec::new(),
        through: None,
    })
}

/// `WfColumn` of each column, and behind them of each list of row numbers that they are read through.
pub(super) fn addresses(columns: &[DeviceColumn]) -> Vec<[u64; 2]> {
    let lists = lists(columns).into_iter().map(|list| [list.address(), 0]);
    columns.iter().map(DeviceColumn::addresses).chain(lists).collect()
}

/// The lists of row numbers that columns are read through, each once, in the order in which they are met.
pub(super) fn lists(columns: &[DeviceColumn]) -> Vec<&Buffer> {
    let mut lists: Vec<&Buffer> = Vec::new();
    for through in columns.iter().filter_map(|column| column.through.as_ref()) {
        if lists
            .iter()
            .all(|list| list.address() != through.numbers.address())
        {
            lists.push(&through.numbers);
        }
    }
    lists
}

/// Columns of outputs and behind them of keys that are none of these, and the keys over these columns.
pub(super) fn keyed(mut columns: Vec<Expr>, keys: &[Expr]) -> (Vec<Expr>, Vec<Expr>) {
    let over_columns = keys.iter().map(|key| {
        let place = match columns.iter().position(|column| column == key) {
            Some(place) => place,
            None => {
                columns.push(key.clone());
                columns.len() - 1
            }
        };
        Expr {
            node: Node::Column(place, format!("key {place}").into()),
            ..key.clone()
        }
    });
    let over_columns = over_columns.collect();
    (columns, over_columns)
}

/// The memory of the columns' values and validity.
pub(super) fn filled(columns: &[DeviceColumn]) -> impl Iterator<Item = &Buffer> {
    columns
        .iter()
        .flat_map(|column| std::iter::once(&column.values).chain(&column.validity))
        .map(Arc::as_ref)
}

/// Every buffer that a batch's columns lead into.
pub(super) fn used(batch: &DeviceBatch) -> Vec<&Buffer> {
    let owners = batch.columns.iter().flat_map(|column| &column.owners);
    let mut buffers: Vec<&Buffer> = filled(&batch.columns).chain(owners.map(Arc::as_ref)).collect();
    buffers.extend(lists(&batch.columns));
    buffers.sort_by_key(|buffer| buffer.address());
    buffers.dedup_by_key(|buffer| buffer.address());
    buffers
}

/// Where the references of any of these columns lead, each buffer once.
pub(super) fn owners_of<'a>(columns: impl Iterator<Item = &'a DeviceColumn>) -> Vec<Arc<Buffer>> {
    let mut owners: Vec<Arc<Buffer>> = columns.flat_map(|column| column.owners.iter().cloned()).collect();
    owners.sort_by_key(|owner| owner.address());
    owners.dedup_by_key(|owner| owner.address());
    owners
}
