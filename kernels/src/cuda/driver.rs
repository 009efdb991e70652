//! The driver's entry, guarded. Comes in: raw results. Goes out: errors with the call's name, and proof that the
//! driver is there and new enough.

use std::sync::OnceLock;

use cudarc::driver::{result, sys};

use super::DRIVER_VERSION_MIN;
use crate::error::{DeviceError, Result};

/// Turns a driver's result into ours.
pub(super) fn check(call: &'static str, code: sys::CUresult) -> Result<()> {
    if code == sys::CUresult::CUDA_SUCCESS {
        return Ok(());
    }
    Err(DeviceError::Driver {
        call,
        reason: words(code),
    })
}

/// The driver's name and description of a code.
pub(super) fn words(code: sys::CUresult) -> String {
    let error = result::DriverError(code);
    match (error.error_name(), error.error_string()) {
        (Ok(name), Ok(text)) => format!("{} ({})", text.to_string_lossy(), name.to_string_lossy()),
        _ => format!("driver error {}", code as u32),
    }
}

/// Whether the driver's library can be loaded. Looked up once.
pub(super) fn is_present() -> bool {
    static PRESENT: OnceLock<bool> = OnceLock::new();
    // SAFETY: loads the library, or does not.
    *PRESENT.get_or_init(|| unsafe { sys::is_culib_present() })
}

/// Initialises the driver and returns its version, if it is one that this build can use.
pub(super) fn start() -> Result<u32, String> {
    if !is_present() {
        return Err("the NVIDIA driver (libcuda.so.1) is not installed".to_owned());
    }
    let mut version = 0;
    // SAFETY: the library is there; this call needs no initialisation.
    check("cuDriverGetVersion", unsafe {
        sys::cuDriverGetVersion(&mut version)
    })
    .map_err(|error| error.to_string())?;
    let version = version.unsigned_abs();
    if version < DRIVER_VERSION_MIN {
        return Err(format!(
            "the NVIDIA driver is for CUDA {}, at least {} is needed (driver 580 or newer)",
            spoken(version),
            spoken(DRIVER_VERSION_MIN)
        ));
    }
    // SAFETY: the library is there.
    check("cuInit", unsafe { sys::cuInit(0) }).map_err(|error| error.to_string())?;
    Ok(version)
}

/// 13020 as `13.2`.
pub(super) fn spoken(version: u32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// An attribute of a device; `start` must have succeeded.
pub(super) fn attribute(device: sys::CUdevice, attribute: sys::CUdevice_attribute) -> Result<u32> {
    let mut value = 0;
    // SAFETY: the driver is started; the device is one that it counts.
    check("cuDeviceGetAttribute", unsafe {
        sys::cuDeviceGetAttribute(&mut value, attribute, device)
    })?;
    Ok(value.unsigned_abs())
}

/// Number of GPUs; `start` must have succeeded.
pub(super) fn device_count() -> Result<u32> {
    let mut count = 0;
    // SAFETY: the driver is started.
    check("cuDeviceGetCount", unsafe { sys::cuDeviceGetCount(&mut count) })?;
    Ok(count.unsigned_abs())
}

/// A GPU by number; `start` must have succeeded.
pub(super) fn device(ordinal: u32) -> Result<sys::CUdevice> {
    let mut device = 0;
    // SAFETY: the driver is started; a number out of range is refused by the call.
    check("cuDeviceGet", unsafe {
        sys::cuDeviceGet(&mut device, ordinal.cast_signed())
    })?;
    Ok(device)
}

/// The name of a GPU.
pub(super) fn device_name(device: sys::CUdevice) -> Result<String> {
    result::device::get_name(device).map_err(|error| DeviceError::Driver {
        call: "cuDeviceGetName",
        reason: words(error.0),
    })
}

/// `sm_90` and the like.
pub(super) fn architecture(device: sys::CUdevice) -> Result<String> {
    use sys::CUdevice_attribute_enum as Attribute;
    let major = attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    Ok(format!("sm_{major}{minor}"))
}

/// The variable by which the driver is told over how many hardware queues it may spread streams.
const CONNECTIONS: &str = "CUDA_DEVICE_MAX_CONNECTIONS";

/// Lets the driver use 32 hardware queues instead of 8, unless the environment says how many: streams that share one wait
/// for each other. On one H100 (2026-11-22) a query that decodes while it computes took half as long. To be called
/// first of all: once there is a second thread, it does nothing. `is_set` says whether the environment has a variable.
pub fn prepare_process(is_set: impl FnOnce(&str) -> bool) {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads == 1 && !is_set(CONNECTIONS) {
        // SAFETY: no other thread is there to read the environment meanwhile.
        unsafe { std::env::set_var(CONNECTIONS, "32") };
    }
}
