//! The rows of a join's left side on their way into its table, and the entries of their keys.
//!
//! In: batches of a pipeline. Out: the table of all of them, or the batches themselves. It does not know what is looked up.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use kernels::group::{GroupShape, GroupTable};

use super::super::columns::keyed;
use super::super::kept::Kept;
use super::super::program::{More, Program, shapes};
use super::super::{Failure, Force, Gpu, KernelTimes, Result, Rows, unplanned};
use super::Table;
use super::key_range::{KeyRange, key_range_sync};
use super::key_values::{KeyValues, ROWS_MAX, key_values_sync};
use super::table::Entries;
use crate::batch::{DeviceBatch, Repr, Space};
use crate::pipeline::BuildSpec;
use crate::pipeline::expr::{ColumnShape, Expr, Node};
use crate::pipeline::kernels::{
    DENSE_ENTRIES, FIND_GROUPS, Generated, KeyLayout, Lookup, dense_entries, find_groups, key_layout,
    key_range, may_be_dense,
};

/// Dense keys may leave this many times as many entries free as there are rows.
const DENSE_TIMES: u64 = 64;
/// Entries that are always few enough: what they take lies in the cache of second level.
const DENSE_MIN: u64 = 1 << 22;
/// Keys that a table has room for at first where it is made to grow.
const KEYS_FORCED: usize = 4;
/// Of the device's memory, what entries of dense keys may take at most: a part of so many.
const DENSE_SHARE: u64 = 8;

/// The rows of a join's left side on their way into its table.
#[derive(Debug)]
pub struct Build {
    rows: Rows,
    spec: BuildSpec,
    /// Over the columns that `rows` computes.
    keys: Vec<Expr>,
    /// Columns that leave; keys that are none of them stand behind.
    width: usize,
    kept: Kept,
    force: Force,
}

/// Keys that are found as groups are.
struct Grouping {
    keys: Vec<Expr>,
    filters: Vec<Expr>,
    layout: KeyLayout,
}

impl Grouping {
    /// What finds the groups of rows.
    fn find(&self, columns: &[ColumnShape]) -> Result<Generated, String> {
        find_groups(columns, &self.filters, &self.keys, &self.layout)
    }
}

impl Build {
    /// A table of what `rows` would compute as `outputs`. Keys are over the source's columns.
    pub fn new(filters: Vec<Expr>, outputs: Vec<Expr>, spec: BuildSpec, force: Force) -> Self {
        let width = outputs.len();
        let (columns, keys) = keyed(outputs, &spec.keys);
        Self {
            rows: Rows::new(filters, columns),
            spec,
            keys,
            width,
            kept: Kept::default(),
            force,
        }
    }

    /// What computes the columns that are kept.
    pub(in crate::operator) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The kernels that a table of such columns needs, as far as can be told before there are rows.
    pub(in crate::operator) fn foreseen(&self, kept: &[ColumnShape]) -> Vec<Result<Generated, String>> {
        match (self.dense_key(), &self.keys[..]) {
            (Some(key), _) => vec![key_range(kept, key), dense_entries(kept, key)],
            (None, []) => Vec::new(),
            (None, _) => vec![self.find_groups(kept)],
        }
    }

    /// The kernel that finds its keys as groups.
    pub(in crate::operator) fn find_groups(&self, kept: &[ColumnShape]) -> Result<Generated, String> {
        self.grouping()?.find(kept)
    }

