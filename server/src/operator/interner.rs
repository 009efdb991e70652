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

use super::codes::{OfEntries, entries_of, picked_sync, read_alike};
use super::columns::new_column_sync;
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
    /// By column.
    last: HashMap<usize, OfEntries>,
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
        if let Some(numbers) = self.last.get(&place).and_then(|last| last.of(column)) {
            return Ok(numbers);
        }
        let mut entries = entries_of(column);
        if column.through.is_none() {
            // Columns may be longer than their batch.
            entries.rows = rows;
        }
        let numbers = self.enter_sync(gpu, times, &entries, error, space)?;
        Ok(match column.through {
            Some(_) => self.last.entry(place).or_default().keep(times, column, numbers),
            None => read_alike(column, numbers),
        })
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

    /// All strings, in the order of their numbers; waits for how many they are.
    pub(super) fn strings_sync(&self, space: &Space) -> Result<DeviceBatch> {
        let rows = self.table.fill_sync()?.count;
        let column = new_column_sync(&DataType::Utf8, false, rows, space)?;
        let references = column.values.slice(0..rows * Repr::Str.width())?;
        self.table.references(0, rows, references)?;
        Ok(DeviceBatch {
            rows,
            columns: vec![column],
        })
    }

    /// Puts strings in place of those of `columns`, of `rows` rows, that `numbered` has as numbers.
    pub(super) fn put_strings_sync(
        self,
        gpu: &Gpu,
        numbered: &Numbered,
        columns: &mut [DeviceColumn],
        rows: usize,
        space: &Space,
    ) -> Result<()> {
        let all = self.strings_sync(space)?;
        let owners = self.table.into_owners();
        for (&place, data_type) in numbered.numbers.iter().zip(&numbered.types) {
            columns[place] = DeviceColumn {
                data_type: data_type.clone(),
                owners: owners.clone(),
                ..picked_sync(gpu, &all, &columns[place], rows, space)?
            };
        }
        Ok(())
    }
}
