//! NVIDIA's nvCOMP, for pages of codecs that no kernel of ours knows. Comes in: tables of pieces on the device. Goes
//! out: their decompression, queued on a stream, with a size and a status for each piece. It is loaded when first asked
//! for; no GPU is needed until something is queued.
//!
//! nvCOMP promises nothing for damaged pieces ("undefined behavior", say `zstd.h` and `gzip.h` of 5.1 to 6.0): of what
//! is wrong with a piece it finds some, and 6.0 met contents that exceed their room with a fault of the device (an H100,
//! 2026-11-23). So its callers look at the pieces first, see [`crate::compress::frame`].

mod calls;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cudarc::driver::sys;
use libloading::Library;

use calls::{Calls, function};

use super::nvrtc::TOOLKIT_FOLDERS;
use crate::api::RawBatch;
use crate::compress::{BatchSize, Codec};
use crate::error::{DeviceError, Result};

/// File names of the versions whose functions are known, newest first.
const NAMES: [&str; 2] = ["libnvcomp.so.6", "libnvcomp.so.5"];
/// Numbered `1000 * major + 100 * minor + patch`: from the first whose headers were read, which is the first for CUDA 13.
const VERSIONS: std::ops::Range<u32> = 5100..7000;

#[repr(C)]
#[derive(Debug, Default)]
struct Properties {
    version: u32,
    runtime_version: u32,
}

type GetProperties = unsafe extern "C" fn(*mut Properties) -> i32;

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
            Err(reason) if is_missing(&path, &reason) => {}
            Err(reason) => refused = Some(reason),
        }
    }
    Err(refused.unwrap_or_else(|| format!("nvCOMP ({}) is not installed", NAMES.join(" or "))))
}

/// Whether the loader did not find the library itself, rather than one that it needs.
fn is_missing(path: &Path, reason: &str) -> bool {
    reason.contains(&format!("{}: cannot open shared object file", path.display()))
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

impl Nvcomp {
    fn load(path: &Path) -> Result<Self, String> {
        // SAFETY: NVIDIA's library registers its kernels when loaded and does nothing else.
        let library = unsafe { Library::new(path) }.map_err(|error| {
            // The loader's own words are behind it.
            let source = std::error::Error::source(&error).map(ToString::to_string);
            source.unwrap_or_else(|| error.to_string())
        })?;
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
        let calls = self.calls(batch.codec)?;
        // SAFETY: as the caller vouches.
        let status = unsafe { calls.decompress(stream, batch) };
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
