//! Windows: rows are kept until all have come, sorted, and leave with what functions say of each among its partition.

use std::sync::Arc;

use arrow::datatypes::DataType;
use kernels::window::{Segments, Windower};
use kernels::{Buffer, ErrorWord, View};

use super::columns::{addresses, filled, keyed, new_column_sync, owners_of};
use super::kept::Kept;
use super::program::{More, Program, shapes};
use super::{Failure, Foreseen, Gpu, KernelTimes, Result, Rows, Sort, unplanned};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space, bitmap_bytes};
use crate::pipeline::aggregate::Accumulator;
use crate::pipeline::expr::{ColumnShape, Expr, Node};
use crate::pipeline::kernels::{
    Generated, SOURCE_WORDS, WINDOW_VALUES, join_of, mark_window, window_inputs, window_values,
};
use crate::pipeline::window::{Needs, WindowValue};
use crate::pipeline::{SortKey, SortSpec, WindowSpec};

/// The state of one window.
#[derive(Debug)]
pub struct Window {
    source: Source,
    /// Over the columns that are kept.
    spec: WindowSpec,
    /// Columns that leave before those of the functions; others of those kept do not.
    width: usize,
}

#[derive(Debug)]
enum Source {
    Sorted(Sort),
    /// Rows come in order.
    InOrder {
        rows: Rows,
        kept: Kept,
    },
}

/// What an accumulator has of all rows.
#[derive(Debug, Default)]
struct Joined {
    scanned: Option<Buffer>,
    values: Option<Buffer>,
    levels: Option<Buffer>,
    /// Rows in the order of the argument, or those that have one.
    numbers: Option<Buffer>,
}

impl Window {
    /// A window over what `rows` would compute as `outputs`. Expressions of `spec` are over the source's columns.
    pub fn new(filters: Vec<Expr>, outputs: Vec<Expr>, mut spec: WindowSpec) -> Self {
        let width = outputs.len();
        let mut read = Vec::new();
        spec.visit_mut(&mut |expr| read.push(expr.clone()));
        let (columns, over_columns) = keyed(outputs, &read);
        let mut over_columns = over_columns.into_iter();
        spec.visit_mut(&mut |expr| {
            if let Some(over_column) = over_columns.next() {
                *expr = over_column;
            }
        });
        // The sort is of what is kept, so its keys are the columns as they are computed.
        let source = match spec.sort.take() {
            Some(mut keys) => {
                for key in &mut keys {
                    if let Node::Column(place, _) = key.expr.node {
                        key.expr = columns[place].clone();
                    }
                }
                Source::Sorted(Sort::new(filters, columns, SortSpec { keys, fetch: None }))
            }
            None => Source::InOrder {
                rows: Rows::new(filters, columns),
                kept: Kept::default(),
            },
        };
        Self { source, spec, width }
    }

    /// Has the kernels foreseen that keep rows of columns of these shapes; returns the shapes of what leaves.
    pub(super) fn foresee(&self, foreseen: &mut Foreseen, columns: &[ColumnShape]) -> Vec<ColumnShape> {
        let mut kept = match &self.source {
            Source::Sorted(sort) => foreseen.sort(sort, columns).1,
            Source::InOrder { rows, .. } => foreseen.rows(rows, columns),
        };
        kept.truncate(self.width);
        let function = |function: &crate::pipeline::window::WindowFunction| {
            Some(ColumnShape {
                repr: Repr::of(&function.data_type)?,
                nullable: function.nullable,
                through: None,
            })
        };
        kept.extend(self.spec.functions.iter().filter_map(function));
        kept
    }

    /// Takes the rows of `batch`, which `space` holds.
    pub fn add_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: Space,
    ) -> Result<()> {
        match &mut self.source {
            Source::Sorted(sort) => sort.add_sync(gpu, times, batch, space),
            Source::InOrder { rows, kept } => {
                let batch = rows.apply_sync(gpu, times, batch, &space)?;
                kept.push(batch, space);
                Ok(())
            }
        }
    }

    /// All rows, in order, with the functions' columns.
    pub fn finish_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        space: &Space,
    ) -> Result<Option<DeviceBatch>> {
        let batch = match &mut self.source {
            Source::Sorted(sort) => sort.finish_sync(gpu, times, space)?,
            Source::InOrder { kept, .. } => kept.take_sync(gpu, space)?,
        };
        match batch {
            Some(batch) => self.with_functions_sync(gpu, times, batch, space).map(Some),
            None => Ok(None),
        }
    }

    fn with_functions_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        mut batch: DeviceBatch,
        space: &Space,
    ) -> Result<DeviceBatch> {
        let rows = batch.rows;
        if u32::try_from(rows + 1).is_err() {
            return Err(Failure::Fallback(format!(
                "{rows} rows in one window, numbers have 32 bits"
            )));
        }
        let work = Work {
            gpu,
            times,
            batch: &batch,
            space,
            error: space.error_word_sync()?,
            spec: &self.spec,
        };
        let added = work.functions_sync()?;
        work.error.check_sync(&space.stream, WINDOW_VALUES)?;
        batch.columns.truncate(self.width);
        batch.columns.extend(added);
        Ok(batch)
    }
}

