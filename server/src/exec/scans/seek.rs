//! Scans whose rows are looked for by the columns of their filters and of the keys of their joins, before the other columns
//! are read.
//!
//! In: a scan, its filters, and the tables of its joins when they are there. Out: for a partition, what of it holds rows
//! that leave filters and joins. Worth it where few rows are wanted of many columns: the first partition says whether that
//! is so, and each later one whether it still is. Filters and joins see the rows again when all columns are there, among
//! those that lie on the same pages.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;

use super::work::wanted_bytes;
use super::{MEMORY_WAIT, Shared, host_bytes};
use crate::batch::Space;
use crate::operator::{Force, Gpu, KernelTimes, Result, Seek, TableKeys};
use crate::pipeline::Pipeline;
use crate::pipeline::expr::Expr;
use crate::scan::{Scan, ScanCounters, SomeColumns, Sought, Turn};

/// Bytes of other columns that are worth looking whether they must be read.
const OTHERS_BYTES_MIN: usize = 1 << 30;

/// A table that is thought to have a larger part than this of the keys that rows may have is not asked.
const SHARE_MAX: f64 = 0.5;

/// What the rows of a pipeline's scan meet first, before it is opened.
#[derive(Debug, Clone)]
pub(super) struct Search {
    filters: Vec<Expr>,
    schema: SchemaRef,
    force: Force,
}

impl Search {
    /// That of the rows of `pipeline`'s scan.
    pub(super) fn of(pipeline: &Pipeline, force: Force) -> Self {
        let filters = match pipeline.stages.first() {
            Some(stage) => &stage.filters,
            None => &pipeline.filters,
        };
        Self {
            filters: filters.clone(),
            schema: Arc::clone(&pipeline.input),
            force,
        }
    }

    /// Whether rows are looked for whatever that costs.
    pub(super) fn is_forced(&self) -> bool {
        self.force == Force::Seek
    }

    /// What looks for the rows of `scan`, by as many of `tables` as say enough, from the first on; `None` if its other
    /// columns are few bytes, or there are none.
    pub(super) fn sought(&self, scan: &Scan, tables: &[TableKeys]) -> Option<Seeking> {
        let drops = |table: &&TableKeys| self.is_forced() || drops_rows(table, scan);
        let tables: Vec<&TableKeys> = tables.iter().filter(drops).collect();
        let mut counts = (0..=tables.len()).rev();
        counts.find_map(|count| self.seeking(scan, &tables[..count]))
    }

    fn seeking(&self, scan: &Scan, tables: &[&TableKeys]) -> Option<Seeking> {
        // Tables are there later than the values of subqueries that the pipeline reads.
        if tables.is_empty() && self.filters.iter().any(Expr::asks_subqueries) {
            return None;
        }
        let of_filters = self.filters.iter().flat_map(Expr::columns);
        let of_tables = tables.iter().flat_map(|table| table.columns());
        let columns: BTreeSet<usize> = of_filters.chain(of_tables).collect();
        if columns.is_empty() || columns.len() == self.schema.fields().len() {
            return None;
        }
        let columns: Vec<usize> = columns.into_iter().collect();
        let all: usize = host_bytes(scan).iter().sum();
        let others = all.saturating_sub(scan.bytes_of(&columns));
        if !self.is_forced() && (others < OTHERS_BYTES_MIN || others < all / 2) {
            return None;
        }
        let places = (0..self.schema.fields().len()).map(|column| {
            let place = columns.binary_search(&column).unwrap_or_default();
            Expr::column(place, self.schema.field(column))
        });
        let places: Vec<Expr> = places.collect();
        let filters = self.filters.iter().map(|filter| filter.substitute(&places));
        let asked = tables.iter().map(|table| table.over(&places)).collect();
        Some(Seeking {
            seek: Mutex::new(Seek::new(filters.collect(), asked)),
            tables: tables.len(),
            columns: scan.some_columns(columns),
            verdict: Mutex::new(Verdict::Open),
            is_forced: self.is_forced(),
        })
    }
}

