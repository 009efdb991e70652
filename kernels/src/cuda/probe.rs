//! What of CUDA is on this machine. Comes in: nothing. Goes out: facts, and words for what is missing. Cheap, without
//! a context on any GPU, and free of panics: it runs where neither driver nor compiler exists.

use std::fmt;

use cudarc::driver::sys;

use super::{driver, nvrtc};

/// What `probe` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The driver.
    pub driver: DriverState,
    /// Every GPU that the driver counts.
    pub gpus: Vec<GpuFacts>,
    /// The run-time compiler.
    pub nvrtc: NvrtcState,
}

/// Whether the driver can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverState {
    /// It can; its version, 13000 for 13.0.
    Ready(u32),
    /// It cannot, and why.
    Missing(String),
}

/// Whether the run-time compiler can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NvrtcState {
    /// It can; its version.
    Ready {
        /// The first number.
        major: u32,
        /// The second.
        minor: u32,
    },
    /// It cannot, and why.
    Missing(String),
}

/// One GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuFacts {
    /// Its number.
    pub ordinal: u32,
    /// The maker's name.
    pub name: String,
    /// Bytes of memory.
    pub memory_bytes: usize,
    /// `sm_90` and the like.
    pub architecture: String,
    /// Number of multiprocessors.
    pub multiprocessors: u32,
}

impl Probe {
    /// Whether queries can run on a GPU here.
    pub fn is_usable(&self) -> bool {
        matches!(self.driver, DriverState::Ready(_))
            && matches!(self.nvrtc, NvrtcState::Ready { .. })
            && !self.gpus.is_empty()
    }

    /// What keeps queries off the GPU, one line each.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        match &self.driver {
            DriverState::Missing(reason) => missing.push(reason.clone()),
            DriverState::Ready(_) if self.gpus.is_empty() => {
                missing.push("the NVIDIA driver counts no GPU that can be used".to_owned());
            }
            DriverState::Ready(_) => {}
        }
        if let NvrtcState::Missing(reason) = &self.nvrtc {
            missing.push(reason.clone());
        }
        missing
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.driver {
            DriverState::Ready(version) => {
                writeln!(f, "driver: supports CUDA {}", driver::spoken(*version))?;
            }
            DriverState::Missing(reason) => writeln!(f, "driver: {reason}")?,
        }
        match &self.nvrtc {
            NvrtcState::Ready { major, minor } => writeln!(f, "run-time compiler: NVRTC {major}.{minor}")?,
            NvrtcState::Missing(reason) => writeln!(f, "run-time compiler: {reason}")?,
        }
        if self.gpus.is_empty() {
            writeln!(f, "GPUs: none")?;
        }
        for gpu in &self.gpus {
            let gib = gpu.memory_bytes as f64 / (1u64 << 30) as f64;
            let GpuFacts {
                ordinal,
                name,
                architecture,
                multiprocessors,
                ..
            } = gpu;
            writeln!(
                f,
                "GPU {ordinal}: {name}, {gib:.1} GiB, {architecture}, {multiprocessors} multiprocessors"
            )?;
        }
        Ok(())
    }
}

/// Looks at driver, GPUs and run-time compiler.
pub fn probe() -> Probe {
    let nvrtc = match nvrtc::version() {
        Ok((major, minor)) => NvrtcState::Ready { major, minor },
        Err(reason) => NvrtcState::Missing(reason),
    };
    match driver::start() {
        Err(reason) => Probe {
            driver: DriverState::Missing(reason),
            gpus: Vec::new(),
            nvrtc,
        },
        Ok(version) => {
            let count = driver::device_count().unwrap_or(0);
            let gpus = (0..count).filter_map(|ordinal| facts(ordinal).ok()).collect();
            Probe {
                driver: DriverState::Ready(version),
                gpus,
                nvrtc,
            }
        }
    }
}

fn facts(ordinal: u32) -> crate::error::Result<GpuFacts> {
    use sys::CUdevice_attribute_enum as Attribute;
    let device = driver::device(ordinal)?;
    let mut memory_bytes = 0;
    // SAFETY: the driver is started, the device is one that it counts.
    driver::check("cuDeviceTotalMem", unsafe {
        sys::cuDeviceTotalMem_v2(&mut memory_bytes, device)
    })?;
    Ok(GpuFacts {
        ordinal,
        name: driver::device_name(device)?,
        memory_bytes,
        architecture: driver::architecture(device)?,
        multiprocessors: driver::attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
    })
}
