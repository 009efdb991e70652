//! Different values of an argument, counted a group: a set of groups and values, counted at the end.

use kernels::group::{GroupShape, GroupTable};
use kernels::{Buffer, ErrorWord, View};

use super::program::{Program, Programs};
use super::{Force, Gpu, KernelTimes, Result, unplanned};
use crate::batch::{DeviceBatch, Space};
use crate::pipeline::aggregate::{Accumulator, Combine};
use crate::pipeline::expr::Expr;
use crate::pipeline::kernels::{BLOCK_THREADS, fold_members, insert_distinct, member_layout};

/// Members that a set starts with room for.
const MEMBERS_MIN: usize = 1 << 16;

/// The values of one argument so far.
#[derive(Debug)]
pub(super) struct Distinct {
    argument: Expr,
    filter: Option<Expr>,
    set: GroupTable,
    programs: Programs<()>,
}

impl Distinct {
    /// An empty set for the argument of `accumulator`.
    pub(super) fn new(gpu: &Gpu, accumulator: &Accumulator, space: &Space) -> Result<Self> {
        let argument = accumulator
            .argument
            .clone()
            .ok_or_else(|| unplanned("a count of different values of nothing".into()))?;
        let layout = member_layout(&argument).map_err(unplanned)?;
        let shape = GroupShape {
            key_words: layout.words,
            texts: layout.texts,
            state: Vec::new(),
        };
        let (stream, reservation) = (&space.stream, &space.reservation);
        Ok(Self {
            argument,
            filter: accumulator.filter.clone(),
            set: GroupTable::new(&gpu.grouper, stream, reservation, shape, MEMBERS_MIN)?,
            programs: Programs::default(),
        })
    }

    /// Enters the rows of `batch`, whose groups are `groups`; without them there is one group, of the rows that
    /// `filters` keep.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn add_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        filters: &[Expr],
        groups: Option<&Buffer>,
        error: &ErrorWord,
        space: &Space,
        force: Force,
    ) -> Result<()> {
        let (argument, filter) = (&self.argument, self.filter.as_ref());
        let program = self.programs.of(gpu, times, batch, (), |columns| {
            insert_distinct(columns, filters, groups.is_some(), argument, filter)
        })?;
        program.enter_new_sync(space, times, batch, groups, &mut self.set, error, force)?;
        Ok(())
    }

    /// Whether this set is the one that `accumulator` wants.
    pub(super) fn serves(&self, accumulator: &Accumulator) -> bool {
        accumulator.argument.as_ref() == Some(&self.argument) && accumulator.filter == self.filter
    }

    /// Adds the values of each group to its `accumulator`, or their number if that is what it counts. `state` is the state
    /// of `capacity` groups, in which `start` is the accumulator's first word.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn finish_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        accumulator: &Accumulator,
        start: usize,
        state: View<'_>,
        capacity: usize,
        space: &Space,
    ) -> Result<()> {
        if accumulator.combine == Combine::CountDistinct {
            let words = start * capacity * 8..(start + 1) * capacity * 8;
            return Ok(self.set.count_members_sync(state.slice(words)?)?);
        }
        let members = self.set.fill_sync()?.count;
        if members == 0 {
            return Ok(());
        }
        let generated = fold_members(accumulator, start).map_err(unplanned)?;
        let program = Program::compile(gpu, times, generated)?;
        let args = kernels::Args::new()
            .view(self.set.header())
            .view(state)
            .value(capacity as u64);
        let uses = self.set.uses();
        let args = uses.into_iter().fold(args, |args, buffer| args.also_uses(buffer));
        times.timed(space, || {
            let grid = kernels::Grid::covering(members, BLOCK_THREADS as usize, BLOCK_THREADS);
            Ok(space.stream.launch(program.kernel(), grid, &args)?)
        })
    }
}
