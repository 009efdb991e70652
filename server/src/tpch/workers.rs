//! The threads that generate and encode. In: the plans. Out: the files, and what each table came to.
//! A job is one row group; jobs are taken in one fixed order, and no thread runs far ahead of the
//! slowest one, so that few encoded row groups wait in memory for their turn.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use parquet::arrow::arrow_writer::compute_leaves;

use super::file::{EncodedGroup, ParquetFile};
use super::{Progress, TablePlan, TableSummary, TpchOptions};
use crate::error::{Error, Result};

/// How many jobs a thread may be ahead of the oldest unfinished one, for each thread.
const AHEAD_PER_THREAD: usize = 2;

struct Job<'a> {
    table: usize,
    plan: &'a TablePlan,
    file: usize,
    row_group: usize,
}

struct Shared<'a> {
    plans: &'a [TablePlan],
    /// By table, then file.
    files: Vec<Vec<ParquetFile>>,
    scale: f64,
    ahead: usize,
    queue: Mutex<Queue<'a>>,
    moved: Condvar,
    progress: &'a dyn Progress,
}

struct Queue<'a> {
    jobs: Box<dyn Iterator<Item = Job<'a>> + Send + 'a>,
    taken: usize,
    unfinished: BTreeSet<usize>,
    tables: Vec<TableSummary>,
    failed: Option<Error>,
}

/// Writes every table of `plans` below `dir`. On cancellation returns early with what there is.
pub(super) fn write_all(
    plans: &[TablePlan],
    dir: &Path,
    options: &TpchOptions,
    progress: &dyn Progress,
) -> Result<Vec<TableSummary>> {
    let threads = options.threads();
    let jobs = plans.iter().enumerate().flat_map(|(table, plan)| {
        (0..plan.files).flat_map(move |file| {
            (0..plan.row_groups).map(move |row_group| Job {
                table,
                plan,
                file,
                row_group,
            })
        })
    });
    let files = plans.iter().map(|plan| {
        let schema = plan.table.schema();
        let file = |n| {
            let path = dir.join(plan.file_name(n));
            ParquetFile::new(path, schema.clone(), options.compression, plan.row_groups)
        };
        (0..plan.files).map(file).collect()
    });
    let none = |plan: &TablePlan| TableSummary {
        table: plan.table,
        rows: 0,
        bytes: 0,
        files: 0,
    };
    let shared = Shared {
        plans,
        files: files.collect(),
        scale: options.scale,
        ahead: threads * AHEAD_PER_THREAD,
        queue: Mutex::new(Queue {
            jobs: Box::new(jobs),
            taken: 0,
            unfinished: BTreeSet::new(),
            tables: plans.iter().map(none).collect(),
            failed: None,
        }),
        moved: Condvar::new(),
        progress,
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| shared.work());
        }
    });
    let queue = shared.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    match queue.failed {
        Some(e) => Err(e),
        None => Ok(queue.tables),
    }
}

impl<'a> Shared<'a> {
    fn queue(&self) -> MutexGuard<'_, Queue<'a>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some((number, job)) = self.take() {
            let outcome = self.run(&job);
            let mut queue = self.queue();
            queue.unfinished.remove(&number);
            match outcome {
                Ok(closed) => self.count(&mut queue, &job, closed),
                Err(e) => {
                    queue.failed.get_or_insert(e);
                }
            }
            drop(queue);
            self.moved.notify_all();
        }
    }

    /// The next job; none when there is none left, one failed, or the caller wants no more.
    fn take(&self) -> Option<(usize, Job<'a>)> {
        let mut queue = self.queue();
        loop {
            if queue.failed.is_some() || self.progress.cancelled() {
                return None;
            }
            let oldest = queue.unfinished.first().copied().unwrap_or(queue.taken);
            if queue.taken < oldest + self.ahead {
                let job = queue.jobs.next()?;
                let number = queue.taken;
                queue.taken += 1;
                queue.unfinished.insert(number);
                return Some((number, job));
            }
            queue = self.moved.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Generates and encodes one row group and hands it to its file.
    fn run(&self, job: &Job<'a>) -> Result<Option<(u64, u64)>> {
        let file = &self.files[job.table][job.file];
        let (part, parts) = job.plan.part(job.file, job.row_group);
        let batches = job.plan.table.batches(self.scale, part, parts);
        let mut columns = file
            .columns()?
            .create_column_writers(job.row_group)
            .map_err(|e| file.error(&e))?;
        let mut rows = 0;
        for batch in batches {
            if self.progress.cancelled() {
                return Ok(None);
            }
            let mut writers = columns.iter_mut();
            for (field, column) in file.schema().fields().iter().zip(batch.columns()) {
                let leaves = compute_leaves(field, column).map_err(|e| file.error(&e))?;
                for (leaf, writer) in leaves.iter().zip(writers.by_ref()) {
                    writer.write(leaf).map_err(|e| file.error(&e))?;
                }
            }
            rows += batch.num_rows() as u64;
            self.progress.rows(job.plan.table, batch.num_rows() as u64);
        }
        let columns = match rows {
            0 => Vec::new(),
            _ => {
                let closed: Result<Vec<_>, _> = columns.into_iter().map(|c| c.close()).collect();
                closed.map_err(|e| file.error(&e))?
            }
        };
        file.append(job.row_group, EncodedGroup { columns, rows })
    }

    fn count(&self, queue: &mut Queue<'a>, job: &Job<'a>, closed: Option<(u64, u64)>) {
        let Some((rows, bytes)) = closed else { return };
        let summary = &mut queue.tables[job.table];
        summary.rows += rows;
        summary.bytes += bytes;
        summary.files += 1;
        if summary.files == self.plans[job.table].files {
            self.progress.done(summary);
        }
    }
}
