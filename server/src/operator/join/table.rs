//! The table of a join: rows that are found by the entries of their keys.
//!
//! In: rows, and the entry of each. Out: where they lie, for kernels, and what was noted of them as others matched. It does
//! not know how entries are found, nor who looks for rows.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::JoinType;
use kernels::Buffer;
use kernels::group::GroupTable;
use kernels::join::{JoinHeader, Joiner, StartWidth};

use super::super::columns::new_column_sync;
use super::super::{Force, Gpu, Result};
use super::key_values::KeyValues;
use crate::batch::{DeviceBatch, Space, bitmap_bytes};
use crate::pipeline::kernels::Lookup;
use crate::pipeline::{BuildSpec, JoinSpec};

/// Rows found by their keys.
#[derive(Debug)]
pub struct Table {
    batch: DeviceBatch,
    lookup: Lookup,
    unique: bool,
    base: u64,
    entry_count: usize,
    groups: Option<GroupTable>,
    /// The row of each entry, or the rows of all lists.
    rows: Option<Buffer>,
    lists: Option<Buffer>,
    /// The entry of each row.
    entries: Option<Buffer>,
    /// A byte for each entry, and two more.
    seen: Option<Buffer>,
    /// A bit for each row.
    matched: Option<Buffer>,
    /// Those that were asked for, by the number of their key.
    key_values: Vec<(usize, KeyValues)>,
    force: Force,
    space: Space,
}

/// The entry of each row, and how many there are.
pub(super) struct Entries {
    pub(super) lookup: Lookup,
    pub(super) base: u64,
    pub(super) count: usize,
    pub(super) groups: Option<GroupTable>,
    pub(super) of_rows: Buffer,
}

impl Table {
    /// Of no rows, with columns of these types.
    pub(super) fn empty(types: &Schema, force: Force, space: Space) -> Result<Self> {
        let column = |field: &Arc<Field>| new_column_sync(field.data_type(), false, 0, &space);
        let columns = types.fields().iter().map(column).collect::<Result<_>>()?;
        Ok(Self {
            batch: DeviceBatch { rows: 0, columns },
            lookup: Lookup::Single,
            unique: true,
            base: 0,
            entry_count: 0,
            groups: None,
            rows: None,
            lists: None,
            entries: None,
            seen: Some(space.zeros_sync(8)?),
            matched: Some(space.zeros_sync(8)?),
            key_values: Vec::new(),
            force,
            space,
        })
    }

    /// Of the rows of `batch`, for the join of `spec`.
    pub(super) fn new_sync(
        gpu: &Gpu,
        spec: &BuildSpec,
        force: Force,
        batch: DeviceBatch,
        entries: Entries,
        space: Space,
    ) -> Result<Self> {
        use JoinType::{Full, Left, LeftAnti, LeftMark, LeftSemi, RightAnti, RightMark, RightSemi};
        let join_type = spec.join_type;
        let is_left_only = matches!(join_type, LeftSemi | LeftAnti | LeftMark);
        let is_right_only = matches!(join_type, RightSemi | RightAnti | RightMark);
        let (rows, has_residual) = (batch.rows, spec.has_residual);
        let mut table = Self {
            batch,
            lookup: entries.lookup,
            unique: true,
            base: entries.base,
            entry_count: entries.count,
            groups: entries.groups,
            rows: None,
            lists: None,
            entries: None,
            seen: None,
            matched: None,
            key_values: Vec::new(),
            force,
            space: space.clone(),
        };
        let of_rows = entries.of_rows;
        let view = of_rows.slice(0..rows * 4)?;
        if is_left_only && !has_residual {
            table.seen = Some(space.zeros_sync(entries.count + 2)?);
        } else if is_right_only && !has_residual && table.lookup != Lookup::Dense {
            // That there is a group is all there is to know.
        } else {
            let only_presence = is_right_only && !has_residual;
            table.place_rows_sync(gpu, view, only_presence)?;
        }
        if matches!(join_type, Left | Full) || (is_left_only && has_residual) {
            table.matched = Some(space.zeros_sync(bitmap_bytes(rows))?);
        }
        if is_left_only {
            table.entries = Some(of_rows);
        }
        Ok(table)
    }

