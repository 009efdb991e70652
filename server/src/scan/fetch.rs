//! Reading the bytes of a partition into pinned memory.
//!
//! In: ranges of files. Out: spans of them in host memory. Local files are read where they lie by the threads of
//! [`super::readers`]; objects by many requests at once on the runtime that the scan was opened on.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use kernels::{Device, PinnedSlab};
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use super::pieces::{Held, Piece, Span};
use super::readers::{Stopped, Work, run_sync, stopped};
use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;
use crate::error_device::on_device;

/// Bytes of a piece, by the bytes of its partition: as large as keeps all threads busy, because copies to the device
/// are faster the larger they are.
const PIECE_BYTES: [(u64, u64); 3] = [(1 << 30, 16 << 20), (64 << 20, 4 << 20), (0, 1 << 20)];

/// Requests for objects at once.
const REQUESTS_AT_ONCE: usize = 16;

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
}

/// What a read goes through.
pub(super) struct Reading<'a> {
    pub(super) store: &'a Arc<dyn ObjectStore>,
    pub(super) runtime: &'a Handle,
    pub(super) device: &'a Device,
    pub(super) stop: &'a dyn Fn() -> bool,
}

/// A file that bytes are read from.
#[derive(Clone)]
enum Source {
    Local(Arc<File>, Arc<str>),
    Object(Arc<dyn ObjectStore>, ObjectMeta, Handle),
}

impl Reading<'_> {
    /// Reads all ranges, several at once. A span for each, in order.
    pub(super) fn read_sync(&self, files: &[(ObjectMeta, Arc<str>)], wanted: &[Wanted]) -> Result<Vec<Span>> {
        let sources = self.open_sync(files)?;
        let total: u64 = wanted
            .iter()
            .map(|wanted| wanted.range.end - wanted.range.start)
            .sum();
        let piece_of = PIECE_BYTES.iter().find(|(from, _)| total >= *from);
        let step = piece_of.map_or(1 << 20, |(_, step)| *step);
        let mut work: Vec<Work<Piece>> = Vec::new();
        for wanted in wanted {
            let mut start = wanted.range.start;
            while start < wanted.range.end {
                let end = wanted.range.end.min(start + step);
                let (source, device) = (sources[wanted.file].clone(), self.device.clone());
                work.push(Box::new(move |stop| {
                    read_piece(&source, &device, start..end, stop)
                }));
                start = end;
            }
        }
        let mut pieces = run_sync(work, self.stop)?.into_iter();
        let spans = wanted.iter().map(|wanted| {
            let count = (wanted.range.end - wanted.range.start).div_ceil(step);
            Span::new(wanted.range.start, pieces.by_ref().take(count as usize).collect())
        });
        Ok(spans.collect())
    }

    fn open_sync(&self, files: &[(ObjectMeta, Arc<str>)]) -> Result<Vec<Source>> {
        let opening = files.iter().map(|(meta, name)| async move {
            if !is_local(self.store, meta) {
                return Ok(Source::Object(
                    Arc::clone(self.store),
                    meta.clone(),
                    self.runtime.clone(),
                ));
            }
            let options = GetOptions {
                if_match: meta.e_tag.clone(),
                range: Some(GetRange::Bounded(0..meta.size.min(1))),
                ..GetOptions::default()
            };
            match self.store.get_opts(&meta.location, options).await {
                Ok(result) => match result.payload {
                    GetResultPayload::File(file, _) => Ok(Source::Local(Arc::new(file), Arc::clone(name))),
                    GetResultPayload::Stream(_) => Ok(Source::Object(
                        Arc::clone(self.store),
                        meta.clone(),
                        self.runtime.clone(),
                    )),
                },
                Err(object_store::Error::Precondition { .. }) => Err(Error::data(format!(
                    "{name}: the file changed while the query ran"
                ))),
                Err(error) => Err(from_datafusion(error.into())),
            }
        });
        let opened = futures::stream::iter(opening)
            .buffered(REQUESTS_AT_ONCE)
            .try_collect();
        self.runtime.block_on(opened)
    }
}

/// Whether the store has the object as a file of this machine.
fn is_local(store: &Arc<dyn ObjectStore>, meta: &ObjectMeta) -> bool {
    // The mounted store names the store in the path; DataFusion's own names itself.
    meta.location.as_ref().starts_with("file/") || store.to_string().starts_with("LocalFileSystem")
}

fn read_piece(source: &Source, device: &Device, range: Range<u64>, stop: &Stopped) -> Result<Piece> {
    let bytes = (range.end - range.start) as usize;
    match source {
        Source::Local(file, name) => {
            let read = |target: &mut [u8]| {
                file.read_exact_at(target, range.start).map_err(|error| {
                    Error::data(format!("{name}: bytes {} to {}: {error}", range.start, range.end))
                })
            };
            match slab(device, bytes, stop)? {
                Some(mut slab) => {
                    read(&mut slab[..bytes])?;
                    let slab_bytes = slab.len();
                    Ok(Piece::pinned(slab.freeze(bytes).map_err(on_device)?, slab_bytes))
                }
                None => {
                    let mut ordinary = vec![0; bytes];
                    read(&mut ordinary)?;
                    Ok(Piece::Ordinary(ordinary.into()))
                }
            }
        }
        Source::Object(store, meta, runtime) => {
            let got = runtime
                .block_on(store.get_range(&meta.location, range))
                .map_err(|error| from_datafusion(error.into()))?;
            pinned(device, got, stop)
        }
    }
}

/// The bytes in pinned memory, where there is some.
pub(super) fn pinned(device: &Device, bytes: Bytes, stop: &Stopped) -> Result<Piece> {
    match slab(device, bytes.len(), stop)? {
        Some(mut slab) => {
            slab[..bytes.len()].copy_from_slice(&bytes);
            let slab_bytes = slab.len();
            Ok(Piece::pinned(
                slab.freeze(bytes.len()).map_err(on_device)?,
                slab_bytes,
            ))
        }
        None => Ok(Piece::Ordinary(bytes)),
    }
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
        if Held::bytes() + bytes <= device.pinned_limit_bytes() / 8 * 7 {
            match device.pinned(bytes) {
                Ok(slab) => return Ok(Some(slab)),
                Err(error) if error.is_out_of_memory() => {}
                Err(error) => return Err(on_device(error)),
            }
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
