//! The joins of a pipeline, of which one may not have its table yet: which of its sides becomes the table is decided when
//! the rows of one are there and those of the other were seen to be fewer, or not.
//!
//! In: tables, and of one join the rows of its build side. The rows that come to it are gathered. If they end while they are
//! few, they become the table, and the rows of the build side go through it; else the table is made as planned, and the
//! gathered rows go through it before those that come after them. Out: the rows that [`Joins`] gives, in whatever order. It
//! does not know where rows come from.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::{Force, Gpu, KernelTimes, Result};
use super::chain::Leaving;
use super::swapped::{Swapped, other_side};
use super::{Build, Gathered, Joins, Side, Table};
use crate::batch::{DeviceBatch, Space};
use crate::pipeline::Stage;

/// The other side must not have more rows than one part of so many: rows are entered into a table at several times what
/// it takes to look them up.
const ROWS_SHARE: usize = 4;
/// Of the device's memory, what gathered rows may take: a part of so many.
const BYTES_SHARE: usize = 8;

/// See the module.
#[derive(Debug)]
pub struct Sides<'a> {
    /// Where rows go first: through all joins, or those before the undecided one.
    joins: Joins,
    open: Option<Open<'a>>,
    is_swapped: bool,
}

/// A join that is undecided, or was when the present batch came, and what is behind it.
#[derive(Debug)]
struct Open<'a> {
    stages: &'a [Stage],
    at: usize,
    before: Vec<Arc<Table>>,
    after: Vec<Arc<Table>>,
    /// None when it is decided.
    build: Option<Box<Gathered<'a>>>,
    gathered: Build,
    rows_max: usize,
    bytes_max: usize,
    /// When its table was made as planned: this join and those behind it.
    planned: Option<Planned>,
}

#[derive(Debug)]
struct Planned {
    table: Arc<Table>,
    joins: Joins,
}

impl<'a> Sides<'a> {
    /// The joins of `stages`, as [`settled_sync`] left their sides.
    pub fn new(gpu: &Gpu, stages: &'a [Stage], sides: Vec<Side<'a>>, force: Force) -> Self {
        let (mut before, mut after, mut open) = (Vec::new(), Vec::new(), None);
        for (at, side) in sides.into_iter().enumerate() {
            match side {
                Side::Table(table) if open.is_none() => before.push(table),
                Side::Table(table) => after.push(table),
                Side::Rows(build) => open = Some((at, build)),
            }
        }
        let open = open.map(|(at, build)| {
            let (rows_max, bytes_max) = match force {
                Force::Swap => (usize::MAX, usize::MAX),
                _ => (
                    build.rows() / ROWS_SHARE,
                    gpu.device.memory_limit_bytes() / BYTES_SHARE,
                ),
            };
            Open {
                stages,
                at,
                before: before.clone(),
                after,
                build: Some(build),
                gathered: other_side(&stages[at], force),
                rows_max,
                bytes_max,
                planned: None,
            }
        });
        let decided = open.as_ref().map_or(stages.len(), |open| open.at);
        Self {
            joins: Joins::new(&stages[..decided], before),
            open,
            is_swapped: false,
        }
    }

    /// Whether no row of the source can leave, because a table is empty; what is left in others still can.
    pub fn is_void(&self) -> bool {
        self.open.is_none() && self.joins.is_void()
    }

    /// Whether a table was made of the rows that were to go through it.
    pub fn is_swapped(&self) -> bool {
        self.is_swapped
    }