    /// Says the values of keys too, by their numbers.
    pub(super) fn with_key_values(self, key_values: Vec<(usize, KeyValues)>) -> Self {
        Self { key_values, ..self }
    }

    /// Finds out whether entries have one row each, and lists their rows if not.
    fn place_rows_sync(&mut self, gpu: &Gpu, entries: kernels::View<'_>, only_presence: bool) -> Result<()> {
        let (space, count) = (self.space.clone(), self.entry_count.max(1));
        let (stream, rows) = (&space.stream, self.batch.rows);
        let row_of = space.take_sync(count * 4)?;
        stream.fill(row_of.view(), 0xff)?;
        let repeated = space.zeros_sync(8)?;
        gpu.joiner
            .enter_rows(stream, entries, rows, row_of.view(), repeated.view())?;
        let repeated: u64 = stream.read_sync(repeated.slice(0..8)?)?[0];
        if only_presence || (repeated == 0 && self.force != Force::Lists) {
            self.rows = Some(row_of);
            return Ok(());
        }
        // The counts take the place of the rows.
        let counts = row_of;
        stream.fill(counts.view(), 0)?;
        gpu.joiner.count_entries(stream, entries, rows, counts.view())?;
        space.room_sync(Joiner::starts_bytes(count, StartWidth::Bits32))?;
        let starts = gpu.joiner.starts(
            stream,
            &space.reservation,
            counts.slice(0..count * 4)?,
            count,
            StartWidth::Bits32,
        )?;
        let listed = space.take_sync(rows * 4)?;
        let room = listed.slice(0..rows * 4)?;
        gpu.joiner
            .place_rows(stream, entries, rows, starts.starts.view(), counts.view(), room)?;
        self.unique = false;
        self.rows = Some(listed);
        self.lists = Some(starts.starts);
        Ok(())
    }

    /// Whether no row can leave `join`, which looks its rows up here, because there is nothing.
    pub fn is_void(&self, join: &JoinSpec) -> bool {
        join.needs_table() && self.rows() == 0
    }

    /// Rows that it holds.
    pub fn rows(&self) -> usize {
        self.batch.rows
    }

    /// The values of a key that was asked for, if they were found.
    pub fn key_values(&self, key: usize) -> Option<&KeyValues> {
        let found = self.key_values.iter().find(|(of, _)| *of == key);
        found.map(|(_, values)| values)
    }

    pub(super) fn batch(&self) -> &DeviceBatch {
        &self.batch
    }

    pub(super) fn lookup(&self) -> &Lookup {
        &self.lookup
    }

    pub(super) fn is_unique(&self) -> bool {
        self.unique
    }

    pub(super) fn force(&self) -> Force {
        self.force
    }

    pub(super) fn entries(&self) -> Option<&Buffer> {
        self.entries.as_ref()
    }

    pub(super) fn entry_count(&self) -> usize {
        self.entry_count
    }

    pub(super) fn seen(&self) -> Option<&Buffer> {
        self.seen.as_ref()
    }

    pub(super) fn matched(&self) -> Option<&Buffer> {
        self.matched.as_ref()
    }

    /// The rows of all lists, if entries have lists.
    pub(super) fn listed(&self) -> Option<&Buffer> {
        self.lists.as_ref().and(self.rows.as_ref())
    }

    pub(super) fn space(&self) -> &Space {
        &self.space
    }

    pub(super) fn header(&self) -> JoinHeader {
        let address = |buffer: &Option<Buffer>| buffer.as_ref().map_or(0, Buffer::address);
        JoinHeader {
            base: self.base,
            entries: self.entry_count as u64,
            groups: self.groups.as_ref().map_or(0, |groups| groups.header().address()),
            rows: address(&self.rows),
            lists: address(&self.lists),
            seen: address(&self.seen),
        }
    }

    /// What the header's addresses lead to.
    pub(super) fn uses(&self) -> Vec<&Buffer> {
        let mut uses: Vec<&Buffer> = [&self.rows, &self.lists, &self.seen]
            .into_iter()
            .flatten()
            .collect();
        if let Some(groups) = &self.groups {
            uses.push(groups.header().buffer());
            uses.extend(groups.uses());
        }
        uses
    }
}
