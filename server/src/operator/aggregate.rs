//! Aggregation: rows find their groups and are added to them; at the end groups become rows.

use std::sync::Arc;

use kernels::group::{Fill, GroupShape, GroupTable};
use kernels::{Buffer, ErrorWord};

use super::distinct::Distinct;
use super::program::{More, Program, Programs, Shape};
use super::{Failure, Gpu, KernelTimes, Result, unplanned};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space, bitmap_bytes};
use crate::pipeline::AggregateSpec;
use crate::pipeline::aggregate::Combine;
use crate::pipeline::expr::Expr;
use crate::pipeline::kernels::{
    BLOCK_THREADS, FINISH, KeyLayout, Strategy, find_groups, finish, key_layout, update, update_extremes,
};

/// Groups that a table starts with room for.
const GROUPS_MIN: usize = 1 << 14;
/// Shared memory of a block that leaves room for two blocks a multiprocessor.
const SHARED_BYTES: usize = 100 << 10;

/// The state of one aggregation, on a stream of its own.
#[derive(Debug)]
pub struct Aggregate {
    spec: AggregateSpec,
    filters: Vec<Expr>,
    layout: KeyLayout,
    space: Space,
    table: Option<GroupTable>,
    groups_min: usize,
    finders: Programs<()>,
    updaters: Programs<Strategy>,
    extremes: Programs<()>,
    /// Of the accumulators that count different values, in their order.
    distincts: Vec<Distinct>,
}

impl Aggregate {
    /// An aggregation of rows for which all `filters` are true, without rows yet. `space` is its own.
    pub fn new(spec: AggregateSpec, filters: Vec<Expr>, space: Space) -> Result<Self> {
        Ok(Self {
            layout: key_layout(&spec.keys).map_err(unplanned)?,
            spec,
            filters,
            space,
            table: None,
            groups_min: GROUPS_MIN,
            finders: Programs::default(),
            updaters: Programs::default(),
            extremes: Programs::default(),
            distincts: Vec::new(),
        })
    }

    /// The same with room for so many groups at first: for tests of growth.
    #[must_use]
    pub fn starting_with(mut self, groups: usize) -> Self {
        self.groups_min = groups;
        self
    }

    fn table(&mut self, gpu: &Gpu) -> Result<&mut GroupTable> {
        if self.table.is_none() {
            let shape = GroupShape {
                key_words: self.layout.words,
                texts: self.layout.texts.clone(),
                state: self.spec.initial_bytes(),
            };
            let capacity = if self.spec.keys.is_empty() {
                1
            } else {
                self.groups_min
            };
            let (stream, reservation) = (&self.space.stream, &self.space.reservation);
            self.table = Some(GroupTable::new(
                &gpu.grouper,
                stream,
                reservation,
                shape,
                capacity,
            )?);
        }
        self.table
            .as_mut()
            .ok_or_else(|| unplanned("no table of groups".into()))
    }

    /// Adds the rows of `batch`. Waits for the device to learn whether the table had room for their groups.
    pub fn add_sync(&mut self, gpu: &Gpu, times: &KernelTimes, batch: &DeviceBatch) -> Result<()> {
        if batch.rows == 0 {
            return Ok(());
        }
        self.space.room_sync(ErrorWord::RESERVED_BYTES)?;
        let error = ErrorWord::new(&self.space.stream, &self.space.reservation)?;
        let added = match self.spec.keys.is_empty() {
            true => self.add_to_groups(gpu, times, batch, None, 1, &error),
            false => self.add_grouped(gpu, times, batch, &error),
        };
        if let Some(raised) = error.read_sync(&self.space.stream)? {
            return Err(Failure::of_raised(raised));
        }
        self.space.shrink();
        added
    }

    fn add_grouped(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        error: &ErrorWord,
    ) -> Result<()> {
        let (filters, keys, layout) = (&self.filters, &self.spec.keys, &self.layout);
        let program = self.finders.of(gpu, times, batch, (), |columns| {
            find_groups(columns, filters, keys, layout)
        })?;
        let groups = self.space.take_sync(batch.rows * 4)?;
        let fill = loop {
            let fill = self.find(gpu, times, &program, batch, &groups, error)?;
            if !fill.overflowed {
                break fill;
            }
            self.table(gpu)?.grow_sync()?;
        };
        self.add_to_groups(gpu, times, batch, Some(&groups), fill.count, error)
    }

