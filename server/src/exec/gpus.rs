//! The opened devices. In: options. Out: a device with its library kernels, opened once, at its first use, and closed
//! when the server ends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernels::{DeviceKind, DeviceOptions, KernelSource};

use crate::config::sections::{DeviceChoice, GpuOptions, Nvcomp};
use crate::error::{Error, Result};
use crate::operator::Gpu;

/// A device that was opened, or why it cannot be.
type Opened = Option<std::result::Result<Arc<Gpu>, String>>;

/// The devices of a server.
#[derive(Debug)]
pub struct Gpus {
    options: GpuOptions,
    cache: Option<PathBuf>,
    cuda: Mutex<Opened>,
    sim: Mutex<Opened>,
}

impl Gpus {
    /// Devices that are not opened yet. Compiled kernels are kept in `cache`.
    pub fn new(options: &GpuOptions, cache: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            options: options.clone(),
            cache: options.kernel_cache.clone().or(cache),
            cuda: Mutex::default(),
            sim: Mutex::default(),
        })
    }

    /// The device for a choice; `None` where operators run on the CPU.
    ///
    /// # Errors
    /// `Unsupported` if the device that was asked for by name cannot be used.
    pub fn chosen(&self, choice: DeviceChoice) -> Result<Option<Arc<Gpu>>> {
        let refused = |reason: String| Error::unsupported(format!("option device: {reason}"));
        match choice {
            DeviceChoice::Cpu => Ok(None),
            DeviceChoice::Auto => Ok(self.opened(DeviceKind::Cuda).ok()),
            DeviceChoice::Cuda => self.opened(DeviceKind::Cuda).map(Some).map_err(refused),
            DeviceChoice::Sim => self.opened(DeviceKind::Sim).map(Some).map_err(refused),
        }
    }

    /// The same for a server that starts: a GPU's compiler has its first run behind it before the first query needs it,
    /// which costs ten times a later one.
    ///
    /// # Errors
    /// As [`Gpus::chosen`].
    pub fn start(&self, choice: DeviceChoice) -> Result<()> {
        match self.chosen(choice)? {
            Some(gpu) if gpu.device.info().kind == DeviceKind::Cuda => run_compiler(gpu),
            _ => {}
        }
        Ok(())
    }

    /// Closes what was opened, as soon as the threads that use it are done with it, `timeout` at most; nothing is opened
    /// any more. Whether all is closed: until then threads may call the driver, which a process that ends unloads.
    pub fn close_sync(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut closed = true;
        for place in [&self.cuda, &self.sim] {
            let place = place
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .replace(Err("the server has ended".into()));
            let Some(Ok(gpu)) = place else { continue };
            let (device, name) = (gpu.device.clone(), gpu.device.info().label());
            drop(gpu);
            if !device.close_sync(deadline.saturating_duration_since(Instant::now())) {
                tracing::warn!(device = name, "device still in use: not closed");
                closed = false;
            }
        }
        closed
    }

    fn opened(&self, kind: DeviceKind) -> Result<Arc<Gpu>, String> {
        let place = match kind {
            DeviceKind::Cuda => &self.cuda,
            DeviceKind::Sim => &self.sim,
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        place.get_or_insert_with(|| self.open(kind)).clone()
    }

    fn open(&self, kind: DeviceKind) -> Result<Arc<Gpu>, String> {
        if let (DeviceKind::Cuda, Some(folder)) = (kind, &self.options.nvrtc_folder) {
            kernels::cuda::use_nvrtc_folder(folder).map_err(|error| error.to_string())?;
        }
        let nvcomp = kind == DeviceKind::Cuda && self.options.nvcomp == Nvcomp::Auto;
        if let (true, Some(folder)) = (nvcomp, &self.options.nvcomp_folder) {
            // The CPU does what it would do.
            if let Err(error) = kernels::cuda::use_nvcomp_folder(folder) {
                tracing::warn!(%error, "option nvcomp_folder");
            }
        }
        let limit = |bytes: u64| usize::try_from(bytes).ok().filter(|&bytes| bytes > 0);
        let options = DeviceOptions {
            ordinal: u32::try_from(self.options.gpu).unwrap_or(u32::MAX),
            memory_limit_bytes: limit(self.options.device_memory_limit.0),
            pinned_limit_bytes: limit(self.options.pinned_memory_limit.0).unwrap_or(usize::MAX),
            cache_dir: self.cache.clone(),
            nvcomp,
            ..match kind {
                DeviceKind::Cuda => DeviceOptions::cuda(),
                DeviceKind::Sim => DeviceOptions::sim(),
            }
        };
        match Gpu::open(&options) {
            Ok(gpu) => {
                let info = gpu.device.info();
                let limit_bytes = gpu.device.memory_limit_bytes();
                tracing::info!(
                    device = info.label(),
                    name = info.name,
                    limit_bytes,
                    "device opened"
                );
                Ok(Arc::new(gpu))
            }
            Err(error) => {
                tracing::debug!(%error, "device not opened");
                Err(error.to_string())
            }
        }
    }
}

/// Has each process that compiles compile a small kernel, on threads of their own, so that its compiler is loaded and its
/// tables are made. What comes of it does not matter: whoever compiles next reports errors. The threads keep the device
/// open until they are done.
fn run_compiler(gpu: Arc<Gpu>) {
    const TEXT: &str = "WF_KERNEL(32) first(i128* out) {\n\
        bool overflow = false;\n\
        i128 product = wf_mul(out[0], out[1], &overflow);\n\
        out[threadIdx.x] = overflow ? (i128)0 : wf_quotient(product, out[2]);\n}\n";
    let work = move || {
        let compiler = gpu.device.compiler();
        let source = KernelSource::generated("first", TEXT, &["first"]);
        std::thread::scope(|scope| {
            for _ in 0..compiler.side_by_side() {
                scope.spawn(|| {
                    if let Err(error) = compiler.compile(&source) {
                        tracing::debug!(%error, "the run-time compiler is not ready");
                    }
                });
            }
        });
        if let Some(reason) = kernels::cuda::why_not_in_processes() {
            tracing::warn!(reason, "kernels are compiled one at a time, within the server");
        }
    };
    let thread = std::thread::Builder::new().name("warpflight-compile".into());
    if let Err(error) = thread.spawn(work) {
        tracing::debug!(%error, "no thread to start the run-time compiler");
    }
}

#[cfg(test)]
mod tests;
