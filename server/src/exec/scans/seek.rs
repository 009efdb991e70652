//! Scans whose rows are looked for by the columns of their filters, before the other columns are read.
//!
//! In: a scan and its filters. Out: for a partition, what of it holds rows that the filters keep. Worth it where few rows
//! are wanted of many columns: the first partition says whether that is so, and each later one whether it still is. The
//! filters see the rows again when all columns are there, among those that lie on the same pages.

use std::sync::{Mutex, PoisonError};

use arrow::datatypes::SchemaRef;

use super::work::wanted_bytes;
use super::{MEMORY_WAIT, Shared};
use crate::batch::Space;
use crate::operator::{Force, Gpu, KernelTimes, Result, Seek};
use crate::pipeline::expr::Expr;
use crate::pipeline::{Pipeline, Source};
use crate::scan::{Scan, ScanCounters, Sought, Turn};

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
    pub(super) fn sought(&self, scan: &Scan) -> crate::error::Result<Option<Seeking>> {
        let columns: Vec<usize> = {
            let all = self.filters.iter().flat_map(Expr::columns);
            all.collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect()
        };
        if columns.is_empty() || columns.len() == self.schema.fields().len() {
            return Ok(None);
        }
        let bytes = |scan: &Scan| {
            (0..scan.partitions())
                .map(|partition| scan.host_bytes(partition))
                .sum::<usize>()
        };
        let all = bytes(scan);
        if all < OTHERS_BYTES_MIN && self.force != Force::Seek {
            return Ok(None);
        }
        let first = scan.of_columns(&columns)?;
        let others = all.saturating_sub(bytes(&first));
        if (others < OTHERS_BYTES_MIN || others < all / 2) && self.force != Force::Seek {
            return Ok(None);
        }
        let places = (0..self.schema.fields().len()).map(|column| {
            let place = columns.binary_search(&column).unwrap_or_default();
            Expr::column(place, self.schema.field(column))
        });
        let places: Vec<Expr> = places.collect();
        let filters = self.filters.iter().map(|filter| filter.substitute(&places));
        Ok(Some(Seeking {
            scan: first,
            seek: Mutex::new(Seek::new(filters.collect())),
            verdict: Mutex::new(Verdict::Open),
            is_forced: self.force == Force::Seek,
        }))
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
    /// Of the columns of the filters.
    scan: Scan,
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
        let looked = self.find_sync(shared, partition, turn, counters);
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
        partition: usize,
        turn: Turn,
        counters: &ScanCounters,
    ) -> Result<Option<Vec<u32>>> {
        let gpu: &Gpu = &shared.gpu;
        let fetched = self
            .scan
            .fetch_sync(partition, turn, &gpu.device, &|| shared.is_stopped())?;
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
