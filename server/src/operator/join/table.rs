//! The table of a join: rows are collected, then found by the entries of their keys.

use std::sync::Arc;

use datafusion::common::JoinType;
use kernels::Buffer;
use kernels::group::{GroupShape, GroupTable};
use kernels::join::{JoinHeader, Joiner, StartWidth};

use super::super::columns::{keyed, new_column_sync};
use super::super::kept::Kept;
use super::super::program::{More, Program, shapes};
use super::super::{Failure, Force, Gpu, KernelTimes, Result, Rows, unplanned};
use super::key_range::{KeyRange, key_range_sync};
use super::key_values::{KeyValues, ROWS_MAX, key_values_sync};
use crate::batch::{DeviceBatch, Repr, Space, bitmap_bytes};
use crate::pipeline::BuildSpec;
use crate::pipeline::expr::{ColumnShape, Expr, Node};
use crate::pipeline::kernels::{
    DENSE_ENTRIES, FIND_GROUPS, Generated, KeyLayout, Lookup, dense_entries, find_groups, key_layout,
    key_range, may_be_dense,
};

/// Dense keys may leave this many times as many entries free as there are rows.
const DENSE_TIMES: u64 = 64;
/// Entries that are always few enough.
const DENSE_MIN: u64 = 1 << 20;
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

/// The entry of each row, and how many there are.
struct Entries {
    lookup: Lookup,
    base: u64,
    count: usize,
    groups: Option<GroupTable>,
    of_rows: Buffer,
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
            (None, _) => vec![self.grouping().and_then(|grouping| grouping.find(kept))],
        }
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

    /// The table of all rows, in `space`; `types` are those of the columns that leave. It says the values of the keys
    /// `asked` for, where they can be found.
    pub fn finish_sync(
        mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        types: &arrow::datatypes::Schema,
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
        let mut key_values = Vec::new();
        for &key in asked {
            let rows_max = match self.force {
                Force::SmallTables => KEYS_FORCED,
                _ => ROWS_MAX,
            };
            let values = key_values_sync(gpu, times, &batch, &self.keys[key], rows_max, &space)?;
            key_values.extend(values.map(|values| (key, values)));
        }
        batch.columns.truncate(self.width);
        let mut table = self.table_sync(gpu, batch, entries, space)?;
        table.key_values = key_values;
        table.space().shrink();
        Ok(table)
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

    /// The keys as groups.
    fn grouping(&self) -> Result<Grouping, String> {
        // Both sides lay their keys out alike, whichever of them has nulls.
        let keys: Vec<Expr> = self.keys.iter().map(|key| self.spec.laid_out(key)).collect();
        let is_there = |key: &Expr| Expr {
            data_type: arrow::datatypes::DataType::Boolean,
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
        let fill = program.enter_sync(space, times, batch, Some(&of_rows), &mut groups, &error)?;
        error.check_sync(&space.stream, FIND_GROUPS)?;
        Ok(Entries {
            lookup: Lookup::Groups(grouping.layout),
            base: 0,
            count: fill.count,
            groups: Some(groups),
            of_rows,
        })
    }

    fn table_sync(&self, gpu: &Gpu, batch: DeviceBatch, entries: Entries, space: Space) -> Result<Table> {
        use JoinType::{Full, Left, LeftAnti, LeftMark, LeftSemi, RightAnti, RightMark, RightSemi};
        let join_type = self.spec.join_type;
        let is_left_only = matches!(join_type, LeftSemi | LeftAnti | LeftMark);
        let is_right_only = matches!(join_type, RightSemi | RightAnti | RightMark);
        let (rows, has_residual) = (batch.rows, self.spec.has_residual);
        let mut table = Table {
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
            force: self.force,
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
}

/// Entries of a key whose values lie close together; `None` if they do not.
fn dense_sync(
    gpu: &Gpu,
    times: &KernelTimes,
    batch: &DeviceBatch,
    key: &Expr,
    space: &Space,
) -> Result<Option<Entries>> {
    let range = key_range_sync(gpu, times, batch, key, space)?;
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

impl Table {
    fn empty(types: &arrow::datatypes::Schema, force: Force, space: Space) -> Result<Self> {
        let column =
            |field: &Arc<arrow::datatypes::Field>| new_column_sync(field.data_type(), false, 0, &space);
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
