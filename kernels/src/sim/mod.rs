//! The host emulation of a device, behind the cargo feature `sim`. Comes in: the same sources that a GPU runs. Goes
//! out: their results, or an error that names the kernel for an access out of bounds, a read of unwritten memory, a
//! race in shared memory, a divergent barrier. It proves logic, not speed: it is for tests and development.

#[cfg(feature = "sim")]
mod device;
#[cfg(feature = "sim")]
mod engine;
#[cfg(feature = "sim")]
mod host_compiler;
#[cfg(feature = "sim")]
mod memory;
#[cfg(feature = "sim")]
mod runtime;
#[cfg(feature = "sim")]
mod unpack;

use std::path::PathBuf;

use crate::api::DeviceApi;
use crate::device::DeviceOptions;
use crate::error::Result;

/// What the emulation takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOptions {
    /// Decides the order in which threads, blocks and streams run. 0 is plain ascending order.
    pub seed: u64,
    /// The C++ compiler, such as the value of `CXX`; `None` looks for `g++`, `clang++` and `c++`.
    pub compiler: Option<PathBuf>,
    /// Device memory to pretend to have.
    pub memory_bytes: usize,
    /// Whether two accesses to shared memory without a barrier between them are an error.
    pub check_races: bool,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            compiler: None,
            memory_bytes: 8 << 30,
            check_races: true,
        }
    }
}

#[cfg(feature = "sim")]
pub(crate) use unpack::scratch_bytes as unpack_scratch_bytes;

/// Whether this build has the emulation.
pub fn is_compiled_in() -> bool {
    cfg!(feature = "sim")
}

#[cfg(feature = "sim")]
pub(crate) fn open(options: &DeviceOptions) -> Result<Box<dyn DeviceApi>> {
    Ok(Box::new(device::SimDevice::open(options)?))
}

#[cfg(not(feature = "sim"))]
pub(crate) fn open(options: &DeviceOptions) -> Result<Box<dyn DeviceApi>> {
    Err(crate::error::DeviceError::Unavailable {
        device: format!("sim:{}", options.ordinal),
        reason: "this build has no emulation: it takes the cargo feature sim".to_owned(),
    })
}
