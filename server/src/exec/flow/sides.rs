//! The build sides of a pipeline's joins: those of other pipelines, made when its own source is about to be read.
//!
//! In: the pipeline. Out: a table for each join, or the rows of one whose sides may change places; then, when the source has
//! ended, the rows that are to go through the joins after it. Which side becomes the table is
//! [`Sides`]'s to say.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::shared::{Asked, Made};
use super::super::stop::Stop;
use super::Flow;
use crate::batch::{DeviceBatch, Space};
use crate::error::Error;
use crate::operator::{Build, Failure, Gathered, Result, Side, Sides, Table, may_swap, settled_sync};
use crate::pipeline::{PipelineId, Sink, Stage};

impl Flow<'_> {
    /// The build side of each join of pipeline `id`.
    pub(super) fn sides(&self, id: PipelineId) -> Result<Vec<Side<'_>>> {
        let stages = &self.graph.pipelines[id].stages;
        let sides = stages.iter().map(|stage| self.side(stage));
        settled_sync(self.gpu, stages, sides.collect::<Result<_>>()?)
    }

    fn side(&self, stage: &Stage) -> Result<Side<'_>> {
        let id = stage.join.build;
        match self.shared.ask(id) {
            Asked::Alone => {
                let (build, space) = self.build(id)?;
                match may_swap(stage, build.rows_kept(), self.settings.force()) {
                    true => {
                        let (times, asked) = (&self.metrics[id].times, self.asked_sync(id)?);
                        let gathered = Gathered::new_sync(self.gpu, build, times, &asked, space)?;
                        Ok(Side::Rows(Box::new(gathered)))
                    }
                    false => self.table(id, build, space).map(Side::Table),
                }
            }
            Asked::First => {
                let (build, space) = self.build(id)?;
                let table = self.table(id, build, space)?;
                self.shared.keep(id, &Made::Table(Arc::clone(&table)));
                Ok(Side::Table(table))
            }
            Asked::Later(Made::Table(table)) => Ok(Side::Table(table)),
            Asked::Later(Made::Rows(_)) => Err(no_table(id)),
        }
    }

    /// The rows of pipeline `id` for a table, and the space for it.
    fn build(&self, id: PipelineId) -> Result<(Build, Space)> {
        let (pipeline, metrics) = (&self.graph.pipelines[id], &self.metrics[id]);
        let Sink::Build(spec) = &pipeline.sink else {
            return Err(no_table(id));
        };
        let (filters, outputs) = (pipeline.filters.clone(), pipeline.outputs.clone());
        let mut build = Build::new(filters, outputs, spec.clone(), self.settings.force());
        let space = self.gather(id, &mut |batch, space| {
            build.add_sync(self.gpu, &metrics.times, batch, space)
        })?;
        metrics.rows(build.rows_kept());
        Ok((build, space))
    }

    /// The table of the rows of pipeline `id`.
    fn table(&self, id: PipelineId, build: Build, space: Space) -> Result<Arc<Table>> {
        let (times, types) = (&self.metrics[id].times, &self.graph.pipelines[id].output);
        let asked = self.asked_sync(id)?;
        let table = build.finish_sync(self.gpu, times, types, &asked, space)?;
        Ok(Arc::new(table))
    }

    /// The keys of the table that pipeline `id` builds by whose values a scan can be narrowed.
    fn asked_sync(&self, id: PipelineId) -> Result<Vec<usize>> {
        let mut asked = Vec::new();
        for reader in self.graph.readers(id) {
            let stages = &self.graph.pipelines[reader].stages;
            for of_scan in self.scans.keys_sync(reader)? {
                if stages[of_scan.stage].join.build == id && !asked.contains(&of_scan.key) {
                    asked.push(of_scan.key);
                }
            }
        }
        Ok(asked)
    }

    /// Sends what is still to go through `joins` when the source of pipeline `id` has ended.
    pub(super) fn finish(
        &self,
        id: PipelineId,
        joins: &mut Sides<'_>,
        out: &mut dyn FnMut(DeviceBatch, Space) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let times = &self.metrics[id].joins;
        let ControlFlow::Continue(rows) = joins.end_sync(self.gpu, times, out)? else {
            return Ok(ControlFlow::Break(()));
        };
        if joins.is_swapped() {
            self.metrics[id].swapped();
        }
        for (batch, space) in rows {
            if self.stop.is_stopped() {
                return Err(Stop::error().into());
            }
            if joins.push_sync(self.gpu, times, batch, &space, out)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        joins.finish_sync(self.gpu, times, out)
    }
}

fn no_table(id: PipelineId) -> Failure {
    Error::internal(format!("pipeline {id} builds no table for a join")).into()
}
