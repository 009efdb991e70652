//! From source to kernels that can be launched. Comes in: CUDA C++ text over the prelude. Goes out: loaded modules,
//! taken from memory, from disk or from the compiler, in that order. It knows no launch and no buffer.

mod cache;
mod disk;
mod key;
mod parallel;
mod source;

use std::fmt::Debug;
use std::sync::Arc;

pub(crate) use cache::ModuleCache;
pub use cache::{Kernel, Module};
pub use disk::DiskCache;
pub use key::ModuleKey;
pub(crate) use parallel::compile_all;
pub use source::KernelSource;

use crate::error::Result;

/// Turns text into an image for one kind of device. Needs no device.
pub trait Compiler: Send + Sync + Debug {
    /// Name and version of the compiler and of everything that it adds to a source: a part of the cache key.
    fn identity(&self) -> String;
    /// What it generates code for, such as `sm_90`.
    fn architecture(&self) -> String;
    /// The options that it passes, in order: a part of the cache key.
    fn options(&self) -> Vec<String>;
    /// Ending of image files, such as `cubin`.
    fn image_extension(&self) -> &'static str;
    /// How many sources it compiles at a time without one waiting for another.
    fn side_by_side(&self) -> usize {
        1
    }
    /// Compiles `source` with the prelude in front.
    fn compile(&self, source: &KernelSource) -> Result<Vec<u8>>;
}

/// Compiles `sources` into `disk` without a device, side by side, and returns how many were not there before.
pub fn build_cache(
    compiler: &Arc<dyn Compiler>,
    disk: &DiskCache,
    sources: &[&KernelSource],
    threads_max: usize,
) -> Result<usize> {
    let results = compile_all(sources, threads_max, |source| {
        let key = ModuleKey::of(source, &**compiler);
        if disk.load(&key).is_some() {
            return Ok(0);
        }
        disk.publish(&key, &compiler.compile(source)?)?;
        Ok(1)
    });
    results.into_iter().sum()
}
