//! The build sides of a pipeline's joins before rows come to them: tables, or the rows of one that may change places.
//!
//! In: the rows of each, and what forbids to change places. Out: tables, and the rows of one join at most, the one
//! that has most to gain. It does not know what comes to the joins.

use std::sync::Arc;

use arrow::datatypes::Schema;

use super::super::{Force, Gpu, KernelTimes, Result};
use super::key_values::KeyValues;
use super::{Build, Table};
use crate::batch::Space;
use crate::pipeline::Stage;

/// Rows of a build side from which on it may change places: the table of fewer is made sooner than the kernels of another
/// plan are compiled.
const ROWS_MIN: usize = 4 << 20;

/// What there is of a join's table before rows come to it.
#[derive(Debug)]
pub enum Side<'a> {
    /// All of it.
    Table(Arc<Table>),
    /// Its rows: the other side may become the table.
    Rows(Box<Gathered<'a>>),
}

/// The rows of a build side.
#[derive(Debug)]
pub struct Gathered<'a> {
    pub(super) build: Build,
    /// Those that were asked for, by the number of their key.
    key_values: Vec<(usize, KeyValues)>,
    /// Counts the kernels that make the table of them.
    times: &'a KernelTimes,
    /// Of the table, whichever side it has.
    pub(super) space: Space,
}

/// Whether the `rows` rows of a build side may change places with those that come to `stage`.
pub fn may_swap(stage: &Stage, rows: usize, force: Force) -> bool {
    let rows_min = match force {
        Force::Swap | Force::SmallTables => 1,
        _ => ROWS_MIN,
    };
    rows >= rows_min && !stage.join.null_aware && !stage.join.keeps_order
}

impl<'a> Gathered<'a> {
    /// The rows of `build`, and the values of the keys `asked` for, where they can be found. Whatever becomes a table is in
    /// `space`.
    pub fn new_sync(
        gpu: &Gpu,
        build: Build,
        times: &'a KernelTimes,
        asked: &[usize],
        space: Space,
    ) -> Result<Self> {
        let key_values = build.key_values_sync(gpu, times, asked, &space)?;
        space.shrink();
        Ok(Self {
            build,
            key_values,
            times,
            space,
        })
    }

    /// How many they are.
    pub(super) fn rows(&self) -> usize {
        self.build.kept().rows()
    }

    /// The table, as planned; `types` are those of its columns.
    pub(super) fn table_sync(self, gpu: &Gpu, types: &Schema) -> Result<Arc<Table>> {
        let table = self.build.finish_sync(gpu, self.times, types, &[], self.space)?;
        Ok(Arc::new(table.with_key_values(self.key_values)))
    }
}

impl Side<'_> {
    /// The values of a key that was asked for, if they were found.
    pub fn key_values(&self, key: usize) -> Option<&KeyValues> {
        match self {
            Self::Table(table) => table.key_values(key),
            Self::Rows(gathered) => {
                let found = gathered.key_values.iter().find(|(of, _)| *of == key);
                found.map(|(_, values)| values)
            }
        }
    }

    /// The table, if it is there.
    pub fn table(&self) -> Option<&Arc<Table>> {
        match self {
            Self::Table(table) => Some(table),
            Self::Rows(_) => None,
        }
    }

    fn undecided_rows(&self) -> Option<usize> {
        match self {
            Self::Table(_) => None,
            Self::Rows(gathered) => Some(gathered.rows()),
        }
    }

    /// The same with its table made, for the join of `stage`.
    fn decided_sync(self, gpu: &Gpu, stage: &Stage) -> Result<Arc<Table>> {
        match self {
            Self::Table(table) => Ok(table),
            Self::Rows(gathered) => gathered.table_sync(gpu, &stage.join.table),
        }
    }
}

/// The sides of `stages` with one undecided at most, the one with the most rows; not even that where a table is empty of which
/// all rows need one.
pub fn settled_sync<'a>(gpu: &Gpu, stages: &[Stage], sides: Vec<Side<'a>>) -> Result<Vec<Side<'a>>> {
    let is_void = stages.iter().zip(&sides).any(|(stage, side)| match side {
        Side::Table(table) => table.is_void(&stage.join),
        Side::Rows(_) => false,
    });
    let rows = sides.iter().enumerate();
    let rows = rows.filter_map(|(at, side)| Some((side.undecided_rows()?, at)));
    let largest = rows.max().filter(|_| !is_void).map(|(_, at)| at);
    let settled = sides.into_iter().zip(stages).enumerate();
    let settled = settled.map(|(at, (side, stage))| match Some(at) == largest {
        true => Ok(side),
        false => side.decided_sync(gpu, stage).map(Side::Table),
    });
    settled.collect()
}
