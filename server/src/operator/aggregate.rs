//! Aggregation: rows find their groups and are added to them; at the end groups become rows.

use std::sync::Arc;

use kernels::group::GroupTable;
use kernels::{Buffer, ErrorWord};

use super::columns::{addresses, filled, new_column_sync};
use super::distinct::Distinct;
use super::group_keys::GroupKeys;
use super::ordered::Ordered;
use super::program::{More, Program, Programs, Shape};
use super::{Force, Gpu, KernelTimes, Result, unplanned};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space};
use crate::pipeline::AggregateSpec;
use crate::pipeline::aggregate::{Accumulator, Finish};
use crate::pipeline::expr::Expr;
use crate::pipeline::kernels::{
    BLOCK_THREADS, FINISH, Strategy, UPDATE, find_groups, finish, update, update_extremes,
};

/// Groups that a table starts with room for.
const GROUPS_MIN: usize = 1 << 14;
/// The same where tables are made to grow.
const GROUPS_FORCED: usize = 4;
/// Groups for which a block's memory is the place, where there is one.
const GROUPS_FEW: usize = 128;
/// Shared memory of a block that leaves room for two blocks a multiprocessor.
const SHARED_BYTES: usize = 100 << 10;

/// The state of one aggregation, on a stream of its own.
#[derive(Debug)]
pub struct Aggregate {
    spec: AggregateSpec,
    filters: Vec<Expr>,
    keys: GroupKeys,
    space: Space,
    table: GroupTable,
    /// By grouping set.
    finders: Programs<usize>,
    updaters: Programs<Strategy>,
    extremes: Programs<()>,
    /// The sets of different values that accumulators want.
    distincts: Vec<Distinct>,
    /// One a value that takes rows in order.
    ordered: Vec<Ordered>,
    force: Force,
}

impl Aggregate {
    /// An aggregation of rows for which all `filters` are true, without rows yet. `space` is its own.
    pub fn new(
        gpu: &Gpu,
        spec: AggregateSpec,
        filters: Vec<Expr>,
        force: Force,
        space: Space,
    ) -> Result<Self> {
        let keys = GroupKeys::new(&spec)?;
        let table = new_table(gpu, &keys, &spec, force, &space)?;
        let mut distincts: Vec<Distinct> = Vec::new();
        for (_, wants) in wanting_sets(&spec) {
            if !distincts.iter().any(|known| known.serves(wants)) {
                distincts.push(Distinct::new(gpu, wants, &space)?);
            }
        }
        Ok(Self {
            distincts,
            ordered: spec.ordered.iter().cloned().map(Ordered::new).collect(),
            keys,
            spec,
            filters,
            space,
            table,
            finders: Programs::default(),
            updaters: Programs::default(),
            extremes: Programs::default(),
            force,
        })
    }

    /// Adds the rows of `batch`. Waits for the device to learn whether the table had room for their groups.
    pub fn add_sync(&mut self, gpu: &Gpu, times: &KernelTimes, batch: &DeviceBatch) -> Result<()> {
        if batch.rows == 0 {
            return Ok(());
        }
        let error = self.space.error_word_sync()?;
        let added = match self.spec.keys.is_empty() {
            true => self.add_to_groups(gpu, times, batch, None, 1, &error),
            false => self.add_grouped(gpu, times, batch, &error),
        };
        error.check_sync(&self.space.stream, UPDATE)?;
        self.space.shrink();
        added
    }

    /// Adds the rows to their groups, one of each grouping set.
    fn add_grouped(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        error: &ErrorWord,
    ) -> Result<()> {
        let (spec, force, space) = (&self.spec, self.force, &self.space);
        if self
            .keys
            .settle_sync(gpu, times, spec, batch, force, error, space)?
        {
            self.table = new_table(gpu, &self.keys, spec, force, space)?;
        }
        let wide = self.keys.beside_sync(gpu, times, batch, error, space)?;
        for set in 0..self.spec.sets.len().max(1) {
            let (groups, count) = self.find_sync(gpu, times, &wide, set, error)?;
            self.add_to_groups(gpu, times, batch, Some(&groups), count, error)?;
        }
        Ok(())
    }

