//! A partition in host memory: its bytes, and what is known of its pages.
//!
//! In: a partition. Out: pages for the device, arrays for what the CPU decodes. It puts nothing on the device.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use kernels::Device;
use object_store::ObjectMeta;

use super::chunk::{Chunk, Way, name};
use super::constant;
use super::fetch::{Reading, Wanted};
use super::form::Form;
use super::names::ChunkName;
use super::open::Group;
use super::pages::{self, ChunkPages, NoPages};
use super::partition::Partition;
use super::pieces::Span;
use super::readers::{Stopped, Work, run_sync};
use super::spec::ScanSpec;
use super::{Scan, host, layout};
use crate::error::Result;

/// Chunks that lie no further apart are read at once.
const GAP_BYTES_MAX: u64 = 16 << 10;

/// A partition that was read: ready to be decoded.
#[derive(Debug)]
pub struct Fetched {
    pub(super) spec: Arc<ScanSpec>,
    pub(super) rows: usize,
    pub(super) row_groups: usize,
    /// What goes to the device as it lies in files.
    pub(super) spans: Vec<Span>,
    pub(super) columns: Vec<FetchedColumn>,
    pub(super) read_bytes: u64,
    pub(super) read_time: Duration,
    pub(super) cpu_columns: Vec<(String, String)>,
}

/// A column of the partition.
#[derive(Debug)]
pub(super) enum FetchedColumn {
    /// Pages of its row groups; rows that no page holds are null.
    Pages(Vec<GroupPages>),
    /// All its rows, decoded.
    Array(ArrayRef),
    /// The values of folders.
    Constant(constant::Runs),
}

/// The pages of a column in one row group.
#[derive(Debug)]
pub(super) struct GroupPages {
    pub(super) name: ChunkName,
    /// Of the partition's rows.
    pub(super) first_row: usize,
    pub(super) form: Form,
    /// Which of the spans holds bodies that lie in the file.
    pub(super) span: usize,
    pub(super) pages: ChunkPages,
}

impl Fetched {
    /// Rows of it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Device bytes that its decode takes, but for strings with shared beginnings.
    pub fn reservation_bytes(&self) -> usize {
        layout::Layout::of(self).reservation_bytes(self)
    }

    /// Columns of it that the CPU decoded, and why.
    pub fn cpu_columns(&self) -> &[(String, String)] {
        &self.cpu_columns
    }
}

/// Reads and prepares a partition.
pub(super) fn fetch_sync(
    scan: &Scan,
    partition: &Partition,
    device: &Device,
    stop: &dyn Fn() -> bool,
) -> Result<Fetched> {
    let begun = Instant::now();
    let plan = Plan::of(scan, partition);
    let reading = Reading {
        store: &scan.store,
        runtime: &scan.runtime,
        device,
        stop,
    };
    let spans = reading.read_sync(&plan.files, &plan.wanted)?;
    let read_time = begun.elapsed();
    let mut fetched = Fetched {
        spec: Arc::clone(&scan.spec),
        rows: partition.rows,
        row_groups: partition.groups.len(),
        spans,
        columns: Vec::new(),
        read_bytes: plan
            .wanted
            .iter()
            .map(|wanted| wanted.range.end - wanted.range.start)
            .sum(),
        read_time,
        cpu_columns: Vec::new(),
    };
    let prepared = prepare_sync(scan, partition, &plan, &fetched.spans, stop)?;
    fetched.columns = columns(scan, partition, &plan, prepared, &mut fetched, stop)?;
    keep_uploads_only(&mut fetched, &plan);
    Ok(fetched)
}

/// Which ranges of which files hold which chunks.
struct Plan {
    files: Vec<(ObjectMeta, Arc<str>)>,
    wanted: Vec<Wanted>,
    /// For each chunk of the partition, which range it lies in.
    range_of: Vec<usize>,
    /// For each range, whether the device reads it.
    is_uploaded: Vec<bool>,
}

