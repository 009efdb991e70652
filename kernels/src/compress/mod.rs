//! Compressed pages to plain ones. Comes in: where each compressed piece lies and where it goes. Goes out: its bytes,
//! or a flag in the error word. Snappy and raw LZ4 are ours, Zstd and Gzip are NVIDIA's nvCOMP's where it is found; it
//! knows nothing of what the pages hold.

mod batch;
pub mod frame;
mod zstd_frame;

use std::cmp::Reverse;

use batch::BatchDecompressor;
pub use batch::Unpacker;
pub(crate) use batch::{BatchSize, Library};

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::{DeviceError, Result};
use crate::error_word::ErrorWord;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::plain::Plain;
use crate::reservation::Reservation;
use crate::stream::Stream;

/// Pieces below so many plain bytes never have a block to themselves: a warp takes 9 ns a byte, so they are over in 0.3
/// ms, and a block would find no more than a dozen batches in them.
pub(crate) const LARGE_BYTES: u32 = 32 << 10;
/// A multiprocessor full of pages, a warp each, is as fast as so many warps that are alone. A page that is less than
/// this part of a multiprocessor's share of the launch is over before the others are, and costs a warp fewer
/// instructions than a block.
const WARPS_PER_MULTIPROCESSOR: u64 = 16;
const WARP_THREADS: u32 = 32;
/// Warps of a block: so many smaller pieces share one at most.
const BLOCK_WARPS: usize = 16;
/// Blocks that a multiprocessor runs at once, by their registers.
const BLOCKS_PER_MULTIPROCESSOR: usize = 2;

/// How a piece is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Codec {
    /// Not at all: the bytes are copied.
    None = 0,
    /// Snappy without framing.
    Snappy = 1,
    /// An LZ4 block without framing.
    Lz4Raw = 2,
    /// One frame of Zstandard.
    Zstd = 3,
    /// One member of a gzip file.
    Gzip = 4,
}

impl Codec {
    /// Whether pieces of it are given to a library, in batches: see [`Device::unpacker`]. Such pieces must have passed
    /// [`frame::check`].
    pub fn is_batched(self) -> bool {
        matches!(self, Self::Zstd | Self::Gzip)
    }

    /// The batched codec of a number of [`Blob::codec`].
    fn batched(number: u32) -> Option<Self> {
        let known = [Self::Zstd, Self::Gzip];
        known.into_iter().find(|codec| *codec as u32 == number)
    }
}

/// One compressed piece: a page, or the values of a version 2 page. `WfBlob` of `decompress.cu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Blob {
    /// Address of the compressed bytes. After the last of a buffer, 8 more must be readable.
    pub source: u64,
    /// Address of where the plain bytes go.
    pub target: u64,
    /// Compressed bytes, below 2^31.
    pub source_bytes: u32,
    /// Plain bytes, below 2^31: exactly as many must come out.
    pub target_bytes: u32,
    /// A [`Codec`].
    pub codec: u32,
    /// The number that the error word reports for this piece.
    pub item: u32,
}
// SAFETY: numbers only; 32 bytes without padding.
unsafe impl Plain for Blob {}

pub(crate) fn sources() -> Vec<KernelSource> {
    vec![source(), batch::source()]
}

fn source() -> KernelSource {
    // In reading order; each counts its own lines in messages.
    let text = concat!(
        "#line 1 \"page.cuh\"\n",
        include_str!("page.cuh"),
        "#line 1 \"copies.cuh\"\n",
        include_str!("copies.cuh"),
        "#line 1 \"tokens.cuh\"\n",
        include_str!("tokens.cuh"),
        "#line 1 \"block_page.cuh\"\n",
        include_str!("block_page.cuh"),
        "#line 1 \"block_runs.cuh\"\n",
        include_str!("block_runs.cuh"),
        "#line 1 \"block_groups.cuh\"\n",
        include_str!("block_groups.cuh"),
        "#line 1 \"block_cells.cuh\"\n",
        include_str!("block_cells.cuh"),
        "#line 1 \"block_tokens.cuh\"\n",
        include_str!("block_tokens.cuh"),
        "#line 1 \"snappy.cuh\"\n",
        include_str!("snappy.cuh"),
        "#line 1 \"lz4.cuh\"\n",
        include_str!("lz4.cuh"),
        "#line 1 \"decompress.cu\"\n",
        include_str!("decompress.cu"),
    );
    KernelSource::library("decompress", text, &["decompress"])
        .define("WF_CODEC_SNAPPY", format!("{}u", Codec::Snappy as u32))
        .define("BLOCK_WARPS", format!("{BLOCK_WARPS}u"))
        .define("WF_CODEC_LZ4", format!("{}u", Codec::Lz4Raw as u32))
}

