//! A join whose rows may match several of the table's, or whose pairs must meet more than equal keys: pairs are written
//! as two lists of row numbers, some millions at a time.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::JoinType;
use kernels::Buffer;
use kernels::join::{Joiner, StartWidth};

use super::super::program::{More, Programs};
use super::super::select::{kept_sync, through_sync};
use super::super::{Force, Gpu, KernelTimes, Result};
use super::Joined;
use super::lookups::{mark_column, read_through};
use crate::batch::{DeviceBatch, RowNumbers, Space, bitmap_bytes};
use crate::pipeline::kernels::{COUNT_MATCHES, MASK, count_matches, mask};

/// Pairs that are written at a time.
const PAIRS_MAX: u64 = 32 << 20;
/// The same where the lists of a table are forced: few, so that a batch of a test has several times as many.
const PAIRS_FORCED: u64 = 500;

/// Takes a batch that leaves a join, and says whether to go on.
pub(super) type Out<'a> = dyn FnMut(DeviceBatch) -> Result<ControlFlow<()>> + 'a;

/// One such join.
#[derive(Debug)]
pub(super) struct Pairs {
    joined: Joined,
    /// By whether the entries of keys are found before.
    counters: Programs<bool>,
    residuals: Programs<()>,
}

/// The matches of a batch's rows.
struct Matches {
    /// A bitmap of the rows that the filters left.
    active: Buffer,
    /// Where the matches of each row lie.
    matches: Buffer,
    starts: kernels::join::Starts,
    total: u64,
}

impl Pairs {
    pub(super) fn new(joined: Joined) -> Self {
        Self {
            joined,
            counters: Programs::default(),
            residuals: Programs::default(),
        }
    }

    pub(super) fn joined(&self) -> &Joined {
        &self.joined
    }

