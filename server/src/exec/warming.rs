//! Kernels of a query, compiled while its first rows are fetched.
//!
//! In: a graph. Out: the shapes that columns are thought to have, so that operators ask for the kernels that were
//! compiled, and threads that compile them. It runs nothing: what it does not foresee, or what comes before its turn, is
//! compiled by whoever needs it.

mod repeats;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use datafusion::execution::TaskContext;
use kernels::KernelSource;

use crate::batch::Repr;
use crate::operator::{Build, Force, Foreseen, Foretold, Gpu, Rows, Sort, Window};
use crate::pipeline::expr::{ColumnShape, Through};
use crate::pipeline::{Pipeline, PipelineGraph, PipelineId, Sink, Source};
use repeats::Repeats;

/// Cores from which on kernels are compiled too that only some data need, if half of the cores have nothing to compile.
const CORES_TO_SPARE: usize = 8;

/// A thread that compiles ahead, as long as this is there; all queries' together are counted.
struct Counted;

static COMPILING: AtomicUsize = AtomicUsize::new(0);

impl Counted {
    fn new() -> Self {
        COMPILING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        COMPILING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The shapes of columns in the batches that kernels of one pipeline read.
type Shapes = Vec<Vec<ColumnShape>>;

/// Compiling that goes on until it is done, or until this is dropped; then what is being compiled is waited for.
#[derive(Debug)]
pub(super) struct Warming {
    shapes: Vec<Shapes>,
    queue: Arc<Mutex<VecDeque<KernelSource>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Warming {
    /// Starts with what `graph` will need first.
    pub(super) fn start(gpu: &Arc<Gpu>, graph: &PipelineGraph, context: &TaskContext) -> Self {
        let (cores, busy) = (cores(), COMPILING.load(Ordering::Relaxed));
        let (shapes, foreseen) = foresee(gpu, graph, context);
        let mut sources = foreseen.certain;
        if cores >= CORES_TO_SPARE && busy < cores / 2 {
            sources.extend(foreseen.possible);
        }
        // A thread that asks for one that another is compiling would wait for it.
        let mut seen = HashSet::new();
        sources.retain(|source| !gpu.device.has_module(source) && seen.insert(source.clone()));
        let free = cores.saturating_sub(busy).max(1);
        let side_by_side = gpu.device.compiler().side_by_side();
        let count = sources.len().min(side_by_side).min(free);
        let queue = Arc::new(Mutex::new(VecDeque::from(sources)));
        let threads = (0..count).filter_map(|_| {
            let (gpu, queue) = (Arc::clone(gpu), Arc::clone(&queue));
            let counted = Counted::new();
            let work = move || {
                let _counted = counted;
                while let Some(source) = next(&queue) {
                    let start = Instant::now();
                    let kernel = &source.name;
                    match gpu.device.module(&source) {
                        Ok(_) => {
                            let elapsed_ms = start.elapsed().as_millis();
                            tracing::debug!(%kernel, elapsed_ms, "kernel compiled ahead");
                        }
                        // Whoever needs the kernel tries again, and reports the error.
                        Err(error) => tracing::debug!(%error, %kernel, "kernel not compiled ahead"),
                    }
                }
            };
            let thread = std::thread::Builder::new().name("warpflight-compile".into());
            // Without the thread the query compiles by itself.
            thread.spawn(work).ok()
        });
        Self {
            shapes,
            threads: threads.collect(),
            queue,
        }
    }

    /// The shapes that kernels of each pipeline are compiled for.
    pub(super) fn shapes(&self) -> &[Shapes] {
        &self.shapes
    }

    /// Waits until all is compiled.
    #[cfg(test)]
    pub(super) fn finish_sync(mut self) {
        for thread in self.threads.drain(..) {
            thread.join().expect("a thread that compiles does not panic");
        }
    }
}

impl Drop for Warming {
    fn drop(&mut self) {
        lock(&self.queue).clear();
        for thread in self.threads.drain(..) {
            // One that panicked has said so, and what it left out is compiled when it is needed.
            let _ = thread.join();
        }
    }
}

/// Cores of this machine, or those that its container gives: asked once, because that reads files.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn lock(queue: &Mutex<VecDeque<KernelSource>>) -> MutexGuard<'_, VecDeque<KernelSource>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next(queue: &Mutex<VecDeque<KernelSource>>) -> Option<KernelSource> {
    lock(queue).pop_front()
}

/// The shapes that each pipeline's kernels read, and all those kernels.
pub(super) fn foresee(gpu: &Gpu, graph: &PipelineGraph, context: &TaskContext) -> (Vec<Shapes>, Foreseen) {
    let mut all = Foresight {
        gpu,
        foreseen: Foreseen::default(),
        tables: HashMap::new(),
        repeats: Repeats::default(),
    };
    let mut sinks = graph.pipelines.iter().map(|pipeline| &pipeline.sink);
    let has_tables = sinks.any(|sink| matches!(sink, Sink::Build(_)));
    let mut read: Vec<Shapes> = Vec::with_capacity(graph.pipelines.len());
    let mut left: Vec<Vec<ColumnShape>> = Vec::with_capacity(graph.pipelines.len());
    for (id, pipeline) in graph.pipelines.iter().enumerate() {
        let columns = columns_of(pipeline, &left, context);
        if has_tables {
            all.repeats.add(pipeline, context);
        }
        let (mut shapes, mut variants) = match pipeline.stages.is_empty() {
            true => (Vec::new(), vec![columns]),
            false => all.joins(pipeline, columns),
        };
        shapes.extend(variants.iter().cloned());
        let likely = variants.swap_remove(0);
        left.push(all.sink(id, pipeline, &likely, &mut shapes));
        for other in variants {
            let before = std::mem::take(&mut all.foreseen);
            all.sink(id, pipeline, &other, &mut shapes);
            let possible = std::mem::replace(&mut all.foreseen, before);
            all.foreseen.may_need(possible);
        }
        read.push(shapes);
    }
    (read, all.foreseen)
}

/// What is foreseen so far.
struct Foresight<'a> {
    gpu: &'a Gpu,
    foreseen: Foreseen,
    tables: HashMap<PipelineId, Foretold>,
    repeats: Repeats,
}

impl Foresight<'_> {
    /// The shapes that the joins of a pipeline read, and those that they may leave, the likeliest first.
    fn joins(&mut self, pipeline: &Pipeline, columns: Vec<ColumnShape>) -> (Shapes, Shapes) {
        let stages = &pipeline.stages;
        let tables = stages.iter().map(|stage| self.tables.get(&stage.join.build));
        let Some(tables) = tables.collect::<Option<Vec<&Foretold>>>() else {
            return (Vec::new(), vec![columns]);
        };
        if tables.iter().any(|table| table.other.is_some()) {
            let others: Vec<Foretold> = tables.iter().map(|table| table.otherwise()).collect();
            let mut possible = Foreseen::default();
            possible.joins(stages, &others.iter().collect::<Vec<_>>(), columns.clone());
            self.foreseen.may_need(possible);
        }
        self.foreseen.joins(stages, &tables, columns)
    }