impl Plan {
    fn of(scan: &Scan, partition: &Partition) -> Self {
        let mut files: Vec<(ObjectMeta, Arc<str>)> = Vec::new();
        let mut file_of_group = Vec::new();
        for group in &scan.groups[partition.groups.clone()] {
            let known = files
                .iter()
                .rposition(|(meta, _)| meta.location == group.file.meta.location);
            file_of_group.push(known.unwrap_or_else(|| {
                files.push((group.file.meta.clone(), Arc::clone(&group.file.name)));
                files.len() - 1
            }));
        }
        let file_of = |chunk: &Chunk| file_of_group[chunk.group - partition.groups.start];
        let uploaded = |chunk: &Chunk| matches!(chunk.way, Way::Device(..));
        let mut order: Vec<usize> = (0..partition.chunks.len()).collect();
        order.sort_by_key(|&index| {
            let chunk = &partition.chunks[index];
            (file_of(chunk), !uploaded(chunk), chunk.range.start)
        });
        let mut plan = Self {
            files,
            wanted: Vec::new(),
            range_of: vec![0; partition.chunks.len()],
            is_uploaded: Vec::new(),
        };
        for index in order {
            let chunk = &partition.chunks[index];
            let (file, is_uploaded) = (file_of(chunk), uploaded(chunk));
            let range: Range<u64> = chunk.range.clone();
            match plan.wanted.last_mut() {
                Some(last)
                    if last.file == file
                        && plan.is_uploaded.last() == Some(&is_uploaded)
                        && range.start <= last.range.end + GAP_BYTES_MAX =>
                {
                    last.range.end = last.range.end.max(range.end);
                }
                _ => {
                    plan.wanted.push(Wanted { file, range });
                    plan.is_uploaded.push(is_uploaded);
                }
            }
            plan.range_of[index] = plan.wanted.len() - 1;
        }
        plan
    }
}

/// What a chunk became on the CPU.
enum Prepared {
    Pages(Form, ChunkPages),
    Arrays(Vec<ArrayRef>),
    /// It must be decoded by the CPU after all, and why.
    Refused(String),
}

