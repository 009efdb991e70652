//! Strings as numbers: every different string that an operator meets has one, whichever dictionary names it.
//!
//! In: columns of strings that are read through codes. Out: columns of numbers that are read through the same codes, and
//! strings again. Only entries are looked at, once each: what is done with rows then reads four bytes a row and compares no
//! string. It does not know what the numbers are for.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::DataType;
use kernels::group::{GroupShape, GroupTable};
use kernels::{Buffer, ErrorWord};

use super::codes::{entries_of, picked_sync, read_alike};
use super::numbered::Numbered;
use super::program::Programs;
use super::{Force, Gpu, KernelTimes, Result};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space, upload, upload_bytes};
use crate::pipeline::expr::{ColumnShape, Expr, Node};
use crate::pipeline::kernels::{Generated, find_groups, key_layout};

/// Strings that there is room for at first.
const STRINGS_MIN: usize = 1 << 12;
/// The same where tables are made to grow.
const STRINGS_FORCED: usize = 4;

/// Strings of which each has a number, in the order in which they came: the empty one has 0, which rows that are null hold
/// too.
#[derive(Debug)]
pub(super) struct Interner {
    table: GroupTable,
    programs: Programs<()>,
    /// By column, the dictionary met last and the numbers of its entries: joins hand on the rows of one partition in pieces.
    last: HashMap<usize, (Arc<Buffer>, Arc<Buffer>)>,
    force: Force,
}

/// What enters the strings of a batch's only column; one that is null is entered as the empty one.
pub(super) fn enter_strings(columns: &[ColumnShape]) -> Result<Generated, String> {
    let keys = [Expr {
        data_type: DataType::Utf8,
        nullable: false,
        node: Node::Column(0, "entry".into()),
    }];
    find_groups(columns, &[], &keys, &key_layout(&keys)?)
}

impl Interner {
    /// Of no string but the empty one.
    pub(super) fn new_sync(
        gpu: &Gpu,
        times: &KernelTimes,
        force: Force,
        error: &ErrorWord,
        space: &Space,
    ) -> Result<Self> {
        let shape = GroupShape {
            key_words: 1,
            texts: vec![0],
            state: Vec::new(),
        };
        let capacity = match force {
            Force::SmallTables => STRINGS_FORCED,
            _ => STRINGS_MIN,
        };
        let (stream, reservation) = (&space.stream, &space.reservation);
        let mut interner = Self {
            table: GroupTable::new(&gpu.grouper, stream, reservation, shape, capacity)?,
            programs: Programs::default(),
            last: HashMap::new(),
            force,
        };
        let empty = StringArray::from(vec![""]);
        space.room_sync(upload_bytes(&empty))?;
        let empty = DeviceBatch {
            rows: 1,
            columns: vec![upload(&empty, stream, reservation)?],
        };
        interner.enter_sync(gpu, times, &empty, error, space)?;
        Ok(interner)
    }

    /// The numbers of the strings in the only column of `batch`.
    fn enter_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        error: &ErrorWord,
        space: &Space,
    ) -> Result<Arc<Buffer>> {
        let numbers = space.take_sync(batch.rows * 4)?;
        if batch.rows > 0 {
            let program = self.programs.of(gpu, times, batch, (), enter_strings)?;
            let (table, force) = (&mut self.table, self.force);
            program.enter_new_sync(space, times, batch, Some(&numbers), table, error, force)?;
        }
        Ok(Arc::new(numbers))
    }

    /// The numbers of the strings of `column`, the `place`th of those that are numbered here: null where they are. Waits for
    /// how many there are.
    #[allow(clippy::too_many_arguments)]
    fn numbers_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        column: &DeviceColumn,
        rows: usize,
        place: usize,
        error: &ErrorWord,
        space: &Space,
    ) -> Result<DeviceColumn> {
        if let Some((entries, numbers)) = self.last.get(&place)
            && Arc::ptr_eq(entries, &column.values)
        {
            return Ok(read_alike(column, Arc::clone(numbers)));
        }
        let mut entries = entries_of(column);
        if column.through.is_none() {
            // Columns may be longer than their batch.
            entries.rows = rows;
        }
        let numbers = self.enter_sync(gpu, times, &entries, error, space)?;
        if column.through.is_some() {
            times.entries(entries.rows);
            let known = (Arc::clone(&column.values), Arc::clone(&numbers));
            self.last.insert(place, known);
        }
        Ok(read_alike(column, numbers))
    }

    /// The rows of `batch` with the columns that `numbered` wants behind theirs.
    pub(super) fn beside_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        numbered: &Numbered,
        error: &ErrorWord,
        space: &Space,
    ) -> Result<DeviceBatch> {
        let mut wide = batch.clone();
        for (place, &column) in numbered.strings.iter().enumerate() {
            let strings = &batch.columns[column];
            let numbers = self.numbers_sync(gpu, times, strings, batch.rows, place, error, space)?;
            wide.columns.push(numbers);
        }
        Ok(wide)
    }

    /// How many strings there are, waiting for the number.
    pub(super) fn count_sync(&self) -> Result<usize> {
        Ok(self.table.fill_sync()?.count)
    }

    /// The strings in the order of their numbers, as references that lead into what [`Self::into_owners`] returns.
    pub(super) fn references_sync(&self, space: &Space) -> Result<(Buffer, usize)> {
        let count = self.count_sync()?;
        let references = space.take_sync(count * Repr::Str.width())?;
        let target = references.slice(0..count * Repr::Str.width())?;
        self.table.references(0, count, target)?;
        Ok((references, count))
    }

    /// The strings of type `data_type` that the first `rows` values of `numbers` stand for, null where these are. Their owners
    /// are those of [`Self::into_owners`].
    pub(super) fn strings_sync(
        &self,
        gpu: &Gpu,
        numbers: &DeviceColumn,
        rows: usize,
        data_type: &DataType,
        error: &ErrorWord,
        space: &Space,
    ) -> Result<DeviceColumn> {
        let (references, count) = self.references_sync(space)?;
        picked_sync(gpu, &references, count, numbers, rows, data_type, error, space)
    }

    /// Gives up everything but what references lead to.
    pub(super) fn into_owners(self) -> Vec<Arc<Buffer>> {
        self.table.into_owners()
    }
}
