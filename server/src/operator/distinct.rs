//! Different values of an argument, counted a group: a set of groups and values, counted at the end.

use kernels::group::{GroupShape, GroupTable};
use kernels::{Buffer, ErrorWord, View};

use super::codes::is_coded;
use super::interner::Interner;
use super::numbered::Numbered;
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
    /// What is entered of a row: the argument, or the number of the string that it is.
    member: Numbered,
    /// Of the strings that members stand for, if they do.
    interner: Option<Interner>,
    set: GroupTable,
    programs: Programs<()>,
    is_settled: bool,
}

impl Distinct {
    /// An empty set for the argument of `accumulator`.
    pub(super) fn new(gpu: &Gpu, accumulator: &Accumulator, space: &Space) -> Result<Self> {
        let argument = accumulator
            .argument
            .clone()
            .ok_or_else(|| unplanned("a count of different values of nothing".into()))?;
        let member = Numbered::of(std::slice::from_ref(&argument), 0, |_, _| false);
        Ok(Self {
            set: new_set(gpu, &member, space)?,
            member,
            argument,
            filter: accumulator.filter.clone(),
            interner: None,
            programs: Programs::default(),
            is_settled: false,
        })
    }

    /// Has strings stand as numbers where the first rows are read through codes.
    fn settle_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        force: Force,
        error: &ErrorWord,
        space: &Space,
    ) -> Result<()> {
        let coded = |_, column: usize| is_coded(&batch.columns[column], batch.rows);
        let member = Numbered::of(std::slice::from_ref(&self.argument), batch.columns.len(), coded);
        if !member.is_empty() {
            self.set = new_set(gpu, &member, space)?;
            self.interner = Some(Interner::new_sync(gpu, times, force, error, space)?);
            self.member = member;
        }
        self.is_settled = true;
        Ok(())
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
        if !self.is_settled {
            self.settle_sync(gpu, times, batch, force, error, space)?;
        }
        let interner = self.interner.as_mut();
        let numbered = interner
            .map(|interner| interner.beside_sync(gpu, times, batch, &self.member, error, space))
            .transpose()?;
        let batch = numbered.as_ref().unwrap_or(batch);
        let (member, filter) = (&self.member.exprs[0], self.filter.as_ref());
        let program = self.programs.of(gpu, times, batch, (), |columns| {
            insert_distinct(columns, filters, groups.is_some(), member, filter)
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

/// A set without members.
fn new_set(gpu: &Gpu, member: &Numbered, space: &Space) -> Result<GroupTable> {
    let layout = member_layout(&member.exprs[0]).map_err(unplanned)?;
    let shape = GroupShape {
        key_words: layout.words,
        texts: layout.texts,
        state: Vec::new(),
    };
    let (stream, reservation) = (&space.stream, &space.reservation);
    Ok(GroupTable::new(
        &gpu.grouper,
        stream,
        reservation,
        shape,
        MEMBERS_MIN,
    )?)
}
