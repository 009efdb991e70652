//! Rows through a graph of pipelines, on one thread of the query's own: each pipeline pulls its source and pushes into
//! the next one, so that a batch goes as far as it can before the next one is begun.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use datafusion::execution::TaskContext;
use tokio::runtime::Handle;

use super::metrics::PipelineMetrics;
use super::scans::Scans;
use super::shared::{Asked, Made, Shared};
use super::stop::Stop;
use super::{Settings, uploading};
use crate::batch::{DeviceBatch, Space};
use crate::error::Error;
use crate::operator::{Aggregate, Failure, Gpu, Limit, Result, Rows, Side, Sides, Sort, TableKeys, Window};
use crate::pipeline::{Pipeline, PipelineGraph, PipelineId, ScanKey, Sink, Source};
use crate::scan::Narrowing;

/// Whether whoever takes batches wants more of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    More,
    Enough,
}

/// Takes a batch, and the space that holds it.
pub(super) type Taker<'a> = dyn FnMut(DeviceBatch, Space) -> Result<Wanted> + 'a;

/// One run of a graph.
pub(super) struct Flow<'a> {
    pub(super) gpu: &'a Arc<Gpu>,
    pub(super) graph: &'a PipelineGraph,
    pub(super) inputs: &'a [Arc<dyn datafusion::physical_plan::ExecutionPlan>],
    pub(super) scans: &'a Scans,
    pub(super) settings: &'a Settings,
    pub(super) context: &'a Arc<TaskContext>,
    /// Where operators queue their work: before the decoding of what comes next, which would keep them waiting.
    pub(super) stream: kernels::Stream,
    /// Where asynchronous work of this query runs.
    pub(super) handle: &'a Handle,
    pub(super) stop: &'a Stop,
    /// One a pipeline.
    pub(super) metrics: &'a [PipelineMetrics],
    /// What several pipelines read.
    pub(super) shared: Shared,
}

