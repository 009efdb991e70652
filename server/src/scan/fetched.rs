//! A partition in host memory: its bytes, and what is known of its pages.
//!
//! In: a partition. Out: pages for the device, arrays for what the CPU decodes. It puts nothing on the device.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use kernels::Device;
use kernels::parquet::Encoding;

use super::chunk::{Chunk, Way, name};
use super::constant;
use super::early::Early;
use super::fetch::{Reading, Wanted};
use super::form::Form;
use super::names::ChunkName;
use super::open::{Group, OpenFile};
use super::pages::{self, ChunkPages, NoPages};
use super::partition::Partition;
use super::pieces::{Image, Span, Spans};
use super::readers::{Stopped, Turn, Work, run_sync};
use super::spec::ScanSpec;
use super::{Scan, host, layout};
use crate::error::{Error, Result};

/// Chunks that lie no further apart are read at once.
const GAP_BYTES_MAX: u64 = 16 << 10;

/// So many chunks have their pages listed by the thread that read them.
const CHUNKS_FEW: usize = 8;

/// Columns that the CPU decodes, each with why.
type Reasons = Vec<(String, String)>;

/// A partition that was read: ready to be decoded.
#[derive(Debug)]
pub struct Fetched {
    pub(super) spec: Arc<ScanSpec>,
    pub(super) rows: usize,
    pub(super) row_groups: usize,
    /// What goes to the device as it lies in files.
    pub(super) image: Image,
    /// The image on the device, but for pieces that are not pinned.
    pub(super) early: Option<Arc<Early>>,
    pub(super) columns: Vec<FetchedColumn>,
    pub(super) read_bytes: u64,
    /// From when to when.
    pub(super) read: (Instant, Instant),
    pub(super) cpu_columns: Reasons,
    reservation_bytes: usize,
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

impl FetchedColumn {
    /// Whether all its rows are strings of dictionaries: it is decoded to codes of their entries then.
    pub(super) fn is_coded(&self) -> bool {
        let Self::Pages(groups) = self else { return false };
        let of_group = |group: &GroupPages| {
            let dictionary = group.pages.dictionary.as_ref()?;
            let mut data = group.pages.data.iter();
            let coded = group.form.is_string() && data.all(|page| page.encoding == Encoding::Dictionary);
            coded.then_some(dictionary.rows as usize)
        };
        let entries = groups.iter().map(of_group).sum::<Option<usize>>();
        // Rows of no group have no value: there is nothing to say of a column that has none but those.
        entries.is_some_and(|entries| entries > 0 && u32::try_from(entries).is_ok())
    }
}

/// The pages of a column in one row group.
#[derive(Debug)]
pub(super) struct GroupPages {
    pub(super) name: ChunkName,
    /// Of the partition's rows.
    pub(super) first_row: usize,
    pub(super) form: Form,
    /// Where bodies are that lie in the file; `None` if none does.
    pub(super) spans: Option<Spans>,
    pub(super) pages: ChunkPages,
}

impl Fetched {
    /// Rows of it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Device bytes that its decode takes, but for strings with shared beginnings.
    pub fn reservation_bytes(&self) -> usize {
        self.reservation_bytes
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
    turn: Turn,
    device: &Device,
    stop: &dyn Fn() -> bool,
) -> Result<Fetched> {
    let begun = Instant::now();
    let plan = Plan::of(scan, partition);
    let reading = Reading {
        store: &scan.store,
        runtime: &scan.runtime,
        device,
        turn,
        in_use: &scan.early_in_use,
        stop,
    };
    let (image, early, spans) = reading.read_sync(&plan.files, &plan.wanted)?;
    let read = (begun, Instant::now());
    let mut fetched = Fetched {
        spec: Arc::clone(&scan.spec),
        rows: partition.rows,
        row_groups: partition.groups.len(),
        image,
        early,
        columns: Vec::new(),
        read_bytes: plan
            .wanted
            .iter()
            .map(|wanted| wanted.range.end - wanted.range.start)
            .sum(),
        read,
        cpu_columns: Vec::new(),
        reservation_bytes: 0,
    };
    let part = Part {
        scan,
        partition,
        plan: &plan,
        spans: &spans,
        stop,
    };
    let prepared = part.prepare_sync()?;
    (fetched.columns, fetched.cpu_columns) = part.columns_sync(prepared)?;
    fetched.reservation_bytes = layout::Layout::of(&fetched).reservation_bytes(&fetched, scan.unpacker)?;
    Ok(fetched)
}

/// Which ranges of which files hold which chunks.
struct Plan {
    files: Vec<Arc<OpenFile>>,
    wanted: Vec<Wanted>,
    /// For each chunk of the partition, which ranges it lies in.
    ranges_of: Vec<Range<usize>>,
}

impl Plan {
    fn of(scan: &Scan, partition: &Partition) -> Self {
        let mut files: Vec<Arc<OpenFile>> = Vec::new();
        let mut file_of_group = Vec::new();
        for group in &scan.groups[partition.groups.clone()] {
            let known = files.iter().rposition(|file| Arc::ptr_eq(file, &group.file));
            file_of_group.push(known.unwrap_or_else(|| {
                files.push(Arc::clone(&group.file));
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
            ranges_of: vec![0..0; partition.chunks.len()],
        };
        for index in order {
            let chunk = &partition.chunks[index];
            let (file, is_uploaded) = (file_of(chunk), uploaded(chunk));
            let mut first = None;
            for range in chunk.read_ranges() {
                match plan.wanted.last_mut() {
                    Some(last)
                        if (last.file, last.is_uploaded) == (file, is_uploaded)
                            && range.start <= last.range.end + GAP_BYTES_MAX =>
                    {
                        last.range.end = last.range.end.max(range.end);
                    }
                    _ => plan.wanted.push(Wanted {
                        file,
                        range,
                        is_uploaded,
                    }),
                }
                first.get_or_insert(plan.wanted.len() - 1);
            }
            plan.ranges_of[index] = first.unwrap_or(0)..plan.wanted.len();
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

/// A partition that was read, while its chunks are made ready.
struct Part<'a> {
    scan: &'a Scan,
    partition: &'a Partition,
    plan: &'a Plan,
    /// For each of the plan's ranges.
    spans: &'a [Span],
    stop: &'a dyn Fn() -> bool,
}

impl Part<'_> {
    fn group(&self, chunk: &Chunk) -> &Group {
        &self.scan.groups[chunk.group]
    }

    fn name(&self, chunk: &Chunk) -> ChunkName {
        name(self.group(chunk), self.scan.spec.column_name(chunk.column))
    }

    fn spans(&self, index: usize) -> Spans {
        Spans::new(&self.spans[self.plan.ranges_of[index].clone()])
    }

    /// Lists, decompresses or decodes all chunks, several at once.
    fn prepare_sync(&self) -> Result<Vec<Prepared>> {
        let chunks = &self.partition.chunks;
        let work = (0..chunks.len()).map(|index| self.preparing(index));
        // Not worth the way to other threads.
        let is_little =
            chunks.len() <= CHUNKS_FEW && chunks.iter().all(|chunk| matches!(chunk.way, Way::Device(..)));
        match is_little {
            true => work.map(|work| work(&Stopped::default())).collect(),
            false => run_sync(work.collect(), Turn::FIRST, self.stop),
        }
    }

    fn preparing(&self, index: usize) -> Work<Prepared> {
        let chunk = &self.partition.chunks[index];
        let (spans, name) = (self.spans(index), self.name(chunk));
        let (group, chunk) = (self.group(chunk).clone(), chunk.clone());
        match chunk.way {
            Way::Device(form, codec) => Box::new(move |stop: &Stopped| {
                let pages = match pages::list(&chunk, form, codec, group.rows, &spans, &name) {
                    Err(NoPages::ForHost) => host::unpacked_pages(&group, &chunk, form, &spans, &name, stop),
                    listed => listed,
                };
                outcome(form, pages)
            }),
            Way::HostPages(form) => Box::new(move |stop: &Stopped| {
                let pages = host::unpacked_pages(&group, &chunk, form, &spans, &name, stop);
                outcome(form, pages)
            }),
            Way::Cpu(_) => self.decode_work(index),
        }
    }

    fn decode_work(&self, index: usize) -> Work<Prepared> {
        let chunk = &self.partition.chunks[index];
        let (group, spans, name) = (self.group(chunk).clone(), self.spans(index), self.name(chunk));
        let (table_type, leaf) = (self.data_type(chunk.column), chunk.leaf);
        Box::new(move |stop: &Stopped| {
            host::decoded(&group, leaf, &table_type, &spans, &name, stop).map(Prepared::Arrays)
        })
    }

    fn data_type(&self, column: usize) -> DataType {
        self.scan.spec.schema().field(column).data_type().clone()
    }

    /// Puts the chunks together to columns; also those that the CPU decoded, and why.
    fn columns_sync(&self, prepared: Vec<Prepared>) -> Result<(Vec<FetchedColumn>, Reasons)> {
        let groups = &self.scan.groups[self.partition.groups.clone()];
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
            of_column[self.partition.chunks[index].column].push((index, prepared));
        }
        let (mut columns, mut by_cpu) = (Vec::new(), Vec::new());
        for (column, chunks) in of_column.into_iter().enumerate() {
            let reason = chunks.iter().find_map(|(index, prepared)| match prepared {
                Prepared::Refused(reason) => Some(reason.clone()),
                Prepared::Arrays(_) => match &self.partition.chunks[*index].way {
                    Way::Cpu(reason) => Some(reason.clone()),
                    _ => None,
                },
                Prepared::Pages(..) => None,
            });
            columns.push(match reason {
                Some(reason) => {
                    by_cpu.push((self.scan.spec.column_name(column).to_owned(), reason));
                    FetchedColumn::Array(self.all_arrays_sync(column, chunks)?)
                }
                None => {
                    let pages = chunks.into_iter().filter_map(|(index, prepared)| {
                        let Prepared::Pages(form, pages) = prepared else {
                            return None;
                        };
                        let chunk = &self.partition.chunks[index];
                        let is_uploaded = matches!(chunk.way, Way::Device(..));
                        Some(GroupPages {
                            name: self.name(chunk),
                            first_row: first_rows[chunk.group - self.partition.groups.start],
                            form,
                            spans: is_uploaded.then(|| self.spans(index)),
                            pages,
                        })
                    });
                    FetchedColumn::Pages(pages.collect())
                }
            });
        }
        for folder in in_files..self.scan.spec.columns.len() {
            let runs = constant::Runs::of(&self.scan.spec, groups, folder)?;
            columns.push(FetchedColumn::Constant(runs));
        }
        Ok((columns, by_cpu))
    }

    /// All rows of a column of which the CPU must decode some: row groups without the column are null.
    fn all_arrays_sync(&self, column: usize, chunks: Vec<(usize, Prepared)>) -> Result<ArrayRef> {
        let mut arrays: Vec<Option<Vec<ArrayRef>>> = vec![None; self.partition.groups.len()];
        let mut left: Vec<(usize, Work<Prepared>)> = Vec::new();
        for (index, prepared) in chunks {
            let place = self.partition.chunks[index].group - self.partition.groups.start;
            match prepared {
                Prepared::Arrays(decoded) => arrays[place] = Some(decoded),
                Prepared::Pages(..) | Prepared::Refused(_) => left.push((place, self.decode_work(index))),
            }
        }
        let (places, work): (Vec<usize>, Vec<Work<Prepared>>) = left.into_iter().unzip();
        if !work.is_empty() {
            for (place, result) in places.into_iter().zip(run_sync(work, Turn::FIRST, self.stop)?) {
                if let Prepared::Arrays(decoded) = result {
                    arrays[place] = Some(decoded);
                }
            }
        }
        let data_type = self.data_type(column);
        let whole: Vec<ArrayRef> = arrays
            .into_iter()
            .zip(&self.scan.groups[self.partition.groups.clone()])
            .flat_map(|(decoded, group)| {
                decoded.unwrap_or_else(|| vec![arrow::array::new_null_array(&data_type, group.rows)])
            })
            .collect();
        let parts: Vec<&dyn Array> = whole.iter().map(AsRef::as_ref).collect();
        concat(&parts)
            .map_err(|error| Error::data(format!("column {}: {error}", self.scan.spec.column_name(column))))
    }
}

fn outcome(form: Form, pages: Result<ChunkPages, NoPages>) -> Result<Prepared> {
    match pages {
        Ok(pages) => Ok(Prepared::Pages(form, pages)),
        Err(NoPages::Unsupported(reason)) => Ok(Prepared::Refused(reason)),
        Err(NoPages::Malformed(error)) => Err(error),
        Err(NoPages::ForHost) => Err(Error::internal(
            "pages that neither the device nor the CPU decompresses",
        )),
    }
}
