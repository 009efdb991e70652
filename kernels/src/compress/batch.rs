//! Pieces of codecs that no kernel here knows, given to a library that does. Comes in: where each piece lies and where it
//! goes. Goes out: its bytes, or a flag in the error word. All on the stream: what the library says of a piece is
//! compared with what was expected by a kernel, and so is the checksum that a gzip member ends with.

use std::cmp::Reverse;
use std::ops::Range;

use super::{Blob, Codec};
use crate::api::RawBatch;
use crate::arena::rounded;
use crate::buffer::Buffer;
use crate::cuda::nvcomp::Nvcomp;
use crate::device::Device;
use crate::error::Result;
use crate::error_word::ErrorWord;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::reservation::Reservation;
use crate::stream::Stream;

/// Scratch that several pieces have together: what would take more is done in rounds, one after the other. For Zstd it
/// is three times the plain bytes, so that a round has 256 MiB: two pages of 1 MiB for each multiprocessor.
const SCRATCH_BYTES_MAX: usize = 768 << 20;
/// Several partitions are decoded at once, each with its own scratch: it is no more than such a part of the device.
const SCRATCH_PART: usize = 64;

const CHECK_THREADS: u32 = 256;
const CHECK_PIECES: usize = 8;

/// Columns of 64 bits of the table that goes up, and what the library writes of each piece: a size and a status.
const COLUMNS: usize = 6;
/// A gzip member ends with its checksum and its size, of 4 bytes each.
const GZIP_TRAILER_BYTES: u64 = 8;

const FOUND_BYTES: usize = 8;
const STATUS_BYTES: usize = 4;

pub(super) fn source() -> KernelSource {
    KernelSource::library("batch", include_str!("batch.cu"), &["check_unpacked"])
}

/// Plain bytes of pieces that are decompressed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BatchSize {
    /// How many pieces.
    pub(crate) count: usize,
    /// Plain bytes of the largest.
    pub(crate) largest: usize,
    /// Plain bytes of all.
    pub(crate) total: usize,
}

impl BatchSize {
    fn of(pieces: &[(Codec, u32)]) -> Self {
        let bytes = pieces.iter().map(|&(_, bytes)| bytes as usize);
        Self {
            count: pieces.len(),
            largest: bytes.clone().max().unwrap_or(0),
            total: bytes.sum(),
        }
    }
}

/// Who decompresses, on some device, pieces of the codecs that no kernel here knows. It does not keep the device open.
#[derive(Debug, Clone, Copy)]
pub struct Unpacker {
    library: Library,
    scratch_bytes_max: usize,
}

/// Which library an [`Unpacker`] stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Library {
    Nvcomp(&'static Nvcomp),
    /// On the emulation: the host's, which takes the same scratch.
    #[cfg(feature = "sim")]
    Host,
}

impl Unpacker {
    /// By `library`, on a device of which so many bytes may be reserved.
    pub(crate) fn new(library: Library, memory_bytes: usize) -> Self {
        Self {
            library,
            scratch_bytes_max: (memory_bytes / SCRATCH_PART).min(SCRATCH_BYTES_MAX),
        }
    }

    pub(super) fn with_scratch_bytes_max(self, scratch_bytes_max: usize) -> Self {
        Self {
            scratch_bytes_max,
            ..self
        }
    }

    fn library_bytes(self, codec: Codec, size: BatchSize) -> Result<usize> {
        match self.library {
            Library::Nvcomp(library) => library.scratch_bytes(codec, size),
            #[cfg(feature = "sim")]
            Library::Host => Ok(crate::sim::unpack_scratch_bytes(codec, size)),
        }
    }

    /// Device bytes that [`super::Decompressor::decompress`] draws on its reservation for pieces of these codecs and
    /// plain bytes, beside those for pieces of other codecs.
    pub fn scratch_bytes(self, pieces: &[(Codec, u32)]) -> Result<usize> {
        let mut pieces: Vec<_> = pieces.iter().copied().filter(|&piece| is_taken(piece)).collect();
        if pieces.is_empty() {
            return Ok(0);
        }
        pieces.sort_by_key(|&(codec, bytes)| (codec as u32, Reverse(bytes)));
        let rounds = self.rounds(&pieces)?;
        let largest = rounds.iter().map(|round| round.scratch_bytes).max();
        Ok(table_bytes(pieces.len()) + rounded(largest.unwrap_or(0)))
    }

    /// The same where only a number of pieces and the plain bytes of all are known, and no piece is larger than a round.
    pub fn scratch_bytes_about(self, codec: Codec, count: usize, plain_bytes: usize) -> Result<usize> {
        if !codec.is_batched() || count == 0 {
            return Ok(0);
        }
        let size = BatchSize {
            count,
            largest: plain_bytes.min(i32::MAX as usize),
            total: plain_bytes,
        };
        let library = self.library_bytes(codec, size)?.min(self.scratch_bytes_max);
        Ok(table_bytes(count) + rounded(library))
    }