    /// Sends the rows of `batch`, which `space` holds, as far as they go now.
    pub fn push_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: &Space,
        out: &mut Leaving<'_>,
    ) -> Result<ControlFlow<()>> {
        let Some(open) = &mut self.open else {
            return self.joins.push_sync(gpu, times, batch, space, out);
        };
        let pushed = self
            .joins
            .push_sync(gpu, times, batch, space, &mut |batch, space| {
                open.take_sync(gpu, times, batch, space, out)
            })?;
        if let Some(planned) = open.planned.take() {
            // The next batches go through all joins at once.
            self.joins = match open.at {
                0 => planned.joins,
                _ => {
                    let tables = open.before.drain(..).chain([planned.table]);
                    Joins::new(open.stages, tables.chain(open.after.drain(..)).collect())
                }
            };
            self.open = None;
        }
        Ok(pushed)
    }

    /// To be called when all rows have been pushed. Returns those that are to be pushed then, which are those of the build
    /// side if the sides changed places.
    pub fn end_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        out: &mut Leaving<'_>,
    ) -> Result<ControlFlow<(), Vec<(DeviceBatch, Space)>>> {
        let Some(mut open) = self.open.take() else {
            return Ok(ControlFlow::Continue(Vec::new()));
        };
        // What is left in tables before it comes to it too.
        let left = self.joins.finish_sync(gpu, times, &mut |batch, space| {
            open.take_sync(gpu, times, batch, space, out)
        })?;
        if left.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let mut rows = Vec::new();
        if let Some(planned) = open.planned {
            self.joins = planned.joins;
        } else if let Some(build) = open.build.take() {
            self.is_swapped = true;
            (self.joins, rows) = open.swapped_sync(gpu, times, *build)?;
        }
        Ok(ControlFlow::Continue(rows))
    }

    /// Sends what is left in tables through the joins after them, when nothing is to be pushed any more.
    pub fn finish_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        out: &mut Leaving<'_>,
    ) -> Result<ControlFlow<()>> {
        self.joins.finish_sync(gpu, times, out)
    }
}

impl Open<'_> {
    /// Rows that come to the join.
    fn take_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: Space,
        out: &mut Leaving<'_>,
    ) -> Result<ControlFlow<()>> {
        if let Some(planned) = &mut self.planned {
            return planned.joins.push_sync(gpu, times, batch, &space, out);
        }
        self.gathered.add_sync(gpu, times, batch, space)?;
        let kept = self.gathered.kept();
        let is_beyond = kept.rows() > self.rows_max || kept.bytes() > self.bytes_max;
        match self.build.take_if(|_| is_beyond) {
            Some(build) => self.as_planned_sync(gpu, times, *build, out),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    /// Makes the table of the rows of `build`, and sends what was gathered through it, each batch let go when that is done.
    fn as_planned_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        build: Gathered<'_>,
        out: &mut Leaving<'_>,
    ) -> Result<ControlFlow<()>> {
        let stages = &self.stages[self.at..];
        let join = &stages[0].join;
        tracing::debug!(
            join = self.at,
            build_rows = build.rows(),
            gathered_rows = self.gathered.kept().rows(),
            "the sides of a join stay where they are"
        );
        let table = build.table_sync(gpu, &join.table)?;
        let tables = std::iter::once(&table).chain(&self.after).cloned();
        let planned = self.planned.insert(Planned {
            table: Arc::clone(&table),
            joins: Joins::new(stages, tables.collect()),
        });
        for (mut batch, space) in self.gathered.take_batches() {
            batch.columns.truncate(join.input.fields().len());
            if planned
                .joins
                .push_sync(gpu, times, batch, &space, out)?
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Makes the table of what was gathered. Returns it with the joins behind it, and the rows that are to go through.
    fn swapped_sync(
        self,
        gpu: &Gpu,
        times: &KernelTimes,
        mut build: Gathered<'_>,
    ) -> Result<(Joins, Vec<(DeviceBatch, Space)>)> {
        let stage = &self.stages[self.at];
        tracing::debug!(
            join = self.at,
            build_rows = build.rows(),
            gathered_rows = self.gathered.kept().rows(),
            "the sides of a join change places"
        );
        let Swapped {
            stage: swapped,
            order,
        } = Swapped::of(stage, &build.build);
        let table = self
            .gathered
            .finish_sync(gpu, times, &stage.join.input, &[], build.space)?;
        let after = Joins::new(&self.stages[self.at + 1..], self.after);
        let joins = Joins::new(&[swapped], vec![Arc::new(table)]).then(order, after);
        let rows = match joins.is_void() {
            true => Vec::new(),
            false => build.build.take_batches(),
        };
        Ok((joins, rows))
    }
}
