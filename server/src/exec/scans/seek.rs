//! Scans whose rows are looked for by the columns of their filters, before the other columns are read.
//!
//! In: a scan and its filters. Out: for a partition, what of it holds rows that the filters keep. Worth it where few rows
//! are wanted of many columns: the first partition says whether that is so, and each later one whether it still is. The
//! filters see the rows again when all columns are there, among those that lie on the same pages.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use arrow::datatypes::SchemaRef;

use super::work::wanted_bytes;
use super::{MEMORY_WAIT, Shared, host_bytes};
use crate::batch::Space;
use crate::operator::{Force, Gpu, KernelTimes, Result, Seek};
use crate::pipeline::expr::Expr;
use crate::pipeline::{Pipeline, Source};
use crate::scan::{Scan, ScanCounters, SomeColumns, Sought, Turn};

/// Bytes of other columns that are worth looking whether they must be read.
const OTHERS_BYTES_MIN: usize = 1 << 30;

/// The filters of a pipeline's scan, before it is opened.
#[derive(Debug, Clone)]
pub(super) struct Filters {
    filters: Vec<Expr>,
    schema: SchemaRef,
    force: Force,
}

impl Filters {
    /// Those that the rows of `pipeline`'s scan meet first; `None` if there are none, or they are not known yet.
    pub(super) fn of(pipeline: &Pipeline, force: Force) -> Option<Self> {
        let Source::Scan(spec) = &pipeline.source else {
            return None;
        };
        let filters = match pipeline.stages.first() {
            Some(stage) => &stage.filters,
            None => &pipeline.filters,
        };
        let is_known = |filter: &Expr| !filter.asks_subqueries();
        (!filters.is_empty() && filters.iter().all(is_known)).then(|| Self {
            filters: filters.clone(),
            schema: spec.schema(),
            force,
        })
    }

    /// What looks for the rows of `scan`; `None` if its other columns are few bytes, or there are none.
    pub(super) fn sought(&self, scan: &Scan) -> Option<Seeking> {
        let columns: BTreeSet<usize> = self.filters.iter().flat_map(Expr::columns).collect();
        if columns.is_empty() || columns.len() == self.schema.fields().len() {
            return None;
        }
        let columns: Vec<usize> = columns.into_iter().collect();
        let all: usize = host_bytes(scan).iter().sum();
        let others = all.saturating_sub(scan.bytes_of(&columns));
        let is_forced = self.force == Force::Seek;
        if !is_forced && (others < OTHERS_BYTES_MIN || others < all / 2) {
            return None;
        }
        let places = (0..self.schema.fields().len()).map(|column| {
            let place = columns.binary_search(&column).unwrap_or_default();
            Expr::column(place, self.schema.field(column))
        });
        let places: Vec<Expr> = places.collect();
        let filters = self.filters.iter().map(|filter| filter.substitute(&places));
        Some(Seeking {
            seek: Mutex::new(Seek::new(filters.collect())),
            columns: scan.some_columns(columns),
            verdict: Mutex::new(Verdict::Open),
            is_forced,
        })
    }
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
    /// Those of the filters.
    columns: SomeColumns,
    seek: Mutex<Seek>,
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

    /// The numbers of the rows of a partition that are wanted; `None` if they are many, or there is no memory to look.
    fn find_sync(
        &self,
        shared: &Shared,
        scan: &Scan,
        partition: usize,
        turn: Turn,
        counters: &ScanCounters,
    ) -> Result<Option<Vec<u32>>> {
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