    fn add_to_groups(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        groups: Option<&Buffer>,
        group_count: usize,
        error: &ErrorWord,
    ) -> Result<()> {
        let has = |wanted: fn(Combine) -> bool| {
            let mut combines = self.spec.accumulators.iter().map(|added| added.combine);
            combines.any(wanted)
        };
        let (plain, extremes) = (has(Combine::is_plain), has(Combine::is_extreme));
        if plain {
            self.update(gpu, times, batch, groups, group_count, error)?;
        }
        if extremes {
            self.update_extremes(gpu, times, batch, groups, error)?;
        }
        self.add_distincts(gpu, times, batch, groups, error)
    }

    /// Enters rows into the sets of different values.
    fn add_distincts(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        groups: Option<&Buffer>,
        error: &ErrorWord,
    ) -> Result<()> {
        let counted = self.spec.accumulators.iter();
        let counted = counted.filter(|added| added.combine == Combine::CountDistinct);
        if self.distincts.is_empty() {
            let sets = counted.map(|accumulator| Distinct::new(gpu, accumulator, &self.space));
            self.distincts = sets.collect::<Result<_>>()?;
        }
        for distinct in &mut self.distincts {
            distinct.add_sync(gpu, times, batch, &self.filters, groups, error, &self.space)?;
        }
        Ok(())
    }

    /// Adds rows to what is kept under versions, again with more room where strings found none.
    fn update_extremes(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        groups: Option<&Buffer>,
        error: &ErrorWord,
    ) -> Result<()> {
        let (filters, spec) = (&self.filters, &self.spec);
        let program = self.extremes.of(gpu, times, batch, (), |columns| {
            update_extremes(columns, filters, spec)
        })?;
        let space = self.space.clone();
        loop {
            let table = self.table(gpu)?;
            let mut more = vec![
                match groups {
                    Some(groups) => More::View(groups.view()),
                    None => More::U64(0),
                },
                More::View(table.state()),
                More::U64(table.capacity() as u64),
                More::View(table.header()),
            ];
            more.extend(table.uses().into_iter().map(More::Uses));
            times.timed(&space, || {
                program.launch(
                    &space,
                    batch,
                    batch.rows,
                    None,
                    error.view(),
                    Shape::default(),
                    &more,
                )
            })?;
            drop(more);
            if !table.fill_sync()?.overflowed {
                return Ok(());
            }
            table.grow_sync()?;
        }
    }

    fn find(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        program: &Program,
        batch: &DeviceBatch,
        groups: &Buffer,
        error: &ErrorWord,
    ) -> Result<Fill> {
        let space = self.space.clone();
        let table = self.table(gpu)?;
        let mut more = vec![More::View(table.header()), More::View(groups.view())];
        more.extend(table.uses().into_iter().map(More::Uses));
        times.timed(&space, || {
            program.launch(
                &space,
                batch,
                batch.rows,
                None,
                error.view(),
                Shape::default(),
                &more,
            )
        })?;
        drop(more);
        Ok(table.fill_sync()?)
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
        let space = self.space.clone();
        let table = self.table(gpu)?;
        let more = [
            match groups {
                Some(groups) => More::View(groups.view()),
                None => More::U64(0),
            },
            More::View(table.state()),
            More::U64(table.capacity() as u64),
            More::U32(group_count as u32),
        ];
        times.timed(&space, || {
            program.launch(&space, batch, batch.rows, None, error.view(), shape, &more)
        })?;
        Ok(())
    }

    /// Where rows are added up, by the number of groups.
    fn strategy(&self, gpu: &Gpu, grouped: bool, group_count: usize) -> (Strategy, Shape) {
        if !grouped {
            return (Strategy::Registers, Shape::default());
        }
        let (_, words) = self.spec.layout();
        let block = group_count * words * 8;
        let mut combines = self.spec.accumulators.iter().map(|added| added.combine);
        let latched = combines.any(|combine| combine == Combine::Moments);
        let room = SHARED_BYTES.min(gpu.device.info().shared_bytes_max as usize);
        let (strategy, bytes) = match block {
            bytes if bytes * BLOCK_THREADS as usize <= room => {
                (Strategy::Private, bytes * BLOCK_THREADS as usize)
            }
            // What is kept under a latch has no place in a block's memory.
            bytes if bytes <= room && !latched => (Strategy::Shared, bytes),
            _ => (Strategy::Global, 0),
        };
        let shape = Shape {
            shared_bytes: bytes as u32,
        };
        (strategy, shape)
    }

