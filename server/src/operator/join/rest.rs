//! What leaves a join when all rows have been seen: rows of the table, by whether any matched them.

use std::sync::Arc;

use datafusion::common::JoinType;

use super::super::columns::new_column_sync;
use super::super::select::kept_sync;
use super::super::{Gpu, Result};
use super::Joined;
use super::lookups::mark_column;
use crate::batch::{DeviceBatch, DeviceColumn, RowNumbers, Space, bitmap_bytes};

impl Joined {
    /// The rows that leave at the end, if any can. They belong to the table's own stream: what it reads there comes after
    /// all that other streams wrote.
    pub(super) fn rest_sync(&self, gpu: &Gpu) -> Result<Option<DeviceBatch>> {
        let (rows, space) = (self.table.rows(), self.table.space());
        if rows == 0 || (self.join.passes_rows() && !self.join.keeps_table()) {
            return Ok(None);
        }
        let bytes = bitmap_bytes(rows);
        let matched = match (self.table.seen(), self.table.entries()) {
            (Some(seen), Some(entries)) => {
                let bits = space.take_sync(bytes)?;
                let entries = entries.slice(0..rows * 4)?;
                gpu.joiner
                    .mark_seen(&space.stream, entries, rows, seen.view(), bits.view())?;
                Some(bits)
            }
            _ => None,
        };
        let Some(matched) = matched.as_ref().or(self.table.matched()) else {
            return Ok(None);
        };
        let mut batch = self.table.batch().clone();
        match self.join.join_type {
            JoinType::LeftSemi => kept_sync(gpu, batch, matched.slice(0..bytes)?, space),
            JoinType::LeftMark => {
                let copy = space.take_sync(bytes)?;
                space
                    .stream
                    .copy(copy.slice(0..bytes)?, matched.slice(0..bytes)?)?;
                batch.columns.push(mark_column(copy));
                Ok(Some(batch))
            }
            _ => {
                let entries = match self.join.null_aware {
                    true => match self.not_in_sync(space)? {
                        NotIn::Nothing => return Ok(None),
                        NotIn::NotNull => self.table.entries(),
                        NotIn::Everything => None,
                    },
                    false => None,
                };
                let left = space.take_sync(bytes)?;
                gpu.joiner.keep_bits(
                    &space.stream,
                    None,
                    matched.view(),
                    true,
                    entries.map(|entries| entries.slice(0..rows * 4)).transpose()?,
                    rows,
                    left.view(),
                )?;
                let Some(kept) = kept_sync(gpu, batch, left.slice(0..bytes)?, space)? else {
                    return Ok(None);
                };
                match self.join.keeps_table() {
                    true => self.with_nulls_sync(kept, space).map(Some),
                    false => Ok(Some(kept)),
                }
            }
        }
    }

    /// Rows of the table behind columns of nulls.
    fn with_nulls_sync(&self, kept: DeviceBatch, space: &Space) -> Result<DeviceBatch> {
        let numbers = Arc::new(space.take_sync(kept.rows * 4)?);
        space.stream.fill(numbers.view(), 0xff)?;
        let missed = RowNumbers {
            numbers,
            may_miss: true,
            are_codes: false,
        };
        let column = |field: &Arc<arrow::datatypes::Field>| -> Result<DeviceColumn> {
            Ok(DeviceColumn {
                through: Some(missed.clone()),
                ..new_column_sync(field.data_type(), false, 0, space)?
            })
        };
        let mut columns = self
            .join
            .input
            .fields()
            .iter()
            .map(column)
            .collect::<Result<Vec<_>>>()?;
        columns.extend(kept.columns);
        Ok(DeviceBatch {
            rows: kept.rows,
            columns,
        })
    }

    /// Which rows that nothing matched are not in a list that may hold nulls.
    fn not_in_sync(&self, space: &Space) -> Result<NotIn> {
        let Some(seen) = self.table.seen() else {
            return Ok(NotIn::NotNull);
        };
        let at = self.table.entry_count();
        let flags: Vec<u8> = space.stream.read_sync(seen.slice(at..at + 2)?)?;
        Ok(match flags[..] {
            [1, _] => NotIn::Nothing,
            [_, 1] => NotIn::NotNull,
            _ => NotIn::Everything,
        })
    }
}

enum NotIn {
    /// The list has a null: nothing is surely not in it.
    Nothing,
    /// Rows whose own key is not null.
    NotNull,
    /// The list is empty.
    Everything,
}
