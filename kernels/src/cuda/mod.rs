//! NVIDIA GPUs through the driver and its run-time compiler, both loaded when first used. Comes in: calls of the
//! device layer. Goes out: work on a GPU, or words about what is missing. Nothing here panics without a driver.

mod compiler_pool;
mod compiler_process;
mod device;
mod driver;
mod launch;
pub(crate) mod nvcomp;
mod nvrtc;
mod pinning;
mod probe;

pub use compiler_pool::{compile_in_processes, why_not_in_processes};
pub use compiler_process::serve_compiler;
pub(crate) use device::CudaDevice;
pub use driver::prepare_process;
pub use nvcomp::{nvcomp_version, use_nvcomp_folder};
pub use nvrtc::{NvrtcCompiler, use_nvrtc_folder};
pub use probe::{DriverState, GpuFacts, NvrtcState, Probe, probe};

/// The oldest driver that has every function that is called here, as the driver counts: 13.0.
pub const DRIVER_VERSION_MIN: u32 = 13000;
