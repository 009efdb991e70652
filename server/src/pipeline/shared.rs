//! Equal pipelines of a graph: where the rows of one are kept anyway until all have been seen, the others go, and whoever
//! read them reads it.
//!
//! In: a graph. Out: the graph in which such a pipeline stands once, named by several. Nothing that is not exactly the
//! same is taken for equal: the same files, columns, filters and constants. What is different at every call runs on the
//! CPU, and no two uploads of what the CPU makes are the same.

use std::fmt;

use super::{Pipeline, PipelineGraph, PipelineId, Sink, Source};

impl PipelineGraph {
    /// The same result, of which equal parts are made once.
    #[must_use]
    pub fn sharing(mut self) -> Self {
        // For each pipeline the first one that it equals, once what they read is known to be equal.
        let mut first_of: Vec<PipelineId> = Vec::with_capacity(self.pipelines.len());
        let mut resolved: Vec<Pipeline> = Vec::with_capacity(self.pipelines.len());
        for (id, pipeline) in self.pipelines.iter().enumerate() {
            let mut pipeline = pipeline.clone();
            pipeline.reads_mut().for_each(|read| *read = first_of[*read]);
            let equal = resolved.iter().position(|known| *known == pipeline);
            first_of.push(equal.unwrap_or(id));
            resolved.push(pipeline);
        }
        let keeps: Vec<bool> = self.pipelines.iter().map(Pipeline::keeps_its_rows).collect();
        for pipeline in &mut self.pipelines {
            for read in pipeline.reads_mut() {
                let first = first_of[*read];
                if keeps[first] {
                    *read = first;
                }
            }
        }
        self.without_unread()
    }

    /// The pipelines that the result needs.
    fn without_unread(self) -> Self {
        let mut is_needed = vec![false; self.pipelines.len()];
        let mut left: Vec<PipelineId> = self.values().map(|(id, _)| id).collect();
        left.push(self.root());
        while let Some(id) = left.pop() {
            if !std::mem::replace(&mut is_needed[id], true) {
                left.extend(self.reads(id));
            }
        }
        let mut place = 0;
        let places: Vec<PipelineId> = is_needed
            .iter()
            .map(|&needed| {
                place += usize::from(needed);
                place.saturating_sub(1)
            })
            .collect();
        let all = self.pipelines.into_iter().zip(is_needed);
        let needed = all.filter(|(_, needed)| *needed).map(|(mut pipeline, _)| {
            pipeline.reads_mut().for_each(|read| *read = places[*read]);
            pipeline
        });
        Self {
            pipelines: needed.collect(),
        }
    }

    /// The pipelines that pipeline `id` reads: those of the tables of its joins in their order, then those of its source.
    pub fn reads(&self, id: PipelineId) -> impl Iterator<Item = PipelineId> {
        self.pipelines[id].reads()
    }

    /// The pipelines that read pipeline `id`, one that does so twice being named twice.
    pub fn readers(&self, id: PipelineId) -> impl Iterator<Item = PipelineId> {
        let all = 0..self.pipelines.len();
        all.flat_map(move |reader| {
            self.reads(reader)
                .filter(move |&read| read == id)
                .map(move |_| reader)
        })
    }

    /// Words about who shares pipeline `id`; none if it has one reader.
    pub fn shared_by(&self, id: PipelineId) -> impl fmt::Display {
        let readers: Vec<String> = self.readers(id).map(|reader| format!("p{reader}")).collect();
        match readers.len() {
            0 | 1 => String::new(),
            _ => format!(" | shared by {}", readers.join(", ")),
        }
    }
}

impl Pipeline {
    fn reads(&self) -> impl Iterator<Item = PipelineId> {
        let tables = self.stages.iter().map(|stage| stage.join.build);
        tables.chain(self.source.pipelines().iter().copied())
    }

    fn reads_mut(&mut self) -> impl Iterator<Item = &mut PipelineId> {
        let source: &mut [PipelineId] = match &mut self.source {
            Source::Pipelines(ids) => ids,
            Source::Scan(_) | Source::Upload(_) => &mut [],
        };
        let tables = self.stages.iter_mut().map(|stage| &mut stage.join.build);
        tables.chain(source)
    }

    /// Whether all of its rows are on the device together before the first of them is read, and stay as they are.
    fn keeps_its_rows(&self) -> bool {
        match &self.sink {
            Sink::Aggregate(_) | Sink::Sort(_) | Sink::Window(_) => true,
            Sink::Build(spec) => spec.is_only_read(),
            Sink::Pass | Sink::Limit { .. } | Sink::Value(_) => false,
        }
    }
}
