//! Reading the bytes of a partition into pinned memory.
//!
//! In: ranges of files. Out: spans of them in host memory. Ranges are put one after the other and cut into pieces of one
//! size, each read by one of the threads of [`super::readers`]: local files where they lie, objects by requests on the
//! runtime that the scan was opened on.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use kernels::{Device, PinnedSlab};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStore};
use tokio::runtime::Handle;

use super::early::{Early, InUse};
use super::open::OpenFile;
use super::pieces::{Image, Piece, Span};
use super::readers::{Stopped, Turn, Work, run_sync, stopped};
use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;
use crate::error_device::on_device;

/// Bytes of a piece, by the bytes of its partition: as large as keeps all threads busy, because copies to the device
/// are faster the larger they are.
const PIECE_BYTES: [(usize, usize); 3] = [(1 << 30, 16 << 20), (64 << 20, 4 << 20), (0, 1 << 20)];

/// The least bytes of a piece of an object: a request takes its time however little it asks for.
const OBJECT_PIECE_BYTES: usize = 4 << 20;

/// Files that are opened at once.
const FILES_AT_ONCE: usize = 16;

/// How long a read waits for pinned memory before it takes ordinary memory, so that partitions that were read cannot
/// keep each other from being decoded.
const PINNED_WAIT: Duration = Duration::from_millis(200);
const PINNED_PAUSE: Duration = Duration::from_millis(2);

/// A range of a file that is read.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Which of the partition's files.
    pub(super) file: usize,
    pub(super) range: Range<u64>,
    /// Whether it goes to the device as it lies in the file.
    pub(super) is_uploaded: bool,
}

/// What a read goes through.
pub(super) struct Reading<'a> {
    pub(super) store: &'a Arc<dyn ObjectStore>,
    pub(super) runtime: &'a Handle,
    pub(super) device: &'a Device,
    pub(super) turn: Turn,
    pub(super) in_use: &'a InUse,
    pub(super) stop: &'a dyn Fn() -> bool,
}

/// A file that bytes are read from.
#[derive(Clone)]
enum Source {
    Local(Arc<File>, Arc<str>),
    Object(Arc<dyn ObjectStore>, Path, Handle),
}

/// Ranges that become one image, and where each lies in it.
#[derive(Default)]
struct Cut {
    bytes: usize,
    places: Vec<usize>,
    ranges: Vec<(usize, Range<u64>)>,
}

impl Cut {
    fn add(&mut self, wanted: &Wanted) {
        self.places.push(self.bytes);
        self.ranges.push((wanted.file, wanted.range.clone()));
        self.bytes += (wanted.range.end - wanted.range.start) as usize;
    }

    /// Bytes of a piece, of which none is larger than `bytes_max`.
    fn step(&self, sources: &[Source], bytes_max: usize) -> usize {
        let by_bytes = PIECE_BYTES.iter().find(|(from, _)| self.bytes >= *from);
        let step = by_bytes.map_or(1 << 20, |(_, step)| *step);
        let step = match sources.iter().any(|source| matches!(source, Source::Object(..))) {
            true => step.max(OBJECT_PIECE_BYTES),
            false => step,
        };
        step.min(bytes_max)
    }

    /// The ranges, or parts of them, that lie in each piece.
    fn pieces(&self, step: usize) -> Vec<Vec<(usize, Range<u64>)>> {
        let mut pieces: Vec<Vec<(usize, Range<u64>)>> = Vec::new();
        let mut left = 0;
        for (file, range) in &self.ranges {
            let mut start = range.start;
            while start < range.end {
                if left == 0 {
                    pieces.push(Vec::new());
                    left = step as u64;
                }
                let end = range.end.min(start + left);
                if let Some(piece) = pieces.last_mut() {
                    piece.push((*file, start..end));
                }
                left -= end - start;
                start = end;
            }
        }
        pieces
    }
}

