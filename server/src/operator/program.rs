//! Generated kernels, compiled for the shapes of the batches that meet them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use kernels::group::{Fill, GroupTable};
use kernels::{Args, Buffer, ErrorWord, Event, Grid, Kernel, View};

use super::columns::{addresses, lists, used};
use super::growth::Parts;
use super::{Force, Gpu, Result, unplanned};
use crate::batch::{DeviceBatch, RowNumbers, Space};
use crate::pipeline::expr::{ColumnShape, Through};
use crate::pipeline::kernels::{BLOCK_THREADS, Generated};

/// Rows of a thread at least, before a launch has more blocks.
const THREAD_ROWS: usize = 4;

/// What the kernels of one pipeline cost.
#[derive(Debug, Default)]
pub struct KernelTimes {
    compile_ns: AtomicU64,
    /// Launches that may still run: their start and end.
    launches: Mutex<Vec<(Event, Event)>>,
    run_ns: AtomicU64,
    /// Entries of dictionaries that work was done with in place of rows.
    entries: AtomicU64,
    /// Shapes that kernels were compiled for before there were batches.
    foreseen: Vec<Vec<ColumnShape>>,
}

impl KernelTimes {
    /// Of kernels that are compiled for columns of these shapes, before there are batches.
    pub fn of_foreseen(foreseen: Vec<Vec<ColumnShape>>) -> Self {
        Self {
            foreseen,
            ..Self::default()
        }
    }

    /// The shapes that a kernel for columns of `found` is made for: those foreseen, if they only add that a column may
    /// have validity. Kernels take the lack of it for rows that all are valid.
    pub(super) fn foreseen(&self, found: Vec<ColumnShape>) -> Vec<ColumnShape> {
        let covers = |foreseen: &&Vec<ColumnShape>| {
            let mut pairs = foreseen.iter().zip(&found);
            foreseen.len() == found.len() && pairs.all(|(all, one)| all.covers(one))
        };
        match self.foreseen.iter().find(covers) {
            Some(foreseen) => foreseen.clone(),
            None => found,
        }
    }

    /// Work was done with `count` entries of a dictionary in place of the rows that are read through them.
    pub fn entries(&self, count: usize) {
        self.entries.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How many that were in all.
    pub fn entry_count(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Nanoseconds of compiling or loading.
    pub fn compile_ns(&self) -> u64 {
        self.compile_ns.load(Ordering::Relaxed)
    }

    /// Nanoseconds of the device between the start and the end of each launch that is over.
    pub fn run_ns(&self) -> u64 {
        self.settle();
        self.run_ns.load(Ordering::Relaxed)
    }

    fn settle(&self) {
        let mut launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        launches.retain(|(start, end)| {
            // An error here is the launch's own, and reported where its result is read.
            if !end.is_done().unwrap_or(true) {
                return true;
            }
            let elapsed = end.since(start).unwrap_or_default();
            self.run_ns
                .fetch_add(elapsed.as_nanos() as u64, Ordering::Relaxed);
            false
        });
    }

    /// Runs `work`, and counts what it queues on the stream of `space` as kernels of this pipeline.
    pub fn timed<T>(&self, space: &Space, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = space.stream.record()?;
        let done = work()?;
        let end = space.stream.record()?;
        let mut launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        launches.push((start, end));
        let many = launches.len() > 64;
        drop(launches);
        if many {
            self.settle();
        }
        Ok(done)
    }

    /// Counts `work` as compiling.
    pub fn compiling<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.compile_ns
            .fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }
}

/// A compiled kernel and its literals.
#[derive(Debug)]
pub(super) struct Program {
    kernel: Kernel,
    literals: Vec<u8>,
}

/// The programs of one kernel, by the shapes of its input and whatever else tells them apart.
#[derive(Debug)]
pub(super) struct Programs<K> {
    known: HashMap<(Vec<ColumnShape>, K), Arc<Program>>,
}

impl<K> Default for Programs<K> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
        }
    }
}

impl<K: std::hash::Hash + Eq + Clone> Programs<K> {
    /// The program for `batch`, made by `generate` if it is new.
    pub(super) fn of(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        key: K,
        generate: impl FnOnce(&[ColumnShape]) -> Result<Generated, String>,
    ) -> Result<Arc<Program>> {
        let key = (times.foreseen(shapes(batch)), key);
        if let Some(program) = self.known.get(&key) {
            return Ok(Arc::clone(program));
        }
        let generated = generate(&key.0).map_err(unplanned)?;
        let program = Arc::new(Program::compile(gpu, times, generated)?);
        self.known.insert(key, Arc::clone(&program));
        Ok(program)
    }
}

impl Program {
    pub(super) fn compile(gpu: &Gpu, times: &KernelTimes, generated: Generated) -> Result<Self> {
        let name = generated.source.kernels[0].to_string();
        let is_there = gpu.device.has_module(&generated.source);
        let start = Instant::now();
        let module = times.compiling(|| gpu.device.module(&generated.source))?;
        if !is_there {
            let elapsed_ms = start.elapsed().as_millis();
            tracing::debug!(kernel = name, elapsed_ms, "kernel waited for");
        }
        Ok(Self {
            kernel: module.kernel(&name)?,
            literals: generated.literals,
        })
    }