    /// The groups as rows: their keys, then the outcomes. The aggregation is empty after this.
    pub fn finish_sync(&mut self, gpu: &Gpu, times: &KernelTimes, space: &Space) -> Result<DeviceBatch> {
        self.table(gpu)?;
        let Some(table) = self.table.take() else {
            return Err(unplanned("no table of groups".into()));
        };
        let rows = match self.spec.keys.is_empty() {
            true => 1,
            false => table.fill_sync()?.count,
        };
        let (starts, _) = self.spec.layout();
        let counted = self.spec.accumulators.iter().zip(starts);
        let counted = counted.filter(|(added, _)| added.combine == Combine::CountDistinct);
        for ((_, word), distinct) in counted.zip(self.distincts.drain(..)) {
            let first = word * table.capacity() * 8;
            distinct.finish_sync(table.state().slice(first..first + table.capacity() * 8)?)?;
        }
        // What was queued on the table's own stream comes first: its buffers order that.
        let mut columns = self.columns(rows, space)?;
        let generated = finish(&self.spec, &self.layout).map_err(unplanned)?;
        let program = Program::compile(gpu, times, generated)?;
        let addresses: Vec<[u64; 2]> = columns
            .iter()
            .map(|column| {
                let validity = column.validity.as_ref().map_or(0, |validity| validity.address());
                [column.values.address(), validity]
            })
            .collect();
        let outputs = space.upload_sync(&addresses)?;
        space.room_sync(ErrorWord::RESERVED_BYTES)?;
        let error = ErrorWord::new(&space.stream, &space.reservation)?;
        let mut args = kernels::Args::new()
            .view(table.keys())
            .view(table.state())
            .value(table.capacity() as u64)
            .value(rows as u64)
            .buffer(&outputs)
            .view(error.view());
        for column in &columns {
            args = args.also_uses(&column.values);
            if let Some(validity) = &column.validity {
                args = args.also_uses(validity);
            }
        }
        debug_assert_eq!(program.kernel().name(), FINISH);
        times.timed(space, || {
            let grid = kernels::Grid::covering(rows, BLOCK_THREADS as usize, BLOCK_THREADS);
            Ok(space.stream.launch(program.kernel(), grid, &args)?)
        })?;
        drop(args);
        if rows > 0 {
            let texts = self.layout.keys.iter().enumerate();
            let texts = texts
                .filter(|(_, (_, repr))| *repr == Repr::Str)
                .map(|(column, _)| column);
            for (text, column) in texts.enumerate() {
                let target = columns[column].values.slice(0..rows * Repr::Str.width())?;
                table.references(text, rows, target)?;
            }
        }
        if let Some(raised) = error.read_sync(&space.stream)? {
            return Err(Failure::of_raised(raised));
        }
        // References lead into the table.
        let owners = table.into_owners();
        for column in columns.iter_mut().filter(|column| column.repr == Repr::Str) {
            column.owners = owners.clone();
        }
        Ok(DeviceBatch { rows, columns })
    }

    fn columns(&self, rows: usize, space: &Space) -> Result<Vec<DeviceColumn>> {
        let keys = self.spec.keys.iter().map(|key| (&key.data_type, key.nullable));
        let outcomes = self
            .spec
            .outcomes
            .iter()
            .map(|outcome| (&outcome.data_type, outcome.may_be_null()));
        let column = |(data_type, nullable): (&arrow::datatypes::DataType, bool)| {
            let repr = Repr::of(data_type)
                .ok_or_else(|| unplanned(format!("values of type {data_type} are not held on the GPU")))?;
            Ok(DeviceColumn {
                data_type: data_type.clone(),
                repr,
                values: Arc::new(space.take_sync(repr.bytes(rows))?),
                validity: match nullable {
                    true => Some(Arc::new(space.take_sync(bitmap_bytes(rows))?)),
                    false => None,
                },
                owners: Vec::new(),
            })
        };
        keys.chain(outcomes).map(column).collect()
    }
}