/// What computes the functions of one batch.
struct Work<'a> {
    gpu: &'a Gpu,
    times: &'a KernelTimes,
    batch: &'a DeviceBatch,
    space: &'a Space,
    error: ErrorWord,
    spec: &'a WindowSpec,
}

impl Work<'_> {
    fn functions_sync(&self) -> Result<Vec<DeviceColumn>> {
        let rows = self.batch.rows;
        let words = bitmap_bytes(rows);
        let (partitions, peers) = (self.space.take_sync(words)?, self.space.take_sync(words)?);
        let (partitions_view, peers_view) = (partitions.slice(0..words)?, peers.slice(0..words)?);
        let marks = [More::View(partitions_view), More::View(peers_view)];
        self.run(
            mark_window(&shapes(self.batch), self.spec).map_err(unplanned)?,
            &marks,
        )?;
        let partition_segments = self.segments_sync(partitions_view)?;
        let peer_segments = self.segments_sync(peers_view)?;
        let joined = self.joined_sync(partitions_view)?;
        let address = |buffer: &Option<Buffer>| buffer.as_ref().map_or(0, Buffer::address);
        let sources: Vec<[u64; SOURCE_WORDS]> = joined
            .iter()
            .map(|joined| [&joined.scanned, &joined.values, &joined.levels, &joined.numbers].map(address))
            .collect();
        let sources = self.space.upload_sync(&sources)?;
        let mut made = self.new_columns_sync()?;
        let outputs = self.space.upload_sync(&addresses(&made))?;
        let mut more = vec![
            More::View(partition_segments.ids.view()),
            More::View(partition_segments.firsts.view()),
            More::View(peer_segments.ids.view()),
            More::View(peer_segments.firsts.view()),
            More::View(sources.view()),
            More::View(outputs.view()),
        ];
        let held = joined.iter().flat_map(|joined| {
            [&joined.scanned, &joined.values, &joined.levels, &joined.numbers]
                .into_iter()
                .flatten()
        });
        more.extend(held.map(More::Uses));
        more.extend(filled(&made).map(More::Uses));
        let values = window_values(&shapes(self.batch), self.spec).map_err(unplanned)?;
        let literals = self.run(values, &more)?;
        drop(more);
        for column in made.iter_mut().filter(|column| column.repr == Repr::Str) {
            column.owners.push(Arc::clone(&literals));
        }
        Ok(made)
    }

    /// Queues a generated kernel over all rows.
    fn run(&self, generated: Generated, more: &[More<'_>]) -> Result<Arc<Buffer>> {
        let program = Program::compile(self.gpu, self.times, generated)?;
        program.run(self.space, self.times, self.batch, &self.error, more)
    }

    fn segments_sync(&self, begins: View<'_>) -> Result<Segments> {
        let (space, rows) = (self.space, self.batch.rows);
        space.room_sync(Windower::segments_bytes(rows))?;
        let (stream, reservation) = (&space.stream, &space.reservation);
        let windower = &self.gpu.windower;
        self.times.timed(space, || {
            Ok(windower.segments(stream, reservation, &self.gpu.selector, begins, rows)?)
        })
    }

    /// The values of each accumulator by row, and what frames need of them.
    fn joined_sync(&self, partitions: View<'_>) -> Result<Vec<Joined>> {
        let accumulators = &self.spec.accumulators;
        if accumulators.is_empty() {
            return Ok(Vec::new());
        }
        let (space, rows) = (self.space, self.batch.rows);
        let mut inputs = Vec::new();
        let mut numbers = Vec::new();
        let mut places = Vec::new();
        for (index, accumulator) in accumulators.iter().enumerate() {
            let width = join_of(accumulator.combine).map_err(unplanned)?.width();
            inputs.push(space.take_sync(rows * width)?);
            let (ordered, at) = match accumulator.combine.is_extreme() {
                true => {
                    let (ordered, at) = self.places_sync(accumulator)?;
                    (Some(ordered), Some(at))
                }
                false => (self.valued_sync(index)?, None),
            };
            numbers.push(ordered);
            places.push(at);
        }
        let targets: Vec<u64> = inputs.iter().map(Buffer::address).collect();
        let targets = space.upload_sync(&targets)?;
        let addresses: Vec<u64> = places
            .iter()
            .map(|at| at.as_ref().map_or(0, Buffer::address))
            .collect();
        let addresses = space.upload_sync(&addresses)?;
        let mut more = vec![More::View(targets.view()), More::View(addresses.view())];
        more.extend(inputs.iter().map(More::Uses));
        more.extend(places.iter().flatten().map(More::Uses));
        self.run(
            window_inputs(&shapes(self.batch), self.spec).map_err(unplanned)?,
            &more,
        )?;
        drop(more);
        let needs = self.spec.needs();
        let joined = accumulators.iter().zip(needs).zip(inputs).zip(numbers);
        joined
            .map(|(((accumulator, needs), values), numbers)| {
                self.join_sync(accumulator, needs, values, numbers, partitions)
            })
            .collect()
    }

    fn join_sync(
        &self,
        accumulator: &Accumulator,
        needs: Needs,
        values: Buffer,
        numbers: Option<Buffer>,
        partitions: View<'_>,
    ) -> Result<Joined> {
        let (space, rows) = (self.space, self.batch.rows);
        let (stream, reservation) = (&space.stream, &space.reservation);
        let windower = &self.gpu.windower;
        let join = join_of(accumulator.combine).map_err(unplanned)?;
        let bytes = rows * join.width();
        let levels = match needs.tree {
            true => {
                space.room_sync(Windower::tree_bytes(join, rows))?;
                let view = values.slice(0..bytes)?;
                Some(self.times.timed(space, || {
                    Ok(windower.tree(stream, reservation, join, view, rows)?)
                })?)
            }
            false => None,
        };
        let scanned = match (needs.scan, needs.tree) {
            (true, true) => Some(space.take_sync(bytes)?),
            _ => None,
        };
        if needs.scan {
            space.room_sync(Windower::scan_bytes(join, rows))?;
            let from = values.slice(0..bytes)?;
            let to = scanned.as_ref().unwrap_or(&values).slice(0..bytes)?;
            // Sums that can be taken away run through all partitions.
            let begins = (!accumulator.combine.can_be_taken_away()).then_some(partitions);
            self.times.timed(space, || {
                Ok(windower.scan(stream, reservation, join, from, rows, begins, to)?)
            })?;
        }
        Ok(match (needs.scan, needs.tree) {
            (true, false) => Joined {
                scanned: Some(values),
                numbers,
                ..Joined::default()
            },
            _ => Joined {
                scanned,
                values: Some(values),
                levels,
                numbers,
            },
        })
    }

    /// The rows in the order of an accumulator's argument, and the place of each row in it.
    fn places_sync(&self, accumulator: &Accumulator) -> Result<(Buffer, Buffer)> {
        let Some(Node::Column(place, _)) = accumulator.argument.as_ref().map(|argument| &argument.node)
        else {
            return Err(unplanned("an extreme of no column".into()));
        };
        let columns = identity(self.batch);
        let key = SortKey {
            expr: columns[*place].clone(),
            descending: false,
            nulls_first: false,
        };
        let spec = SortSpec {
            keys: vec![key],
            fetch: None,
        };
        let (space, rows) = (self.space, self.batch.rows);
        let sort = Sort::new(Vec::new(), columns, spec);
        let (order, _) = sort.order_sync(self.gpu, self.times, self.batch, None, space)?;
        let places = space.take_sync(rows * 4)?;
        let (from, to) = (order.slice(0..rows * 4)?, places.slice(0..rows * 4)?);
        self.gpu.windower.places(&space.stream, from, rows, to)?;
        Ok((order, places))
    }

    /// The numbers of the rows that have the argument of a function which leaves out others, if it counts them by this
    /// accumulator.
    fn valued_sync(&self, accumulator: usize) -> Result<Option<Buffer>> {
        let argument = self
            .spec
            .functions
            .iter()
            .find_map(|function| match &function.value {
                WindowValue::Shift { argument, valued, .. } | WindowValue::Pick { argument, valued, .. }
                    if *valued == Some(accumulator) =>
                {
                    Some(argument)
                }
                _ => None,
            });
        let Some(Node::Column(column, _)) = argument.map(|argument| &argument.node) else {
            return Ok(None);
        };
        let Some(validity) = &self.batch.columns[*column].validity else {
            return Ok(None);
        };
        let (space, rows) = (self.space, self.batch.rows);
        let (stream, reservation) = (&space.stream, &space.reservation);
        let selector = &self.gpu.selector;
        let validity = validity.slice(0..bitmap_bytes(rows))?;
        space.room_sync(kernels::select::Selector::count_bytes(rows))?;
        let counted = selector.count(stream, reservation, validity, None, rows)?;
        let kept = counted.total_sync(stream)? as usize;
        let numbers = space.take_sync(kept * 4)?;
        if kept > 0 {
            let room = numbers.slice(0..kept * 4)?;
            selector.write(stream, validity, None, rows, &counted, room)?;
        }
        Ok(Some(numbers))
    }

    fn new_columns_sync(&self) -> Result<Vec<DeviceColumn>> {
        let functions = self.spec.functions.iter();
        functions
            .map(|function| {
                let (data_type, nullable): (&DataType, bool) = (&function.data_type, function.nullable);
                let mut column = new_column_sync(data_type, nullable, self.batch.rows, self.space)?;
                if column.repr == Repr::Str {
                    column.owners = owners_of(self.batch.columns.iter());
                }
                Ok(column)
            })
            .collect()
    }
}

/// The columns of a batch as expressions over it.
fn identity(batch: &DeviceBatch) -> Vec<Expr> {
    let columns = batch.columns.iter().enumerate();
    columns
        .map(|(place, column)| Expr {
            data_type: column.data_type.clone(),
            nullable: column.validity.is_some(),
            node: Node::Column(place, format!("column {place}").into()),
        })
        .collect()
}