    /// Cuts pieces, in order of their codecs and the largest of each first, into rounds.
    fn rounds(self, pieces: &[(Codec, u32)]) -> Result<Vec<Round>> {
        let (mut rounds, mut start) = (Vec::new(), 0);
        for of_codec in pieces.chunk_by(|a, b| a.0 == b.0) {
            let (codec, end) = (of_codec[0].0, start + of_codec.len());
            let all = BatchSize::of(of_codec);
            let scratch = self.library_bytes(codec, all)?;
            let parts = scratch.div_ceil(self.scratch_bytes_max.max(1)).max(1);
            let bytes_max = all.total.div_ceil(parts);
            while start < end {
                let mut bytes = pieces[start].1 as usize;
                let mut next = start + 1;
                while next < end && bytes + pieces[next].1 as usize <= bytes_max {
                    bytes += pieces[next].1 as usize;
                    next += 1;
                }
                let size = BatchSize::of(&pieces[start..next]);
                rounds.push(Round {
                    codec,
                    pieces: start..next,
                    scratch_bytes: self.library_bytes(codec, size)?,
                });
                start = next;
            }
        }
        Ok(rounds)
    }
}

/// Pieces without a plain byte have nothing to be written.
fn is_taken((codec, bytes): (Codec, u32)) -> bool {
    codec.is_batched() && bytes > 0
}

fn table_bytes(count: usize) -> usize {
    rounded(count * COLUMNS * 8) + rounded(count * (FOUND_BYTES + STATUS_BYTES))
}

/// Pieces that the library takes at once.
struct Round {
    codec: Codec,
    pieces: Range<usize>,
    scratch_bytes: usize,
}

/// The compiled kernel on one device, and its library.
#[derive(Debug, Clone)]
pub(super) struct BatchDecompressor {
    check_unpacked: Kernel,
    pub(super) unpacker: Option<Unpacker>,
}

impl BatchDecompressor {
    pub(super) fn new(device: &Device) -> Result<Self> {
        Ok(Self {
            check_unpacked: device.module(&source())?.kernel("check_unpacked")?,
            unpacker: device.unpacker(),
        })
    }

    /// Queues the decompression of all pieces, which are of batched codecs, in as many calls of the library as scratch
    /// allows, and one launch.
    pub(super) fn decompress(
        &self,
        unpacker: Unpacker,
        stream: &Stream,
        reservation: &Reservation,
        pieces: &[(Codec, Blob)],
        uses: &[&Buffer],
        error: &ErrorWord,
    ) -> Result<()> {
        let of_blob = |&(codec, blob): &(Codec, Blob)| (codec, blob.target_bytes);
        let mut pieces: Vec<_> = pieces.iter().filter(|piece| is_taken(of_blob(piece))).collect();
        if pieces.is_empty() {
            return Ok(());
        }
        pieces.sort_by_key(|(codec, blob)| (*codec as u32, Reverse(blob.target_bytes)));
        let sizes: Vec<_> = pieces.iter().map(|piece| of_blob(piece)).collect();
        let rounds = unpacker.rounds(&sizes)?;
        let count = pieces.len();

        let columns: [fn(Codec, &Blob) -> u64; COLUMNS] = [
            |_, blob| blob.source,
            |_, blob| u64::from(blob.source_bytes),
            |_, blob| blob.target,
            |_, blob| u64::from(blob.target_bytes),
            |_, blob| u64::from(blob.item),
            |codec, blob| match codec {
                Codec::Gzip => blob.source + u64::from(blob.source_bytes) - GZIP_TRAILER_BYTES,
                _ => 0,
            },
        ];
        let rows = columns
            .iter()
            .flat_map(|column| pieces.iter().map(move |(codec, blob)| column(*codec, blob)));
        let table = stream.upload_values(reservation, &rows.collect::<Vec<u64>>())?;
        let found = stream.allocate(reservation, count * (FOUND_BYTES + STATUS_BYTES))?;
        // No status of a good piece: one that is not written is an error.
        stream.fill(found.view(), 0xff)?;
        let scratch_bytes = rounds.iter().map(|round| round.scratch_bytes).max().unwrap_or(0);
        let scratch = stream.allocate(reservation, scratch_bytes)?;

        let column = |index: usize| table.slice(index * count * 8..(index + 1) * count * 8);
        let sizes = found.slice(0..count * FOUND_BYTES)?;
        let statuses = found.slice(count * FOUND_BYTES..found.len_bytes())?;
        let mut used = vec![&table, &found, &scratch];
        used.extend(uses);
        for round in rounds {
            let first = round.pieces.start as u64;
            let batch = RawBatch {
                codec: round.codec,
                count: round.pieces.len(),
                sources: column(0)?.address() + first * 8,
                source_bytes: column(1)?.address() + first * 8,
                targets: column(2)?.address() + first * 8,
                target_bytes: column(3)?.address() + first * 8,
                found_bytes: sizes.address() + first * FOUND_BYTES as u64,
                statuses: statuses.address() + first * STATUS_BYTES as u64,
                scratch: scratch.address(),
                scratch_bytes: round.scratch_bytes,
            };
            // SAFETY: the tables have an entry for each piece of the round, the scratch is of the size asked for, and
            // all buffers are used in the order of the stream.
            unsafe { stream.unpack(&batch, &used)? };
        }
        let [targets, target_bytes, items, crcs] =
            [2, 3, 4, 5].map(|index| table.address() + index * count as u64 * 8);
        let args = Args::new()
            .value([
                targets,
                target_bytes,
                items,
                crcs,
                sizes.address(),
                statuses.address(),
            ])
            .value(count as u64)
            .view(error.view());
        let args = used.iter().fold(args, |args, buffer| args.also_uses(buffer));
        let grid = Grid::covering(count, CHECK_PIECES, CHECK_THREADS);
        stream.launch(&self.check_unpacked, grid, &args)
    }
}