    /// The group of each row in a grouping set, and how many groups there are.
    fn find_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        set: usize,
        error: &ErrorWord,
    ) -> Result<(Arc<Buffer>, usize)> {
        let keys = self.keys.grouping.of_set(set);
        let (filters, layout) = (&self.filters, &self.keys.grouping.layout);
        let program = self.finders.of(gpu, times, batch, set, |columns| {
            // A row of no columns stands for a set without keys: nothing filters it.
            let filters: &[Expr] = if columns.is_empty() { &[] } else { filters };
            find_groups(columns, filters, keys, layout)
        })?;
        let groups = self.space.take_sync(batch.rows * 4)?;
        let table = &mut self.table;
        let fill =
            program.enter_new_sync(&self.space, times, batch, Some(&groups), table, error, self.force)?;
        Ok((Arc::new(groups), fill.count))
    }

    /// Without any row, a grouping set of no keys still has its one group.
    fn enter_empty_sets_sync(&mut self, gpu: &Gpu, times: &KernelTimes) -> Result<()> {
        let empty: Vec<usize> = (0..self.spec.sets.len())
            .filter(|&set| self.spec.lacks_keys(set))
            .collect();
        if empty.is_empty() || self.table.fill_sync()?.count > 0 {
            return Ok(());
        }
        let row = DeviceBatch {
            rows: 1,
            columns: Vec::new(),
        };
        let error = self.space.error_word_sync()?;
        for set in empty {
            self.find_sync(gpu, times, &row, set, &error)?;
        }
        Ok(error.check_sync(&self.space.stream, UPDATE)?)
    }

    fn add_to_groups(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        grouped: Option<&Arc<Buffer>>,
        group_count: usize,
        error: &ErrorWord,
    ) -> Result<()> {
        let groups = grouped.map(Arc::as_ref);
        if self.spec.has(Accumulator::is_plain) {
            self.update(gpu, times, batch, groups, group_count, error)?;
        }
        let (filters, spec) = (&self.filters, &self.spec);
        if spec.has(|added| added.combine.is_extreme()) {
            let program = self.extremes.of(gpu, times, batch, (), |columns| {
                update_extremes(columns, filters, spec)
            })?;
            program.enter_sync(
                batch.rows,
                &self.space,
                times,
                batch,
                groups,
                &mut self.table,
                error,
            )?;
        }
        for distinct in &mut self.distincts {
            distinct.add_sync(gpu, times, batch, filters, groups, error, &self.space, self.force)?;
        }
        for ordered in &mut self.ordered {
            ordered.add_sync(gpu, times, batch, filters, grouped, &self.space)?;
        }
        Ok(())
    }

    fn update(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        groups: Option<&Buffer>,
        group_count: usize,
        error: &ErrorWord,
    ) -> Result<()> {
        let (strategy, shape) = self.strategy(gpu, groups.is_some(), group_count);
        let (filters, spec) = (&self.filters, &self.spec);
        let program = self.updaters.of(gpu, times, batch, strategy, |columns| {
            update(columns, filters, spec, strategy)
        })?;
        let (space, table) = (&self.space, &self.table);
        let more = [
            More::optional(groups),
            More::View(table.state()),
            More::U64(table.capacity() as u64),
            More::U32(group_count as u32),
        ];
        times.timed(space, || {
            program.launch(space, batch, batch.rows, None, error.view(), shape, &more)
        })?;
        Ok(())
    }

    /// Where rows are added up, by the number of groups.
    fn strategy(&self, gpu: &Gpu, grouped: bool, group_count: usize) -> (Strategy, Shape) {
        if !grouped {
            return (Strategy::Registers, Shape::default());
        }
        if self.force == Force::Groups {
            return (Strategy::Global, Shape::default());
        }
        let (strategy, bytes) = placed(
            &self.spec,
            group_count,
            gpu.device.info().shared_bytes_max as usize,
        );
        let shape = Shape {
            shared_bytes: bytes as u32,
        };
        (strategy, shape)
    }

    /// The groups as rows: their keys, then the outcomes.
    pub fn finish_sync(mut self, gpu: &Gpu, times: &KernelTimes, space: &Space) -> Result<DeviceBatch> {
        self.enter_empty_sets_sync(gpu, times)?;
        let table = &self.table;
        let rows = match self.spec.keys.is_empty() {
            true => 1,
            false => table.fill_sync()?.count,
        };
        for (start, wants) in wanting_sets(&self.spec) {
            let set = self.distincts.iter().find(|set| set.serves(wants));
            let set = set.ok_or_else(|| unplanned("an accumulator without its set".into()))?;
            let (state, capacity) = (table.state(), table.capacity());
            set.finish_sync(gpu, times, wants, start, state, capacity, &self.space)?;
        }
        // What was queued on the table's own stream comes first: its buffers order that.
        let mut columns = self.columns(rows, space)?;
        let generated = finish(&self.spec, &self.keys.grouping.layout).map_err(unplanned)?;
        let program = Program::compile(gpu, times, generated)?;
        let outputs = space.upload_sync(&addresses(&columns))?;
        let error = space.error_word_sync()?;
        let args = kernels::Args::new()
            .view(table.keys())
            .view(table.state())
            .value(table.capacity() as u64)
            .value(rows as u64)
            .buffer(&outputs)
            .view(error.view());
        let args = filled(&columns).fold(args, |args, buffer| args.also_uses(buffer));
        times.timed(space, || {
            let grid = kernels::Grid::covering(rows, BLOCK_THREADS as usize, BLOCK_THREADS);
            Ok(space.stream.launch(program.kernel(), grid, &args)?)
        })?;
        drop(args);
        if rows > 0 {
            let is_text = |column: &&DeviceColumn| column.repr == Repr::Str;
            let keys = &columns[..self.spec.keys.len()];
            for (text, column) in keys.iter().filter(is_text).enumerate() {
                let target = column.values.slice(0..rows * Repr::Str.width())?;
                table.references(text, rows, target)?;
            }
        }
        self.keys.put_strings_sync(gpu, &mut columns, rows, space)?;
        error.check_sync(&space.stream, FINISH)?;
        // References lead into the table.
        let owners = self.table.into_owners();
        for column in columns.iter_mut().filter(|column| column.repr == Repr::Str) {
            column.owners.extend(owners.iter().cloned());
        }
        for (outcome, column) in self
            .spec
            .outcomes
            .iter()
            .zip(&mut columns[self.spec.keys.len()..])
        {
            if let Finish::Ordered(place) = outcome.finish {
                *column = self.ordered[place].finish_sync(gpu, times, rows, space)?;
            }
        }
        Ok(DeviceBatch { rows, columns })
    }

    fn columns(&self, rows: usize, space: &Space) -> Result<Vec<DeviceColumn>> {
        let keys = self.keys.grouping.keys.exprs.iter();
        let keys = keys.map(|key| (&key.data_type, key.nullable));
        let outcomes = self.spec.outcomes.iter();
        let outcomes = outcomes.map(|outcome| (&outcome.data_type, outcome.may_be_null()));
        keys.chain(outcomes)
            .map(|(data_type, nullable)| new_column_sync(data_type, nullable, rows, space))
            .collect()
    }
}