    /// What a pipeline's sink leaves of columns of these shapes; what it reads of its own is added to `shapes`.
    fn sink(
        &mut self,
        id: PipelineId,
        pipeline: &Pipeline,
        columns: &[ColumnShape],
        shapes: &mut Shapes,
    ) -> Vec<ColumnShape> {
        let (filters, outputs) = (pipeline.filters.clone(), pipeline.outputs.clone());
        match &pipeline.sink {
            Sink::Pass | Sink::Limit { .. } | Sink::Value(_) => {
                self.foreseen.rows(&Rows::new(filters, outputs), columns)
            }
            Sink::Aggregate(spec) => self
                .foreseen
                .aggregate(self.gpu, spec, &pipeline.filters, columns),
            Sink::Build(spec) => {
                let build = Build::new(filters, outputs, spec.clone(), Force::None);
                let unique = !self.repeats.has_several(id);
                let width = pipeline.outputs.len();
                let key = (unique, self.repeats.key_values(id));
                let (kept, table) = self.foreseen.build(&build, width, key, columns);
                shapes.push(kept);
                self.tables.entry(id).or_insert(table).columns.clone()
            }
            Sink::Window(spec) => {
                let window = Window::new(filters, outputs, spec.clone());
                self.foreseen.window(&window, columns)
            }
            Sink::Sort(spec) => {
                let sort = Sort::new(filters, outputs, spec.clone());
                let (kept, mut leaving) = self.foreseen.sort(&sort, columns);
                shapes.push(kept);
                leaving.truncate(pipeline.outputs.len());
                leaving
            }
        }
    }
}

/// The columns that a pipeline reads: what pipelines before it leave, else what its source declares.
fn columns_of(pipeline: &Pipeline, left: &[Vec<ColumnShape>], context: &TaskContext) -> Vec<ColumnShape> {
    let coded = match &pipeline.source {
        Source::Scan(spec) => spec.codes_about(context),
        _ => Vec::new(),
    };
    let mut lists = 0;
    let declared = pipeline.input.fields().iter().enumerate();
    let declared = declared.filter_map(|(at, field)| {
        let is_coded = coded.get(at) == Some(&true);
        let list = lists;
        lists += usize::from(is_coded);
        Some(ColumnShape {
            repr: Repr::of(field.data_type())?,
            nullable: field.is_nullable() && !is_coded,
            through: is_coded.then_some(Through {
                list,
                may_miss: field.is_nullable(),
                are_codes: true,
            }),
        })
    });
    let Source::Pipelines(ids) = &pipeline.source else {
        return declared.collect();
    };
    let mut sources = ids.iter().filter_map(|&id| left.get(id));
    let first = sources.next().cloned().unwrap_or_default();
    sources.fold(first, |mut all, one| {
        for (all, one) in all.iter_mut().zip(one) {
            all.nullable |= one.nullable;
        }
        all
    })
}

#[cfg(test)]
mod tests;