/// Whether a table may drop enough rows of `scan`, as far as that can be told before they are read.
fn drops_rows(table: &TableKeys, scan: &Scan) -> bool {
    let numbers = table.dense_column().and_then(|column| scan.numbers(column));
    numbers.is_none_or(|(least, most)| table.share_of(least, most) <= SHARE_MAX)
}

/// Whether looking for rows leaves enough unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nobody has looked.
    Open,
    /// Somebody looks for the first time.
    Trying,
    Yes,
    No,
}

/// Looks for the rows of one scan.
#[derive(Debug)]
pub(super) struct Seeking {
    /// Those of the filters and the keys.
    columns: SomeColumns,
    seek: Mutex<Seek>,
    /// How many tables are asked.
    tables: usize,
    verdict: Mutex<Verdict>,
    is_forced: bool,
}

/// What is to be read of a partition.
#[derive(Debug)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// Only this.
    Some(Sought),
    /// Nothing: no row of it is wanted.
    Nothing,
}

impl Seeking {
    /// Whether tables are asked.
    pub(super) fn asks_tables(&self) -> bool {
        self.tables > 0
    }

    /// What is to be read of partition `partition` of `scan`. Reads at `turn`, and counts what it reads.
    pub(super) fn look_sync(
        &self,
        shared: &Shared,
        scan: &Scan,
        partition: usize,
        turn: Turn,
        counters: &ScanCounters,
    ) -> Result<Part> {
        if !self.may_look() {
            return Ok(Part::Whole);
        }
        let looked = self.find_sync(shared, scan, partition, turn, counters);
        let part = match looked {
            Ok(Some(found)) if found.is_empty() => Part::Nothing,
            Ok(Some(found)) => scan.of_rows(partition, &found)?.map_or(Part::Whole, Part::Some),
            Ok(None) => Part::Whole,
            Err(error) => {
                self.decide(0, 1);
                return Err(error);
            }
        };
        let all = scan.host_bytes(partition);
        let left = match &part {
            Part::Whole => all,
            Part::Some(sought) => sought.scan.host_bytes(0),
            Part::Nothing => 0,
        };
        self.decide(all.saturating_sub(left), all);
        match &part {
            Part::Whole => {}
            Part::Some(sought) => counters.sought(sought.row_groups, sought.pages),
            Part::Nothing => counters.sought(scan.row_groups(partition), 0),
        }
        Ok(part)
    }

    /// Whether to look; the first to ask tries it for all.
    fn may_look(&self) -> bool {
        let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        match *verdict {
            Verdict::Open => {
                *verdict = Verdict::Trying;
                true
            }
            Verdict::Yes => true,
            Verdict::Trying | Verdict::No => self.is_forced,
        }
    }

    /// Goes on while a half of the bytes and more is left out.
    fn decide(&self, left_out: usize, all: usize) {
        let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        *verdict = match left_out >= all / 2 {
            true => Verdict::Yes,
            false => Verdict::No,
        };
    }

    /// The rows of a partition that are wanted; `None` if they are many, or there is no memory to look.
    fn find_sync(
        &self,
        shared: &Shared,
        scan: &Scan,
        partition: usize,
        turn: Turn,
        counters: &ScanCounters,
    ) -> Result<Option<Vec<Range<usize>>>> {
        let gpu: &Gpu = &shared.gpu;
        let columns = scan.of_columns(partition, &self.columns)?;
        let fetched = columns.fetch_sync(0, turn, &gpu.device, &|| shared.is_stopped())?;
        // Partitions before this one may hold what it would wait for.
        let Ok(reservation) = gpu
            .device
            .reserve_sync(wanted_bytes(&gpu.device, &fetched), MEMORY_WAIT / 100)
        else {
            return Ok(None);
        };
        let space = Space::of(&gpu.device, reservation)?;
        let own = ScanCounters::default();
        let decoded = fetched.decode_sync(&space.stream, &space.reservation, &gpu.scan, &own)?;
        decoded.check.check_sync(&space.stream)?;
        counters.looked(&own);
        let times = KernelTimes::default();
        let mut seek = self.seek.lock().unwrap_or_else(PoisonError::into_inner);
        seek.find_sync(gpu, &times, &decoded.batch, &space)
    }
}