/// A table without groups.
fn new_table(
    gpu: &Gpu,
    keys: &GroupKeys,
    spec: &AggregateSpec,
    force: Force,
    space: &Space,
) -> Result<GroupTable> {
    let capacity = match force {
        _ if spec.keys.is_empty() => 1,
        Force::SmallTables => GROUPS_FORCED,
        _ => GROUPS_MIN,
    };
    let (stream, reservation) = (&space.stream, &space.reservation);
    let shape = keys.grouping.shape(spec);
    Ok(GroupTable::new(
        &gpu.grouper,
        stream,
        reservation,
        shape,
        capacity,
    )?)
}

/// The accumulators that want a set of different values, each with the first word of its state.
pub(super) fn wanting_sets(spec: &AggregateSpec) -> impl Iterator<Item = (usize, &Accumulator)> {
    let (starts, _) = spec.layout();
    let all = starts.into_iter().zip(&spec.accumulators);
    all.filter(|(_, added)| added.wants_set())
}

/// Where rows of `group_count` groups are added up, and the bytes of a block's memory that it takes.
fn placed(spec: &AggregateSpec, group_count: usize, shared_bytes_max: usize) -> (Strategy, usize) {
    let (_, words) = spec.layout();
    let block = group_count * words * 8;
    let latched = spec.has(|added| added.combine.is_latched());
    let room = SHARED_BYTES.min(shared_bytes_max);
    match block {
        bytes if bytes * BLOCK_THREADS as usize <= room => {
            (Strategy::Private, bytes * BLOCK_THREADS as usize)
        }
        // What is kept under a latch has no place in a block's memory.
        bytes if bytes <= room && !latched => (Strategy::Shared, bytes),
        _ => (Strategy::Global, 0),
    }
}

/// All strategies that an aggregation may come to use, the likeliest first. Keys of few bits or of short names are
/// thought to have few values, others many.
pub(super) fn strategies(spec: &AggregateSpec, shared_bytes_max: usize) -> Vec<Strategy> {
    if spec.keys.is_empty() {
        return vec![Strategy::Registers];
    }
    let narrow =
        |key: &Expr| Repr::of(&key.data_type).is_some_and(|repr| repr.width() <= 2 || repr == Repr::Str);
    let mut found = Vec::new();
    for group_count in [1, GROUPS_FEW, GROUPS_MIN, usize::MAX >> 32] {
        let (strategy, _) = placed(spec, group_count, shared_bytes_max);
        if !found.contains(&strategy) {
            found.push(strategy);
        }
    }
    if !spec.keys.iter().all(narrow) {
        found.reverse();
    }
    found
}