    /// Takes the rows of `batch`, which `space` holds.
    pub fn add_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: Space,
    ) -> Result<()> {
        let batch = self.rows.apply_sync(gpu, times, batch, &space)?;
        self.kept.push(batch, space);
        Ok(())
    }

    /// How many rows it has.
    pub fn rows_kept(&self) -> usize {
        self.kept.rows()
    }

    /// The rows that it has.
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The same, each batch with the space that holds it, for whoever wants no table of them.
    pub(super) fn take_batches(&mut self) -> Vec<(DeviceBatch, Space)> {
        self.kept.take_batches()
    }

    /// The keys, over the columns that are kept.
    pub(super) fn keys(&self) -> &[Expr] {
        &self.keys
    }

    /// The columns that are kept, those of the table first.
    pub(super) fn columns(&self) -> SchemaRef {
        let field = |output: &Expr| Field::new("", output.data_type.clone(), output.nullable);
        let fields: Vec<Field> = self.rows.outputs.iter().map(field).collect();
        Arc::new(Schema::new(fields))
    }

    /// The values of the keys `asked` for in the rows that it has, where they can be found.
    pub fn key_values_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        asked: &[usize],
        space: &Space,
    ) -> Result<Vec<(usize, KeyValues)>> {
        let batches: Vec<&DeviceBatch> = self.kept.batches().collect();
        self.values_sync(gpu, times, &batches, asked, space)
    }

    /// Those in `batches`.
    fn values_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        batches: &[&DeviceBatch],
        asked: &[usize],
        space: &Space,
    ) -> Result<Vec<(usize, KeyValues)>> {
        let rows_max = match self.force {
            Force::SmallTables => KEYS_FORCED,
            _ => ROWS_MAX,
        };
        let mut found = Vec::new();
        for &key in asked {
            let values = key_values_sync(gpu, times, batches, &self.keys[key], rows_max, space)?;
            found.extend(values.map(|values| (key, values)));
        }
        Ok(found)
    }

    /// The table of all rows, in `space`; `types` are those of the columns that leave. It says the values of the keys
    /// `asked` for, where they can be found.
    pub fn finish_sync(
        mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        types: &Schema,
        asked: &[usize],
        space: Space,
    ) -> Result<Table> {
        let Some(mut batch) = self.kept.take_sync(gpu, &space)? else {
            return Table::empty(types, self.force, space);
        };
        if u32::try_from(batch.rows + 1).is_err() {
            return Err(Failure::Fallback(format!(
                "{} rows in the table of a join, numbers have 32 bits",
                batch.rows
            )));
        }
        let entries = self.entries_sync(gpu, times, &batch, &space)?;
        let key_values = self.values_sync(gpu, times, &[&batch], asked, &space)?;
        batch.columns.truncate(self.width);
        let table = Table::new_sync(gpu, &self.spec, self.force, batch, entries, space)?;
        table.space().shrink();
        Ok(table.with_key_values(key_values))
    }

    fn entries_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        space: &Space,
    ) -> Result<Entries> {
        if self.keys.is_empty() {
            return Ok(Entries {
                lookup: Lookup::Single,
                base: 0,
                count: 1,
                groups: None,
                of_rows: space.zeros_sync(batch.rows * 4)?,
            });
        }
        if let Some(key) = self.dense_key()
            && let Some(entries) = dense_sync(gpu, times, batch, key, space)?
        {
            return Ok(entries);
        }
        self.grouped_sync(gpu, times, batch, space)
    }

    /// The key, if it is one that can be dense.
    fn dense_key(&self) -> Option<&Expr> {
        match &self.keys[..] {
            _ if self.force == Force::Groups => None,
            [key] if !self.spec.null_keys && Repr::of(&key.data_type).is_some_and(may_be_dense) => Some(key),
            _ => None,
        }
    }

    /// How keys are found if nothing speaks against it.
    pub(super) fn likely_lookup(&self) -> Lookup {
        match (self.dense_key(), &self.keys[..]) {
            (Some(_), _) => Lookup::Dense,
            (None, []) => Lookup::Single,
            (None, _) => self
                .grouping()
                .map_or(Lookup::Single, |grouping| Lookup::Groups(grouping.layout)),
        }
    }

    /// How keys may have to be found too: as groups, where there may be too many `values` between the least and the greatest
    /// of what filters leave.
    pub(super) fn other_lookup(&self, values: Option<u64>) -> Option<Lookup> {
        let may_be_sparse = self.dense_key().is_some() && values.is_some_and(|values| values > DENSE_MIN);
        let grouping = may_be_sparse.then(|| self.grouping().ok()).flatten();
        grouping.map(|grouping| Lookup::Groups(grouping.layout))
    }

    /// The keys as groups.
    fn grouping(&self) -> Result<Grouping, String> {
        // Both sides lay their keys out alike, whichever of them has nulls.
        let keys: Vec<Expr> = self.keys.iter().map(|key| self.spec.laid_out(key)).collect();
        let is_there = |key: &Expr| Expr {
            data_type: DataType::Boolean,
            nullable: false,
            node: Node::IsNotNull(Arc::new(key.clone())),
        };
        Ok(Grouping {
            layout: key_layout(&keys)?,
            filters: match self.spec.null_keys {
                true => Vec::new(),
                false => self.keys.iter().map(is_there).collect(),
            },
            keys,
        })
    }

    fn grouped_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        space: &Space,
    ) -> Result<Entries> {
        let grouping = self.grouping().map_err(unplanned)?;
        let shape = GroupShape {
            key_words: grouping.layout.words,
            texts: grouping.layout.texts.clone(),
            state: Vec::new(),
        };
        let capacity = match self.force {
            Force::SmallTables => KEYS_FORCED,
            _ => batch.rows,
        };
        let mut groups = GroupTable::new(&gpu.grouper, &space.stream, &space.reservation, shape, capacity)?;
        let of_rows = space.take_sync(batch.rows * 4)?;
        let columns = times.foreseen(shapes(batch));
        let program = Program::compile(gpu, times, grouping.find(&columns).map_err(unplanned)?)?;
        let error = space.error_word_sync()?;
        let fill = program.enter_sync(
            batch.rows,
            space,
            times,
            batch,
            Some(&of_rows),
            &mut groups,
            &error,
        )?;
        error.check_sync(&space.stream, FIND_GROUPS)?;
        Ok(Entries {
            lookup: Lookup::Groups(grouping.layout),
            base: 0,
            count: fill.count,
            groups: Some(groups),
            of_rows,
        })
    }
}

/// Entries of a key whose values lie close together; `None` if they do not.
fn dense_sync(
    gpu: &Gpu,
    times: &KernelTimes,
    batch: &DeviceBatch,
    key: &Expr,
    space: &Space,
) -> Result<Option<Entries>> {
    let range = key_range_sync(gpu, times, &[batch], key, space)?;
    let KeyRange {
        least, most, count, ..
    } = range;
    let distance = most.saturating_sub(least);
    let limit_bytes = gpu.device.memory_limit_bytes() as u64 / DENSE_SHARE;
    let few = distance < DENSE_MIN || distance / DENSE_TIMES < count;
    if !few || distance >= u64::from(u32::MAX) - 1 || distance.saturating_mul(4) > limit_bytes {
        return Ok(None);
    }
    let entry_count = if count == 0 { 0 } else { distance as usize + 1 };
    let base = range.value(least);
    let error = space.error_word_sync()?;
    let columns = times.foreseen(shapes(batch));
    let program = Program::compile(gpu, times, dense_entries(&columns, key).map_err(unplanned)?)?;
    let of_rows = space.take_sync(batch.rows * 4)?;
    let more = [More::U64(base), More::View(of_rows.view())];
    program.run(space, times, batch, &error, &more)?;
    error.check_sync(&space.stream, DENSE_ENTRIES)?;
    Ok(Some(Entries {
        lookup: Lookup::Dense,
        base,
        count: entry_count,
        groups: None,
        of_rows,
    }))
}