impl Reading<'_> {
    /// Reads all ranges, several pieces at once. What goes to the device as it lies in files, in order, and a span for
    /// each range. Pinned pieces of it are on their way to the device already if there was memory for them.
    pub(super) fn read_sync(
        &self,
        files: &[Arc<OpenFile>],
        wanted: &[Wanted],
    ) -> Result<(Image, Option<Arc<Early>>, Vec<Span>)> {
        let sources: Arc<[Source]> = self.open_sync(files)?.into();
        let mut cuts = [Cut::default(), Cut::default()];
        for wanted in wanted {
            cuts[usize::from(!wanted.is_uploaded)].add(wanted);
        }
        let bytes_max = self.device.pinned_slab_bytes_max();
        let steps = [&cuts[0], &cuts[1]].map(|cut| cut.step(&sources, bytes_max));
        let pieces = [cuts[0].pieces(steps[0]), cuts[1].pieces(steps[1])];
        let uploaded = pieces[0].len();
        let early = Early::begin(self.device, cuts[0].bytes, self.in_use)?.map(Arc::new);
        let work = pieces
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, parts)| -> Work<Piece> {
                let (sources, device) = (Arc::clone(&sources), self.device.clone());
                let early = early.clone().filter(|_| index < uploaded);
                let at = index * steps[0];
                Box::new(move |stop| {
                    let piece = read_piece(&sources, &parts, &device, stop)?;
                    if let (Some(early), Piece::Pinned(bytes)) = (&early, &piece) {
                        early.copy(bytes, at)?;
                    }
                    Ok(piece)
                })
            });
        let mut work: Vec<Work<Piece>> = work.collect();
        let mut read = match (work.len(), work.pop()) {
            (_, _) if (self.stop)() => return Err(stopped()),
            // Not worth the way to another thread.
            (1, Some(work)) => vec![work(&Stopped::default())?],
            (_, last) => {
                work.extend(last);
                run_sync(work, self.turn, self.stop)?
            }
        };
        let others = read.split_off(uploaded);
        let images = [Image::new(steps[0], read), Image::new(steps[1], others)];
        let mut next = [0, 0];
        let spans = wanted.iter().map(|wanted| {
            let which = usize::from(!wanted.is_uploaded);
            let at = cuts[which].places[next[which]];
            next[which] += 1;
            let bytes = (wanted.range.end - wanted.range.start) as usize;
            Span::new(wanted.range.start, bytes, at, images[which].clone())
        });
        let spans = spans.collect();
        let [image, _] = images;
        Ok((image, early, spans))
    }

    fn open_sync(&self, files: &[Arc<OpenFile>]) -> Result<Vec<Source>> {
        let known = files.iter().map(|file| self.known(file));
        let known: Vec<Option<Source>> = known.collect();
        if known.iter().all(Option::is_some) {
            return Ok(known.into_iter().flatten().collect());
        }
        let opening = files.iter().zip(known).map(|(file, known)| async move {
            match known {
                Some(source) => Ok(source),
                None => self.opened(file).await,
            }
        });
        let opened = futures::stream::iter(opening)
            .buffered(FILES_AT_ONCE)
            .try_collect();
        self.runtime.block_on(opened)
    }

    /// What needs no opening.
    fn known(&self, file: &OpenFile) -> Option<Source> {
        if !file.is_local {
            return Some(self.object(file));
        }
        let open = file.open.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Source::Local(open.upgrade()?, Arc::clone(&file.name)))
    }

    fn object(&self, file: &OpenFile) -> Source {
        Source::Object(
            Arc::clone(self.store),
            file.meta.location.clone(),
            self.runtime.clone(),
        )
    }

    async fn opened(&self, file: &OpenFile) -> Result<Source> {
        let options = GetOptions {
            if_match: file.meta.e_tag.clone(),
            range: Some(GetRange::Bounded(0..file.meta.size.min(1))),
            ..GetOptions::default()
        };
        match self.store.get_opts(&file.meta.location, options).await {
            Ok(result) => match result.payload {
                GetResultPayload::File(opened, _) => {
                    let opened = Arc::new(opened);
                    *file.open.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&opened);
                    Ok(Source::Local(opened, Arc::clone(&file.name)))
                }
                GetResultPayload::Stream(_) => Ok(self.object(file)),
            },
            Err(object_store::Error::Precondition { .. }) => Err(Error::data(format!(
                "{}: the file changed while the query ran",
                file.name
            ))),
            Err(error) => Err(from_datafusion(error.into())),
        }
    }
}

