//! What a device is: plain values read once when it is opened.

/// Which implementation runs the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// An NVIDIA GPU through the driver.
    Cuda,
    /// The host emulation: for tests and development.
    Sim,
}

impl DeviceKind {
    /// The name in options, logs and plans.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Sim => "sim",
        }
    }
}

/// Facts about one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Which implementation.
    pub kind: DeviceKind,
    /// Its number among its kind.
    pub ordinal: u32,
    /// The maker's name for it.
    pub name: String,
    /// Code generation target, such as `sm_90`.
    pub architecture: String,
    /// Bytes of device memory.
    pub memory_bytes: usize,
    /// Number of multiprocessors.
    pub multiprocessors: u32,
    /// The most shared memory that a block may ask for.
    pub shared_bytes_max: u32,
    /// Bytes of second-level cache.
    pub l2_bytes: usize,
    /// Driver version as the driver counts it (13000 is 13.0); 0 for `sim`.
    pub driver_version: u32,
}

impl DeviceInfo {
    /// How the device is named in messages: `cuda:0`.
    pub fn label(&self) -> String {
        format!("{}:{}", self.kind.name(), self.ordinal)
    }
}