/// The compiled kernels on one device.
#[derive(Debug, Clone)]
pub struct Decompressor {
    decompress: Kernel,
    batches: BatchDecompressor,
    multiprocessors: u32,
    /// Instead of what [`Self::large_bytes`] finds.
    large_bytes: Option<u32>,
}

impl Decompressor {
    /// Compiles it, or finds it compiled.
    pub fn new(device: &Device) -> Result<Self> {
        Ok(Self {
            decompress: device.module(&source())?.kernel("decompress")?,
            batches: BatchDecompressor::new(device)?,
            multiprocessors: device.info().multiprocessors.max(1),
            large_bytes: None,
        })
    }

    /// The same, but pieces of that many plain bytes and more have a block each. Which have changes no result: tests
    /// send all pieces either way.
    pub fn with_large_bytes(self, large_bytes: u32) -> Self {
        Self {
            large_bytes: Some(large_bytes),
            ..self
        }
    }

    /// The same, but pieces of batched codecs are done in rounds of so much scratch. How many there are changes no result.
    pub fn with_scratch_bytes_max(mut self, scratch_bytes_max: usize) -> Self {
        let unpacker = &mut self.batches.unpacker;
        *unpacker = unpacker.map(|unpacker| unpacker.with_scratch_bytes_max(scratch_bytes_max));
        self
    }

    /// Plain bytes from which a piece has a block to itself.
    fn large_bytes(&self, blobs: &[Blob]) -> u32 {
        self.large_bytes.unwrap_or_else(|| {
            let total: u64 = blobs.iter().map(|blob| u64::from(blob.target_bytes)).sum();
            let share = total / (u64::from(self.multiprocessors) * WARPS_PER_MULTIPROCESSOR);
            u32::try_from(share).map_or(u32::MAX, |share| share.max(LARGE_BYTES))
        })
    }

    /// Device bytes that [`Self::decompress`] draws on its reservation for `count` pieces; for those of batched codecs
    /// see [`Unpacker::scratch_bytes`].
    pub fn scratch_bytes(count: usize) -> usize {
        crate::arena::rounded(count * size_of::<Blob>())
    }

    /// Queues the decompression of all pieces: those of batched codecs as the device's library takes them, all others in
    /// one launch. `uses` are the buffers that they lie in and go to.
    ///
    /// # Errors
    /// `Unavailable` for a batched codec where the device has no library.
    pub fn decompress(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        blobs: &[Blob],
        uses: &[&Buffer],
        error: &ErrorWord,
    ) -> Result<()> {
        let batched = blobs
            .iter()
            .filter_map(|blob| Some((Codec::batched(blob.codec)?, *blob)));
        let batched: Vec<_> = batched.collect();
        if let Some((codec, _)) = batched.first() {
            let unpacker = self.batches.unpacker.ok_or_else(|| DeviceError::Unavailable {
                device: stream.device().info().label(),
                reason: format!("nothing that decompresses {codec:?} is loaded"),
            })?;
            let batches = &self.batches;
            batches.decompress(unpacker, stream, reservation, &batched, uses, error)?;
        }
        let ours = blobs.iter().filter(|blob| Codec::batched(blob.codec).is_none());
        self.decompress_ours(stream, reservation, ours.copied().collect(), uses, error)
    }

    /// The same for our own codecs: large pieces have a block each, others a warp.
    fn decompress_ours(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        mut blobs: Vec<Blob>,
        uses: &[&Buffer],
        error: &ErrorWord,
    ) -> Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let large_bytes = self.large_bytes(&blobs);
        // Largest first: what is begun last is over soon.
        blobs.sort_by_key(|blob| Reverse(blob.target_bytes));
        let large = blobs.partition_point(|blob| blob.target_bytes >= large_bytes);
        // Few small ones are spread over all multiprocessors.
        let others = blobs.len() - large;
        let free = (self.multiprocessors as usize * BLOCKS_PER_MULTIPROCESSOR).saturating_sub(large);
        let small = others.div_ceil(free.max(1)).clamp(1, BLOCK_WARPS);
        let blocks = large + others.div_ceil(small);
        let table = stream.upload_values(reservation, &blobs)?;
        let args = Args::new()
            .buffer(&table)
            .value(blobs.len() as u32)
            .value(large as u32)
            .value(small as u32)
            .view(error.view());
        let args = uses.iter().fold(args, |args, buffer| args.also_uses(buffer));
        let grid = Grid::covering(blocks, 1, WARP_THREADS * BLOCK_WARPS as u32);
        stream.launch(&self.decompress, grid, &args)
    }
}