impl Flow<'_> {
    /// Gives the rows of pipeline `id` to `take`: they are made, and all that it reads, unless somebody had them made.
    pub(super) fn run(&self, id: PipelineId, take: &mut Taker<'_>) -> Result<Wanted> {
        let batches = match self.shared.ask(id) {
            Asked::Alone => return self.make(id, take),
            Asked::First => {
                let mut batches = Vec::new();
                self.make(id, &mut |batch, space| {
                    space.shrink();
                    batches.push(batch);
                    Ok(Wanted::More)
                })?;
                self.shared.keep(id, &Made::Rows(batches.clone()));
                batches
            }
            Asked::Later(Made::Rows(batches)) => batches,
            Asked::Later(Made::Table(_)) => return Err(no_rows(id)),
        };
        let mut wanted = Wanted::More;
        for batch in batches {
            // Its memory is the batch's own.
            wanted = take(batch, self.space_sync()?)?;
            if wanted == Wanted::Enough {
                break;
            }
        }
        Ok(wanted)
    }

    /// Nobody will ask for pipeline `id` on behalf of one of its readers.
    fn give_up(&self, id: PipelineId) {
        if self.shared.give_up(id) {
            self.graph.reads(id).for_each(|read| self.give_up(read));
        }
    }

    /// Runs pipeline `id` and all that it reads; its rows go to `take`.
    fn make(&self, id: PipelineId, take: &mut Taker<'_>) -> Result<Wanted> {
        let pipeline = &self.graph.pipelines[id];
        let metrics = &self.metrics[id];
        let mut take = |batch: DeviceBatch, space: Space| {
            metrics.rows(batch.rows);
            take(batch, space)
        };
        match &pipeline.sink {
            Sink::Pass => self.pass(id, pipeline, &mut take),
            Sink::Limit { skip, fetch } => self.limit(id, pipeline, Limit::new(*skip, *fetch), &mut take),
            Sink::Aggregate(spec) => {
                let own = self.space_sync()?;
                let filters = pipeline.filters.clone();
                let force = self.settings.force();
                let mut aggregate = Aggregate::new(self.gpu, spec.clone(), filters, force, own)?;
                let space = self.gather(id, &mut |batch, _space| {
                    aggregate.add_sync(self.gpu, &metrics.times, &batch)
                })?;
                let groups = aggregate.finish_sync(self.gpu, &metrics.times, &space)?;
                match groups.rows {
                    0 => Ok(Wanted::More),
                    _ => take(groups, space),
                }
            }
            Sink::Sort(spec) => {
                let (filters, outputs) = (pipeline.filters.clone(), pipeline.outputs.clone());
                let mut sort = Sort::new(filters, outputs, spec.clone());
                let space = self.gather(id, &mut |batch, space| {
                    sort.add_sync(self.gpu, &metrics.times, batch, space)
                })?;
                match sort.finish_sync(self.gpu, &metrics.times, &space)? {
                    Some(sorted) => take(sorted, space),
                    None => Ok(Wanted::More),
                }
            }
            Sink::Build(_) | Sink::Value(_) => Err(no_rows(id)),
            Sink::Window(spec) => {
                let (filters, outputs) = (pipeline.filters.clone(), pipeline.outputs.clone());
                let mut window = Window::new(filters, outputs, spec.clone());
                let space = self.gather(id, &mut |batch, space| {
                    window.add_sync(self.gpu, &metrics.times, batch, space)
                })?;
                match window.finish_sync(self.gpu, &metrics.times, &space)? {
                    Some(rows) => take(rows, space),
                    None => Ok(Wanted::More),
                }
            }
        }
    }

    /// Gives all that pipeline `id` reads to `add`; returns the space for what is made of it.
    fn gather(&self, id: PipelineId, add: &mut dyn FnMut(DeviceBatch, Space) -> Result<()>) -> Result<Space> {
        self.source(id, &mut |batch, space| {
            add(batch, space)?;
            Ok(Wanted::More)
        })?;
        self.space_sync()
    }

    pub(super) fn pass(&self, id: PipelineId, pipeline: &Pipeline, take: &mut Taker<'_>) -> Result<Wanted> {
        let mut rows = Rows::new(pipeline.filters.clone(), pipeline.outputs.clone());
        self.source(id, &mut |batch, space| {
            let batch = rows.apply_sync(self.gpu, &self.metrics[id].times, batch, &space)?;
            space.shrink();
            match batch.rows {
                0 => Ok(Wanted::More),
                _ => take(batch, space),
            }
        })
    }

    fn limit(
        &self,
        id: PipelineId,
        pipeline: &Pipeline,
        mut limit: Limit,
        take: &mut Taker<'_>,
    ) -> Result<Wanted> {
        if limit.is_done() {
            self.graph.reads(id).for_each(|read| self.give_up(read));
            return Ok(Wanted::More);
        }
        let mut rows = Rows::new(pipeline.filters.clone(), pipeline.outputs.clone());
        let mut wanted = Wanted::More;
        self.source(id, &mut |batch, space| {
            let batch = rows.apply_sync(self.gpu, &self.metrics[id].times, batch, &space)?;
            let batch = limit.apply_sync(self.gpu, batch, &space)?;
            space.shrink();
            if batch.rows > 0 {
                wanted = take(batch, space)?;
            }
            Ok(if limit.is_done() { Wanted::Enough } else { wanted })
        })?;
        // That this pipeline has enough says nothing of others before the same sink.
        Ok(wanted)
    }

    /// The rows of pipeline `id` after its joins.
    fn source(&self, id: PipelineId, take: &mut Taker<'_>) -> Result<Wanted> {
        let stages = &self.graph.pipelines[id].stages;
        if stages.is_empty() {
            return self.read(id, take);
        }
        let sides = self.sides(id)?;
        self.narrow_sync(id, &sides)?;
        let mut joins = Sides::new(self.gpu, stages, sides, self.settings.force());
        let times = &self.metrics[id].joins;
        let mut out = |batch: DeviceBatch, space: Space| {
            Ok(match take(batch, space)? {
                Wanted::More => ControlFlow::Continue(()),
                Wanted::Enough => ControlFlow::Break(()),
            })
        };
        let mut wanted = Wanted::More;
        if joins.is_void() {
            self.scans.leave_out_sync(id, &self.metrics[id])?;
            self.graph.pipelines[id]
                .source
                .pipelines()
                .iter()
                .for_each(|&read| self.give_up(read));
        } else {
            wanted = self.read(id, &mut |batch, space| match joins
                .push_sync(self.gpu, times, batch, &space, &mut out)?
            {
                ControlFlow::Continue(()) => Ok(Wanted::More),
                ControlFlow::Break(()) => Ok(Wanted::Enough),
            })?;
        }
        if wanted == Wanted::More && self.finish(id, &mut joins, &mut out)?.is_break() {
            wanted = Wanted::Enough;
        }
        Ok(wanted)
    }

    /// Leaves out of pipeline `id`'s scan what cannot match the build sides of its joins, and has their tables asked for its
    /// rows.
    fn narrow_sync(&self, id: PipelineId, sides: &[Side<'_>]) -> Result<()> {
        let narrowing = |key: ScanKey| {
            let values = sides[key.stage].key_values(key.key)?;
            Some(Narrowing {
                column: key.column,
                ranges: values.0.clone(),
            })
        };
        let by: Vec<Narrowing> = self
            .scans
            .keys_sync(id)?
            .into_iter()
            .filter_map(narrowing)
            .collect();
        let asked = self.asked_for_rows(id, sides);
        match by.is_empty() && asked.is_empty() {
            true => Ok(()),
            false => self.scans.narrow_sync(id, &by, &asked),
        }
    }

    /// Those of the tables of pipeline `id`'s joins that say which rows of its scan are dropped; none where all are because a
    /// table is empty.
    fn asked_for_rows(&self, id: PipelineId, sides: &[Side<'_>]) -> Vec<TableKeys> {
        let stages = &self.graph.pipelines[id].stages;
        let mut pairs = stages.iter().zip(sides);
        let is_void = pairs.any(|(stage, side)| side.table().is_some_and(|table| table.is_void(&stage.join)));
        if is_void || !self.settings.engine.runtime_filters {
            return Vec::new();
        }
        let joins = self.graph.scan_joins(id).into_iter();
        joins
            .filter_map(|stage| TableKeys::of(&stages[stage], Arc::clone(sides[stage].table()?)))
            .collect()
    }

    /// Memory for an operator, none yet.
    fn space_sync(&self) -> Result<Space> {
        Ok(Space::new_sync(&self.gpu.device, 0)?.on(&self.stream))
    }

    /// What pipeline `id` reads.
    fn read(&self, id: PipelineId, take: &mut Taker<'_>) -> Result<Wanted> {
        let started = Instant::now();
        let mut taking = std::time::Duration::ZERO;
        let mut take = |batch: DeviceBatch, space: Space| {
            if self.stop.is_stopped() {
                return Err(Stop::error().into());
            }
            let begun = Instant::now();
            let wanted = match batch.rows {
                0 => Ok(Wanted::More),
                _ => take(batch, space.on(&self.stream)),
            };
            taking += begun.elapsed();
            wanted
        };
        let wanted = match &self.graph.pipelines[id].source {
            Source::Scan(_) => self.scans.run(id, &self.metrics[id], &mut take)?,
            Source::Upload(input) => uploading::run(self, id, *input, &mut take)?,
            Source::Pipelines(ids) => {
                let mut wanted = Wanted::More;
                for &id in ids {
                    match wanted {
                        Wanted::More => wanted = self.run(id, &mut take)?,
                        Wanted::Enough => self.give_up(id),
                    }
                }
                wanted
            }
        };
        self.metrics[id].waited(started.elapsed().saturating_sub(taking));
        Ok(wanted)
    }
}

fn no_rows(id: PipelineId) -> Failure {
    Error::internal(format!("pipeline {id} has no rows to hand on")).into()
}

mod sides;
