//! The functions of nvCOMP that are called, for one codec. Comes in: the loaded library. Goes out: what a batch takes, and
//! batches that are queued. Types are those of `shared_types.h`, `zstd.h` and `gzip.h`, versions 5.1 to 6.0.

use std::ffi::c_void;
use std::path::Path;

use cudarc::driver::sys;
use libloading::Library;

use crate::api::RawBatch;
use crate::compress::BatchSize;

/// `NVCOMP_DECOMPRESS_BACKEND_CUDA`: the engine of newer GPUs wants memory that is allocated for it.
const BACKEND_CUDA: i32 = 2;

/// A usual batch, and more scratch than is given for it: Zstd of 5.1 to 6.0 wants three times its plain bytes.
const TRIED: BatchSize = BatchSize {
    count: 16,
    largest: 1 << 20,
    total: 16 << 20,
};
const TRIED_SCRATCH_MAX: usize = 16 * TRIED.total;

/// Options of one codec. The structures of Zstd and Gzip have the same size and begin alike; all else that is zero is
/// the default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Options {
    backend: i32,
    rest: [i32; 15],
}

const OPTIONS: Options = Options {
    backend: BACKEND_CUDA,
    rest: [0; 15],
};

#[repr(C)]
#[derive(Debug, Default)]
struct Alignments {
    input: usize,
    output: usize,
    scratch: usize,
}

type GetAlignments = unsafe extern "C" fn(Options, *mut Alignments) -> i32;
type ScratchOf5 = unsafe extern "C" fn(usize, usize, Options, *mut usize, usize) -> i32;
type ScratchOf6 = unsafe extern "C" fn(usize, usize, Options, *mut usize, usize, sys::CUstream) -> i32;
type Decompress = unsafe extern "C" fn(
    sources: *const c_void,
    source_bytes: *const c_void,
    target_bytes: *const c_void,
    found_bytes: *mut c_void,
    count: usize,
    scratch: *mut c_void,
    scratch_bytes: usize,
    targets: *const c_void,
    options: Options,
    statuses: *mut c_void,
    stream: sys::CUstream,
) -> i32;

#[derive(Debug, Clone, Copy)]
enum GetScratch {
    Of5(ScratchOf5),
    Of6(ScratchOf6),
}

/// The functions of one codec.
#[derive(Debug)]
pub(super) struct Calls {
    scratch: GetScratch,
    decompress: Decompress,
}

impl Calls {
    pub(super) fn load(library: &Library, path: &Path, version: u32, codec: &str) -> Result<Self, String> {
        let name = |what: &str| format!("nvcompBatched{codec}{what}");
        // SAFETY: the functions have these types in all of `VERSIONS`, and this one took a stream since 6.0.
        let (alignments, scratch, decompress) = unsafe {
            let scratch = if version < 6000 {
                GetScratch::Of5(function(library, path, &name("DecompressGetTempSizeAsync"))?)
            } else {
                GetScratch::Of6(function(library, path, &name("DecompressGetTempSize"))?)
            };
            (
                function::<GetAlignments>(library, path, &name("DecompressGetRequiredAlignments"))?,
                scratch,
                function::<Decompress>(library, path, &name("DecompressAsync"))?,
            )
        };
        let mut wanted = Alignments::default();
        // SAFETY: `wanted` is such a structure. Nothing of a GPU is touched.
        let status = unsafe { alignments(OPTIONS, &mut wanted) };
        // Pages lie in files without gaps, and are decompressed where they lie to where they are read.
        if status != 0
            || wanted.input != 1
            || wanted.output != 1
            || wanted.scratch > crate::arena::BLOCK_BYTES
        {
            return Err(format!(
                "{}: {codec} wants {wanted:?} (status {status}), pieces lie at any byte",
                path.display()
            ));
        }
        let calls = Self { scratch, decompress };
        let (status, bytes) = calls.scratch_bytes(TRIED);
        if status != 0 || bytes > TRIED_SCRATCH_MAX {
            return Err(format!(
                "{}: {codec} wants {bytes} bytes of scratch for {TRIED:?} (status {status}), at most {TRIED_SCRATCH_MAX} are \
                 taken",
                path.display()
            ));
        }
        Ok(calls)
    }

    /// A status, and the bytes that a batch takes beside its pieces.
    pub(super) fn scratch_bytes(&self, size: BatchSize) -> (i32, usize) {
        let BatchSize {
            count,
            largest,
            total,
        } = size;
        let mut bytes = 0;
        // SAFETY: `bytes` is written; nothing is queued, so that no stream is needed.
        let status = unsafe {
            match self.scratch {
                GetScratch::Of5(get) => get(count, largest, OPTIONS, &mut bytes, total),
                GetScratch::Of6(get) => get(count, largest, OPTIONS, &mut bytes, total, std::ptr::null_mut()),
            }
        };
        (status, bytes)
    }

    /// Queues a batch; a status.
    ///
    /// # Safety
    /// As [`super::Nvcomp::decompress`].
    pub(super) unsafe fn decompress(&self, stream: sys::CUstream, batch: &RawBatch) -> i32 {
        let address = |address: u64| address as usize as *mut c_void;
        let scratch = match batch.scratch_bytes {
            0 => std::ptr::null_mut(),
            _ => address(batch.scratch),
        };
        // SAFETY: as the caller vouches.
        unsafe {
            (self.decompress)(
                address(batch.sources),
                address(batch.source_bytes),
                address(batch.target_bytes),
                address(batch.found_bytes),
                batch.count,
                scratch,
                batch.scratch_bytes,
                address(batch.targets),
                OPTIONS,
                address(batch.statuses),
                stream,
            )
        }
    }
}

/// A function of the library.
///
/// # Safety
/// It has the type `T`.
pub(super) unsafe fn function<T: Copy>(library: &Library, path: &Path, name: &str) -> Result<T, String> {
    // SAFETY: as the caller vouches.
    let symbol = unsafe { library.get::<T>(name.as_bytes()) };
    symbol
        .map(|symbol| *symbol)
        .map_err(|_| format!("{} has no function {name}", path.display()))
}
