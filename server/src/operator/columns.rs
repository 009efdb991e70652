//! What operators do with the columns of batches, whatever is in them: room for new ones, and where they lead.

use std::sync::Arc;

use arrow::datatypes::DataType;
use kernels::Buffer;

use super::{Result, unplanned};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space, bitmap_bytes};

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
    })
}

/// `WfColumn` of each column.
pub(super) fn addresses(columns: &[DeviceColumn]) -> Vec<[u64; 2]> {
    columns.iter().map(DeviceColumn::addresses).collect()
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
