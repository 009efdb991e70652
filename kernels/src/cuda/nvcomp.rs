//! NVIDIA's nvCOMP, for pages of codecs that no kernel of ours knows. Comes in: tables of pieces on the device. Goes
//! out: their decompression, queued on a stream, with a size and a status for each piece. It is loaded when first asked
//! for; no GPU is needed until something is queued.
//!
//! nvCOMP promises nothing for damaged pieces ("undefined behavior", say `zstd.h` and `gzip.h` of 5.1 to 6.0): of what
//! is wrong with a piece it finds some, among that always contents that exceed their room. So its callers look at the
//! pieces first, see [`crate::compress::frame`].

use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cudarc::driver::sys;
use libloading::Library;

use super::nvrtc::TOOLKIT_FOLDERS;
use crate::api::RawBatch;
use crate::compress::{BatchSize, Codec};
use crate::error::{DeviceError, Result};

/// File names of the versions whose functions are known, newest first.
const NAMES: [&str; 2] = ["libnvcomp.so.6", "libnvcomp.so.5"];
/// Numbered `1000 * major + 100 * minor + patch`. Options had another layout before the first of these.
const VERSIONS: std::ops::Range<u32> = 5100..7000;
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
struct Properties {
    version: u32,
    runtime_version: u32,
}

#[repr(C)]
#[derive(Debug, Default)]
struct Alignments {
    input: usize,
    output: usize,
    scratch: usize,
}

type GetProperties = unsafe extern "C" fn(*mut Properties) -> i32;
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
struct Calls {
    scratch: GetScratch,
    decompress: Decompress,
}

/// The loaded library.
#[derive(Debug)]
pub(crate) struct Nvcomp {
    version: u32,
    zstd: Calls,
    gzip: Calls,
    /// Never unloaded: it is kept for the life of the process.
    _library: Library,
}

static LOADED: OnceLock<Result<Nvcomp, String>> = OnceLock::new();

/// Loads nvCOMP from `folder`, as a package for Python unpacks it, instead of the one that the system finds. Once a
/// library was looked for, later calls have no effect.
pub fn use_nvcomp_folder(folder: &Path) -> Result<()> {
    let found = NAMES.iter().map(|name| folder.join(name));
    let Some(path) = found.into_iter().find(|path| path.exists()) else {
        let wanted = NAMES.join(" or ");
        return Err(unavailable(format!("{} has no {wanted}", folder.display())));
    };
    let library = Nvcomp::load(&path).map_err(unavailable)?;
    LOADED.get_or_init(|| Ok(library));
    Ok(())
}

/// The version of nvCOMP, such as `6.0.0`, or why it cannot be used.
pub fn nvcomp_version() -> Result<String, String> {
    loaded().map(|library| spoken(library.version))
}

/// The library, or why there is none. Looked for once.
pub(crate) fn loaded() -> Result<&'static Nvcomp, String> {
    LOADED.get_or_init(find).as_ref().map_err(Clone::clone)
}

/// Looks where the system's loader does, then in the toolkit's folders.
fn find() -> Result<Nvcomp, String> {
    let by_loader = NAMES.iter().map(PathBuf::from);
    let in_toolkit = TOOLKIT_FOLDERS
        .iter()
        .flat_map(|folder| NAMES.iter().map(move |name| Path::new(folder).join(name)))
        .filter(|path| path.exists());
    let mut refused = None;
    for path in by_loader.chain(in_toolkit) {
        match Nvcomp::load(&path) {
            Ok(library) => return Ok(library),
            // The loader's words about a library that is not there help nobody.
            Err(reason) if !reason.contains("cannot open shared object file") => refused = Some(reason),
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| format!("nvCOMP ({}) is not installed", NAMES.join(" or "))))
}

fn unavailable(reason: String) -> DeviceError {
    DeviceError::Unavailable {
        device: "nvcomp".to_owned(),
        reason,
    }
}

/// 6000 as `6.0.0`.
fn spoken(version: u32) -> String {
    format!("{}.{}.{}", version / 1000, version % 1000 / 100, version % 100)
}

/// A function of the library.
///
/// # Safety
/// It has the type `T`.
unsafe fn function<T: Copy>(library: &Library, path: &Path, name: &str) -> Result<T, String> {
    // SAFETY: as the caller vouches.
    let symbol = unsafe { library.get::<T>(name.as_bytes()) };
    symbol
        .map(|symbol| *symbol)
        .map_err(|_| format!("{} has no function {name}", path.display()))
}

impl Calls {
    fn load(library: &Library, path: &Path, version: u32, codec: &str) -> Result<Self, String> {
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
    fn scratch_bytes(&self, size: BatchSize) -> (i32, usize) {
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
}

impl Nvcomp {
    fn load(path: &Path) -> Result<Self, String> {
        // SAFETY: NVIDIA's library registers its kernels when loaded and does nothing else.
        let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
        let mut found = Properties::default();
        // SAFETY: the function has this type in every version that has it, and writes one such structure.
        let status = unsafe {
            let get: GetProperties = function(&library, path, "nvcompGetProperties")?;
            get(&mut found)
        };
        if status != 0 || !VERSIONS.contains(&found.version) {
            return Err(format!(
                "{} is nvCOMP {} (status {status}), expected 5.1 or later, or 6",
                path.display(),
                spoken(found.version)
            ));
        }
        Ok(Self {
            version: found.version,
            zstd: Calls::load(&library, path, found.version, "Zstd")?,
            gzip: Calls::load(&library, path, found.version, "Gzip")?,
            _library: library,
        })
    }

    fn calls(&self, codec: Codec) -> Result<&Calls> {
        match codec {
            Codec::Zstd => Ok(&self.zstd),
            Codec::Gzip => Ok(&self.gzip),
            Codec::None | Codec::Snappy | Codec::Lz4Raw => {
                Err(unavailable(format!("{codec:?} is not asked of nvCOMP")))
            }
        }
    }

    /// Bytes that it needs beside the pieces.
    pub(crate) fn scratch_bytes(&self, codec: Codec, size: BatchSize) -> Result<usize> {
        let (status, bytes) = self.calls(codec)?.scratch_bytes(size);
        checked("nvcompBatchedDecompressGetTempSize", status).map(|()| bytes)
    }

    /// Queues a batch.
    ///
    /// # Safety
    /// The device's context is current, `stream` is one of it, and tables and pieces are as [`RawBatch`] says.
    pub(super) unsafe fn decompress(&self, stream: sys::CUstream, batch: &RawBatch) -> Result<()> {
        let address = |address: u64| address as usize as *mut c_void;
        let scratch = match batch.scratch_bytes {
            0 => std::ptr::null_mut(),
            _ => address(batch.scratch),
        };
        let calls = self.calls(batch.codec)?;
        // SAFETY: as the caller vouches.
        let status = unsafe {
            (calls.decompress)(
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
        };
        checked("nvcompBatchedDecompressAsync", status)
    }
}

/// Turns a status of a call into an error.
fn checked(call: &'static str, status: i32) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    // Of `nvcompStatus_t`, what a call may return.
    let words = match status {
        10 => "invalid value",
        11 => "not supported",
        17 => "wrong alignment",
        18 => "a piece is too large",
        21 => "too many pieces",
        1000 => "CUDA error",
        10000 => "internal error",
        _ => "no words for it",
    };
    Err(DeviceError::Driver {
        call,
        reason: format!("{words} (nvCOMP status {status})"),
    })
}