    pub(super) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Queues the kernel over `rows` rows, with the arguments that all kernels over rows begin with and those that
    /// `more` adds. `heap` is a `WfHeap`, where strings are made. Returns the literals, which strings may refer to.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn launch(
        &self,
        space: &Space,
        batch: &DeviceBatch,
        rows: usize,
        heap: Option<&Buffer>,
        error: View<'_>,
        shape: Shape,
        more: &[More<'_>],
    ) -> Result<Arc<Buffer>> {
        let literals = Arc::new(space.upload_sync(&self.literals)?);
        if rows == 0 {
            return Ok(literals);
        }
        let table = space.upload_sync(&addresses(&batch.columns))?;
        let args = Args::new()
            .buffer(&table)
            .value(rows as u64)
            .buffer(&literals)
            .optional_view(heap.map(Buffer::view))
            .view(error);
        let args = more.iter().fold(args, |args, more| more.added_to(args));
        let args = used(batch)
            .into_iter()
            .fold(args, |args, buffer| args.also_uses(buffer));
        let blocks = shape.blocks(space, &self.kernel, rows)?;
        let grid = Grid::new(blocks, BLOCK_THREADS).with_shared_bytes(shape.shared_bytes);
        space.stream.launch(&self.kernel, grid, &args)?;
        drop(args);
        Ok(literals)
    }

    /// Queues the kernel over all rows of `batch`, and counts it. Returns the literals, as [`Self::launch`] does.
    pub(super) fn run(
        &self,
        space: &Space,
        times: &KernelTimes,
        batch: &DeviceBatch,
        error: &ErrorWord,
        more: &[More<'_>],
    ) -> Result<Arc<Buffer>> {
        self.run_first(batch.rows, space, times, batch, error, more)
    }

    /// The same over the first `rows` rows.
    fn run_first(
        &self,
        rows: usize,
        space: &Space,
        times: &KernelTimes,
        batch: &DeviceBatch,
        error: &ErrorWord,
        more: &[More<'_>],
    ) -> Result<Arc<Buffer>> {
        times.timed(space, || {
            self.launch(space, batch, rows, None, error.view(), Shape::default(), more)
        })
    }

    /// Queues the kernel, which enters the first `rows` rows of `batch` into `table`, again with more room until every one
    /// found some; waits to learn whether it did. Returns how full the table is then.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn enter_sync(
        &self,
        rows: usize,
        space: &Space,
        times: &KernelTimes,
        batch: &DeviceBatch,
        groups: Option<&Buffer>,
        table: &mut GroupTable,
        error: &ErrorWord,
    ) -> Result<Fill> {
        loop {
            let mut more = vec![
                More::optional(groups),
                More::View(table.header()),
                More::View(table.state()),
            ];
            more.extend(table.uses().into_iter().map(More::Uses));
            self.run_first(rows, space, times, batch, error, &more)?;
            drop(more);
            let fill = table.fill_sync()?;
            if !fill.overflowed {
                return Ok(fill);
            }
            table.grow_sync()?;
        }
    }

    /// The same of all rows, which may have many new groups: the first of them say how much room all will take. `force` makes
    /// few rows the first.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn enter_new_sync(
        &self,
        space: &Space,
        times: &KernelTimes,
        batch: &DeviceBatch,
        groups: Option<&Buffer>,
        table: &mut GroupTable,
        error: &ErrorWord,
        force: Force,
    ) -> Result<Fill> {
        let mut parts = Parts::of(batch.rows, table, force == Force::SmallTables);
        let mut rows = parts.first();
        loop {
            let fill = self.enter_sync(rows, space, times, batch, groups, table, error)?;
            let Some((next, expected)) = parts.next(rows, fill.count, table.capacity()) else {
                return Ok(fill);
            };
            table.make_room_sync(expected)?;
            rows = next;
        }
    }
}

/// An argument after the common ones.
#[derive(Debug, Clone, Copy)]
pub(super) enum More<'a> {
    /// A number of 64 bits.
    U64(u64),
    /// A number of 32 bits.
    U32(u32),
    /// The address of memory.
    View(View<'a>),
    /// Memory that an address in other memory leads to.
    Uses(&'a Buffer),
}

impl<'a> More<'a> {
    /// The address of a buffer, or null.
    pub(super) fn optional(buffer: Option<&'a Buffer>) -> Self {
        buffer.map_or(Self::U64(0), |buffer| Self::View(buffer.view()))
    }

    fn added_to(self, args: Args<'a>) -> Args<'a> {
        match self {
            Self::U64(value) => args.value(value),
            Self::U32(value) => args.value(value),
            Self::View(view) => args.view(view),
            Self::Uses(buffer) => args.also_uses(buffer),
        }
    }
}

/// How a launch is laid out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// Dynamic shared memory of a block.
    pub(super) shared_bytes: u32,
}

impl Shape {
    fn blocks(self, space: &Space, kernel: &Kernel, rows: usize) -> Result<u32> {
        let device = space.device();
        let resident = device.blocks_per_multiprocessor(kernel, BLOCK_THREADS, self.shared_bytes)?;
        let most = resident.max(1) * device.info().multiprocessors.max(1);
        let enough = rows.div_ceil(BLOCK_THREADS as usize * THREAD_ROWS).max(1);
        Ok(most.min(u32::try_from(enough).unwrap_or(u32::MAX)))
    }
}

/// The shapes of a batch's columns.
pub(super) fn shapes(batch: &DeviceBatch) -> Vec<ColumnShape> {
    let lists = lists(&batch.columns);
    let through = |numbers: &RowNumbers| Through {
        list: lists
            .iter()
            .position(|list| list.address() == numbers.numbers.address())
            .unwrap_or_default(),
        may_miss: numbers.may_miss,
        are_codes: numbers.are_codes,
    };
    let shape = |column: &crate::batch::DeviceColumn| ColumnShape {
        repr: column.repr,
        nullable: column.validity.is_some(),
        through: column.through.as_ref().map(through),
    };
    batch.columns.iter().map(shape).collect()
}
