//! NVIDIA's libraries, from the folders that `NVRTC_FOLDER` and `NVCOMP_FOLDER` name.

use std::path::PathBuf;

use warpflight_kernels::{DeviceError, cuda};

/// Loads those whose folder is named.
pub fn load() -> Result<(), DeviceError> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    if let Some(folder) = folder("NVRTC_FOLDER") {
        cuda::use_nvrtc_folder(&folder)?;
    }
    if let Some(folder) = folder("NVCOMP_FOLDER") {
        cuda::use_nvcomp_folder(&folder)?;
    }
    Ok(())
}
