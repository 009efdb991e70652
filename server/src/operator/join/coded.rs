//! Joins by a string that rows are read through codes of: the entries of the dictionary are looked up, once each, and rows
//! take what was found of theirs.
//!
//! In: a batch, a join's table. Out: the entry of the table for each entry of the dictionary, as a column that is read
//! through the same codes. It does not know what is done with it.

use std::sync::Arc;

use super::super::codes::{OfEntries, entries_of, entries_shape, is_coded, may_be_coded, read_alike_shape};
use super::super::program::{More, Programs};
use super::super::{Gpu, KernelTimes, Result};
use super::{JoinSpec, Table};
use crate::batch::{DeviceColumn, Repr, Space};
use crate::pipeline::expr::{ColumnShape, Expr, Node};
use crate::pipeline::kernels::{FIND_ENTRIES, Generated, Lookup, Probe, find_entries};
use arrow::datatypes::DataType;

/// A batch after others that were looked up by entries counts as one of so many rows at least.
const ROWS_LATER: usize = 1 << 17;

/// How one join finds the entries of its keys by those of a dictionary.
#[derive(Debug, Default)]
pub(super) struct Coded {
    finders: Programs<()>,
    last: OfEntries,
}

/// The column that is the only key of `join`, where it is a string whose equals are found as groups.
pub(super) fn string_key(join: &JoinSpec, lookup: &Lookup) -> Option<usize> {
    match (&join.keys[..], lookup) {
        ([key], Lookup::Groups(_)) if !join.null_keys && Repr::of(&key.data_type) == Some(Repr::Str) => {
            match key.node {
                Node::Column(column, _) => Some(column),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The key that stands for `join`'s where column `place` has what was found.
pub(super) fn found_key(place: usize) -> Expr {
    Expr {
        data_type: DataType::UInt32,
        nullable: true,
        node: Node::Column(place, "entry".into()),
    }
}

/// What finds the entries of a dictionary in a table, its only column being the dictionary.
fn finder(columns: &[ColumnShape], join: &JoinSpec, lookup: &Lookup) -> Result<Generated, String> {
    let keys = join.keys.iter().map(|key| Expr {
        node: Node::Column(0, "entry".into()),
        ..key.clone()
    });
    let keys: Vec<Expr> = keys.collect();
    let probe = Probe {
        filters: &[],
        keys: &keys,
        lookup,
        unique: true,
        null_keys: false,
    };
    find_entries(columns, &probe)
}

/// What is foreseen of a join over columns of these shapes: the kernel that looks up entries, and the shape of what it finds.
pub(super) fn foreseen_coded(
    join: &JoinSpec,
    lookup: &Lookup,
    columns: &[ColumnShape],
) -> Option<(Result<Generated, String>, ColumnShape)> {
    let key = columns
        .get(string_key(join, lookup)?)
        .filter(|key| may_be_coded(key))?;
    let generated = finder(&[entries_shape(key)], join, lookup);
    Some((generated, read_alike_shape(key)))
}

impl Coded {
    /// The entry in `table` of the key of each of the `rows` rows of `columns`, read through the key's own codes; `None` where
    /// rows look for themselves.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn found_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        join: &JoinSpec,
        table: &Table,
        columns: &[DeviceColumn],
        rows: usize,
        space: &Space,
    ) -> Result<Option<DeviceColumn>> {
        let key = string_key(join, table.lookup()).and_then(|key| columns.get(key));
        // Once there is a kernel for that, smaller batches do the same.
        let fewest = if self.last.is_known() { ROWS_LATER } else { 0 };
        let Some(key) = key.filter(|key| is_coded(key, rows.max(fewest))) else {
            return Ok(None);
        };
        if let Some(found) = self.last.of(key) {
            return Ok(Some(found));
        }
        let entries = entries_of(key);
        let found = Arc::new(space.take_sync(entries.rows * 4)?);
        if entries.rows > 0 {
            let program = self.finders.of(gpu, times, &entries, (), |columns| {
                finder(columns, join, table.lookup())
            })?;
            let headers = space.upload_sync(&[table.header()])?;
            let error = space.error_word_sync()?;
            let mut more = vec![More::View(headers.view()), More::View(found.view())];
            more.extend(table.uses().into_iter().map(More::Uses));
            program.run(space, times, &entries, &error, &more)?;
            drop(more);
            error.check_sync(&space.stream, FIND_ENTRIES)?;
        }
        Ok(Some(self.last.keep(times, key, found)))
    }
}