/// Lists, decompresses or decodes all chunks, several at once.
fn prepare_sync(
    scan: &Scan,
    partition: &Partition,
    plan: &Plan,
    spans: &[Span],
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Prepared>> {
    let mut on_threads: Vec<(usize, Work<Prepared>)> = Vec::new();
    let mut prepared: Vec<Option<Prepared>> = Vec::new();
    for (index, chunk) in partition.chunks.iter().enumerate() {
        let (group, span) = (&scan.groups[chunk.group], &spans[plan.range_of[index]]);
        let chunk_name = name(group, scan.spec.column_name(chunk.column));
        prepared.push(match &chunk.way {
            Way::Device(form, codec) => {
                let pages = pages::list(chunk, *form, *codec, group.rows, span, &chunk_name);
                Some(outcome(*form, pages)?)
            }
            Way::HostPages(form) => {
                let (form, group, span, leaf) = (*form, group.clone(), span.clone(), chunk.leaf);
                let work = move |stop: &Stopped| {
                    outcome(
                        form,
                        host::unpacked_pages(&group, leaf, form, &span, &chunk_name, stop),
                    )
                };
                on_threads.push((index, Box::new(work)));
                None
            }
            Way::Cpu(_) => {
                on_threads.push((index, decode_work(scan, chunk, group, span, chunk_name)));
                None
            }
        });
    }
    let (places, work): (Vec<usize>, Vec<Work<Prepared>>) = on_threads.into_iter().unzip();
    if !work.is_empty() {
        for (place, result) in places.into_iter().zip(run_sync(work, stop)?) {
            prepared[place] = Some(result);
        }
    }
    Ok(prepared.into_iter().flatten().collect())
}

fn outcome(form: Form, pages: Result<ChunkPages, NoPages>) -> Result<Prepared> {
    match pages {
        Ok(pages) => Ok(Prepared::Pages(form, pages)),
        Err(NoPages::Unsupported(reason)) => Ok(Prepared::Refused(reason)),
        Err(NoPages::Malformed(error)) => Err(error),
    }
}

fn decode_work(scan: &Scan, chunk: &Chunk, group: &Group, span: &Span, name: ChunkName) -> Work<Prepared> {
    let (group, span, leaf) = (group.clone(), span.clone(), chunk.leaf);
    let table_type = scan.spec.schema().field(chunk.column).data_type().clone();
    Box::new(move |stop: &Stopped| {
        host::decoded(&group, leaf, &table_type, &span, &name, stop).map(Prepared::Arrays)
    })
}

/// Puts the chunks together to columns.
fn columns(
    scan: &Scan,
    partition: &Partition,
    plan: &Plan,
    prepared: Vec<Prepared>,
    fetched: &mut Fetched,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<FetchedColumn>> {
    let groups = &scan.groups[partition.groups.clone()];
    let first_rows: Vec<usize> = groups
        .iter()
        .scan(0, |next, group| {
            let first = *next;
            *next += group.rows;
            Some(first)
        })
        .collect();
    let in_files = groups.first().map_or(0, |group| group.file.columns.len());
    let mut of_column: Vec<Vec<(usize, Prepared)>> = (0..in_files).map(|_| Vec::new()).collect();
    for (index, prepared) in prepared.into_iter().enumerate() {
        of_column[partition.chunks[index].column].push((index, prepared));
    }
    let mut columns = Vec::new();
    for (column, chunks) in of_column.into_iter().enumerate() {
        let reason = chunks.iter().find_map(|(index, prepared)| match prepared {
            Prepared::Refused(reason) => Some(reason.clone()),
            Prepared::Arrays(_) => match &partition.chunks[*index].way {
                Way::Cpu(reason) => Some(reason.clone()),
                _ => None,
            },
            Prepared::Pages(..) => None,
        });
        columns.push(match reason {
            Some(reason) => {
                fetched
                    .cpu_columns
                    .push((scan.spec.column_name(column).to_owned(), reason));
                let arrays = all_arrays_sync(scan, partition, plan, &fetched.spans, column, chunks, stop)?;
                FetchedColumn::Array(arrays)
            }
            None => FetchedColumn::Pages(
                chunks
                    .into_iter()
                    .filter_map(|(index, prepared)| match prepared {
                        Prepared::Pages(form, pages) => {
                            let chunk = &partition.chunks[index];
                            Some(GroupPages {
                                name: name(&scan.groups[chunk.group], scan.spec.column_name(column)),
                                first_row: first_rows[chunk.group - partition.groups.start],
                                form,
                                span: plan.range_of[index],
                                pages,
                            })
                        }
                        _ => None,
                    })
                    .collect(),
            ),
        });
    }
    for folder in in_files..scan.spec.columns.len() {
        columns.push(FetchedColumn::Constant(constant::Runs::of(
            &scan.spec, groups, folder,
        )?));
    }
    Ok(columns)
}

/// All rows of a column of which the CPU must decode some: row groups without the column are null.
fn all_arrays_sync(
    scan: &Scan,
    partition: &Partition,
    plan: &Plan,
    spans: &[Span],
    column: usize,
    chunks: Vec<(usize, Prepared)>,
    stop: &dyn Fn() -> bool,
) -> Result<ArrayRef> {
    let mut arrays: Vec<Option<Vec<ArrayRef>>> = vec![None; partition.groups.len()];
    let mut left: Vec<(usize, Work<Prepared>)> = Vec::new();
    for (index, prepared) in chunks {
        let chunk = &partition.chunks[index];
        let place = chunk.group - partition.groups.start;
        match prepared {
            Prepared::Arrays(decoded) => arrays[place] = Some(decoded),
            Prepared::Pages(..) | Prepared::Refused(_) => {
                let group = &scan.groups[chunk.group];
                let chunk_name = name(group, scan.spec.column_name(column));
                let span = &spans[plan.range_of[index]];
                left.push((place, decode_work(scan, chunk, group, span, chunk_name)));
            }
        }
    }
    let (places, work): (Vec<usize>, Vec<Work<Prepared>>) = left.into_iter().unzip();
    if !work.is_empty() {
        for (place, result) in places.into_iter().zip(run_sync(work, stop)?) {
            if let Prepared::Arrays(decoded) = result {
                arrays[place] = Some(decoded);
            }
        }
    }
    let schema = scan.spec.schema();
    let data_type = schema.field(column).data_type();
    let whole: Vec<ArrayRef> = arrays
        .into_iter()
        .zip(&scan.groups[partition.groups.clone()])
        .flat_map(|(decoded, group)| {
            decoded.unwrap_or_else(|| vec![arrow::array::new_null_array(data_type, group.rows)])
        })
        .collect();
    let parts: Vec<&dyn Array> = whole.iter().map(AsRef::as_ref).collect();
    concat(&parts).map_err(|error| {
        crate::error::Error::data(format!("column {}: {error}", scan.spec.column_name(column)))
    })
}

/// Lets go of bytes that the device does not read.
fn keep_uploads_only(fetched: &mut Fetched, plan: &Plan) {
    for (span, is_uploaded) in fetched.spans.iter_mut().zip(&plan.is_uploaded) {
        if !is_uploaded {
            *span = Span::new(span.start, Vec::new());
        }
    }
}