/// Whether the store has its objects as files of this machine.
pub(super) fn is_local(store: &Arc<dyn ObjectStore>, location: &Path) -> bool {
    // The mounted store names the store in the path; DataFusion's own names itself.
    location.as_ref().starts_with("file/") || store.to_string().starts_with("LocalFileSystem")
}

/// Reads the parts of a piece, one after the other.
fn read_piece(
    sources: &[Source],
    parts: &[(usize, Range<u64>)],
    device: &Device,
    stop: &Stopped,
) -> Result<Piece> {
    let lengths = parts.iter().map(|(_, range)| (range.end - range.start) as usize);
    let bytes = lengths.sum();
    match slab(device, bytes, stop)? {
        Some(mut slab) => {
            read_parts(sources, parts, &mut slab[..bytes])?;
            Ok(Piece::Pinned(slab.freeze(bytes).map_err(on_device)?))
        }
        None => {
            let mut ordinary = vec![0; bytes];
            read_parts(sources, parts, &mut ordinary)?;
            Ok(Piece::Ordinary(ordinary.into()))
        }
    }
}

fn read_parts(sources: &[Source], parts: &[(usize, Range<u64>)], mut target: &mut [u8]) -> Result<()> {
    for of_file in parts.chunk_by(|(before, _), (after, _)| before == after) {
        match &sources[of_file[0].0] {
            Source::Local(file, name) => {
                for (_, range) in of_file {
                    let (part, rest) = target.split_at_mut((range.end - range.start) as usize);
                    file.read_exact_at(part, range.start).map_err(|error| {
                        Error::data(format!("{name}: bytes {} to {}: {error}", range.start, range.end))
                    })?;
                    target = rest;
                }
            }
            Source::Object(store, location, runtime) => {
                let ranges: Vec<Range<u64>> = of_file.iter().map(|(_, range)| range.clone()).collect();
                // Neighbouring ranges become one request.
                let got = runtime
                    .block_on(store.get_ranges(location, &ranges))
                    .map_err(|error| from_datafusion(error.into()))?;
                for (bytes, range) in got.iter().zip(&ranges) {
                    let wanted = (range.end - range.start) as usize;
                    if bytes.len() != wanted {
                        return Err(Error::data(format!(
                            "{location}: {} bytes came from byte {} on, expected {wanted}",
                            bytes.len(),
                            range.start
                        )));
                    }
                    let (part, rest) = target.split_at_mut(wanted);
                    part.copy_from_slice(bytes);
                    target = rest;
                }
            }
        }
    }
    Ok(())
}

/// Pinned memory for `bytes`; `None` if the pool has none to give for a while, or never has so much in one piece.
fn slab(device: &Device, bytes: usize, stop: &Stopped) -> Result<Option<PinnedSlab>> {
    if bytes > device.pinned_slab_bytes_max() {
        return Ok(None);
    }
    let deadline = Instant::now() + PINNED_WAIT;
    loop {
        if stop.is_set() {
            return Err(stopped());
        }
        // Some of the pool is left to copies that a decode cannot do without.
        match device.pinned_leaving(bytes, device.pinned_limit_bytes() / 8) {
            Ok(slab) => return Ok(Some(slab)),
            Err(error) if error.is_out_of_memory() => {}
            Err(error) => return Err(on_device(error)),
        }
        if Instant::now() >= deadline {
            tracing::debug!(
                bytes,
                "no pinned memory is left, a file is read into ordinary memory"
            );
            return Ok(None);
        }
        std::thread::sleep(PINNED_PAUSE);
    }
}