    /// Gives what becomes of the rows of `batch` to `out`.
    pub(super) fn apply_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        space: &Space,
        out: &mut Out<'_>,
    ) -> Result<ControlFlow<()>> {
        let found = self.matches_sync(gpu, times, batch, space)?;
        let rows = batch.rows;
        let has_residual = !self.joined.join.residual.is_empty();
        let passes = self.joined.join.passes_rows();
        let flags = match has_residual && passes {
            true => Some(space.zeros_sync(bitmap_bytes(rows))?),
            false => None,
        };
        let pairs_max = match self.joined.table.force() {
            Force::Lists => PAIRS_FORCED,
            _ => PAIRS_MAX,
        };
        let mut first = 0;
        while first < found.total {
            let count = (found.total - first).min(pairs_max) as usize;
            let pairs = self.pairs_sync(gpu, batch, &found, first, count, space)?;
            first += count as u64;
            let left = match has_residual {
                true => self.residual_sync(gpu, times, pairs, flags.as_ref(), space)?,
                false => {
                    if let Some(matched) = self.joined.table.matched() {
                        gpu.joiner.mark_numbers(
                            &space.stream,
                            None,
                            pairs.right.slice(0..count * 4)?,
                            matched.view(),
                        )?;
                    }
                    Some(pairs.batch)
                }
            };
            if self.joined.join.adds_columns()
                && let Some(batch) = left
                && out(batch)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        match flags {
            Some(flags) => self.rows_sync(gpu, batch, &found, flags, space, out),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    fn matches_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        space: &Space,
    ) -> Result<Matches> {
        let mut wide = batch.clone();
        let found = self.joined.find_coded_sync(gpu, times, &mut wide, space)?;
        let (rows, joined) = (batch.rows, &self.joined);
        let keeps = joined.join.keeps_rows() && joined.join.residual.is_empty();
        let program = self.counters.of(gpu, times, &wide, found.is_some(), |columns| {
            count_matches(columns, &joined.look_by(found.as_ref()).probe(), keeps)
        })?;
        let active = space.take_sync(bitmap_bytes(rows))?;
        let counts = space.take_sync(rows * 4)?;
        let matches = space.take_sync(rows * 4)?;
        let headers = space.upload_sync(&[joined.header()])?;
        let error = space.error_word_sync()?;
        let mut more = vec![
            More::View(headers.view()),
            More::View(active.view()),
            More::View(counts.view()),
            More::View(matches.view()),
        ];
        more.extend(joined.table.uses().into_iter().map(More::Uses));
        program.run(space, times, &wide, &error, &more)?;
        drop(more);
        space.room_sync(Joiner::starts_bytes(rows, StartWidth::Bits64))?;
        let (stream, reservation) = (&space.stream, &space.reservation);
        let counts = counts.slice(0..rows * 4)?;
        let starts = gpu
            .joiner
            .starts(stream, reservation, counts, rows, StartWidth::Bits64)?;
        let total = starts.total_sync(stream)?;
        error.check_sync(stream, COUNT_MATCHES)?;
        Ok(Matches {
            active,
            matches,
            starts,
            total,
        })
    }

    /// Some of the pairs, as columns of both sides.
    fn pairs_sync(
        &self,
        gpu: &Gpu,
        batch: &DeviceBatch,
        found: &Matches,
        first: u64,
        count: usize,
        space: &Space,
    ) -> Result<PairBatch> {
        let left = Arc::new(space.take_sync(count * 4)?);
        let right = Arc::new(space.take_sync(count * 4)?);
        let listed = self.joined.table.listed();
        gpu.joiner.pairs(
            &space.stream,
            &found.starts,
            batch.rows,
            found.matches.slice(0..batch.rows * 4)?,
            listed.map(Buffer::view),
            first,
            left.slice(0..count * 4)?,
            right.slice(0..count * 4)?,
        )?;
        let mut pairs = through_sync(gpu, batch, Arc::clone(&left), count, space)?;
        let join = &self.joined.join;
        let numbers = RowNumbers {
            numbers: Arc::clone(&right),
            may_miss: join.keeps_rows() && join.residual.is_empty(),
            are_codes: false,
        };
        pairs.columns.extend(read_through(&self.joined, &numbers));
        Ok(PairBatch {
            batch: pairs,
            left,
            right,
        })
    }

    /// The pairs that meet the residual filter; rows of either side that are in one are marked where that is asked.
    fn residual_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        pairs: PairBatch,
        flags: Option<&Buffer>,
        space: &Space,
    ) -> Result<Option<DeviceBatch>> {
        let (joined, count) = (&self.joined, pairs.batch.rows);
        let program = self.residuals.of(gpu, times, &pairs.batch, (), |columns| {
            mask(columns, &joined.join.residual)
        })?;
        let bits = space.take_sync(bitmap_bytes(count))?;
        let bits = bits.slice(0..bitmap_bytes(count))?;
        let error = space.error_word_sync()?;
        program.run(space, times, &pairs.batch, &error, &[More::View(bits)])?;
        error.check_sync(&space.stream, MASK)?;
        let mark = |numbers: &Buffer, target: Option<&Buffer>| match target {
            Some(target) => {
                let numbers = numbers.slice(0..count * 4)?;
                gpu.joiner
                    .mark_numbers(&space.stream, Some(bits), numbers, target.view())
            }
            None => Ok(()),
        };
        mark(&pairs.left, flags)?;
        mark(&pairs.right, joined.table.matched())?;
        match joined.join.adds_columns() {
            true => kept_sync(gpu, pairs.batch, bits, space),
            false => Ok(None),
        }
    }

    /// What leaves for each row, by whether it is in a pair that met the residual filter.
    fn rows_sync(
        &self,
        gpu: &Gpu,
        batch: &DeviceBatch,
        found: &Matches,
        flags: Buffer,
        space: &Space,
        out: &mut Out<'_>,
    ) -> Result<ControlFlow<()>> {
        let rows = batch.rows;
        let bytes = bitmap_bytes(rows);
        let join_type = self.joined.join.join_type;
        let active = found.active.slice(0..bytes)?;
        let mut kept = batch.clone();
        let leaving = match join_type {
            JoinType::RightMark => {
                kept.columns.push(mark_column(flags));
                kept_sync(gpu, kept, active, space)?
            }
            JoinType::RightSemi | JoinType::RightAnti | JoinType::Right | JoinType::Full => {
                let bits = space.take_sync(bytes)?;
                let turned = join_type != JoinType::RightSemi;
                gpu.joiner.keep_bits(
                    &space.stream,
                    Some(active),
                    flags.view(),
                    turned,
                    None,
                    rows,
                    bits.view(),
                )?;
                if self.joined.join.keeps_rows() {
                    let numbers = Arc::new(space.take_sync(rows * 4)?);
                    space.stream.fill(numbers.view(), 0xff)?;
                    let missed = RowNumbers {
                        numbers,
                        may_miss: true,
                        are_codes: false,
                    };
                    kept.columns.extend(read_through(&self.joined, &missed));
                }
                kept_sync(gpu, kept, bits.slice(0..bytes)?, space)?
            }
            _ => None,
        };
        match leaving {
            Some(batch) => out(batch),
            None => Ok(ControlFlow::Continue(())),
        }
    }
}

/// Pairs, and the numbers of their rows on both sides.
struct PairBatch {
    batch: DeviceBatch,
    left: Arc<Buffer>,
    right: Arc<Buffer>,
}
