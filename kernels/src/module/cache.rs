//! Loaded modules. Comes in: sources. Goes out: modules, each compiled and loaded once however many ask for it at
//! the same time. The number kept is bounded; the one unused longest goes first.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::{Compiler, DiskCache, KernelSource, ModuleKey};
use crate::api::{DeviceApi, LoadedModule, RawFunction};
use crate::device::DeviceInner;
use crate::error::{DeviceError, Result};

/// Loaded modules kept for queries to come.
const MODULES_MAX: usize = 1024;

/// A compiled module, loaded on one device.
#[derive(Debug)]
pub struct Module {
    device: Weak<DeviceInner>,
    loaded: LoadedModule,
    kernels: Vec<String>,
    compiled: bool,
}

impl Module {
    /// One of its kernels.
    pub fn kernel(self: &Arc<Self>, name: &str) -> Result<Kernel> {
        match self.kernels.iter().position(|kernel| kernel == name) {
            Some(index) => Ok(Kernel {
                module: Arc::clone(self),
                index,
            }),
            None => Err(DeviceError::Launch {
                kernel: name.to_owned(),
                reason: format!("its module has only {}", self.kernels.join(", ")),
            }),
        }
    }

    /// Whether the compiler ran for it, as opposed to an image found on disk.
    pub fn was_compiled(&self) -> bool {
        self.compiled
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // The last kernel handle is gone. The driver unloads after the kernels that are running.
        if let Some(device) = self.device.upgrade() {
            device.api.unload(self.loaded.module);
        }
    }
}

/// A kernel that can be launched. Keeps its module loaded.
#[derive(Debug, Clone)]
pub struct Kernel {
    module: Arc<Module>,
    index: usize,
}

impl Kernel {
    /// Its name in the source.
    pub fn name(&self) -> &str {
        &self.module.kernels[self.index]
    }

    pub(crate) fn function(&self) -> RawFunction {
        self.module.loaded.functions[self.index]
    }
}

/// A module that somebody loads, or has loaded.
type Slot = Arc<OnceLock<Result<Arc<Module>>>>;

#[derive(Debug)]
pub(crate) struct ModuleCache {
    compiler: Arc<dyn Compiler>,
    disk: Option<DiskCache>,
    state: Mutex<CacheState>,
    compiled: AtomicU64,
}

#[derive(Debug, Default)]
struct CacheState {
    /// By the source as it was given: what is loaded is found without putting together what the compiler sees.
    slots: HashMap<KernelSource, (u64, Slot)>,
    clock: u64,
    disk_error: Option<DeviceError>,
}

impl ModuleCache {
    pub(crate) fn new(compiler: Arc<dyn Compiler>, folder: Option<PathBuf>) -> Self {
        Self {
            compiler,
            disk: folder.map(DiskCache::new),
            state: Mutex::default(),
            compiled: AtomicU64::new(0),
        }
    }

    pub(crate) fn get(&self, device: &Arc<DeviceInner>, source: &KernelSource) -> Result<Arc<Module>> {
        let slot = self.slot(source);
        // Whoever comes second waits here for the first; no lock is held.
        let result = slot.get_or_init(|| self.load(device, source)).clone();
        if result.is_err() {
            self.forget(source, &slot);
        }
        result
    }

    /// Whether the module is loaded.
    pub(crate) fn has(&self, source: &KernelSource) -> bool {
        let state = self.lock();
        state
            .slots
            .get(source)
            .is_some_and(|(_, slot)| slot.get().is_some())
    }

    /// How often the compiler ran.
    pub(crate) fn compiled(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }

    fn slot(&self, source: &KernelSource) -> Slot {
        let mut state = self.lock();
        state.clock += 1;
        let now = state.clock;
        if let Some((used, slot)) = state.slots.get_mut(source) {
            *used = now;
            return Arc::clone(slot);
        }
        if state.slots.len() >= MODULES_MAX
            && let Some(oldest) = state
                .slots
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(k, _)| k.clone())
        {
            state.slots.remove(&oldest);
        }
        let slot = Slot::default();
        state.slots.insert(source.clone(), (now, Arc::clone(&slot)));
        slot
    }

    fn forget(&self, source: &KernelSource, slot: &Slot) {
        let mut state = self.lock();
        if state
            .slots
            .get(source)
            .is_some_and(|(_, current)| Arc::ptr_eq(current, slot))
        {
            state.slots.remove(source);
        }
    }

    fn load(&self, device: &Arc<DeviceInner>, source: &KernelSource) -> Result<Arc<Module>> {
        let key = &ModuleKey::of(source, &*self.compiler);
        let kernels: Vec<String> = source.kernels.iter().map(|kernel| kernel.to_string()).collect();
        let from_disk = self.disk.as_ref().and_then(|disk| disk.load(key));
        // An image that is whole but does not load, after a change of driver say, is compiled again.
        let loaded = from_disk.and_then(|image| device.api.load(&source.name, &image, &kernels).ok());
        let (loaded, compiled) = match loaded {
            Some(loaded) => (loaded, false),
            None => {
                self.compiled.fetch_add(1, Ordering::Relaxed);
                let image = self.compiler.compile(source)?;
                let loaded = device.api.load(&source.name, &image, &kernels)?;
                // A cache that cannot be written costs time, not the query: the error is kept for whoever asks.
                if let Some(Err(error)) = self.disk.as_ref().map(|disk| disk.publish(key, &image)) {
                    self.lock().disk_error = Some(error);
                }
                (loaded, true)
            }
        };
        Ok(Arc::new(Module {
            device: Arc::downgrade(device),
            loaded,
            kernels,
            compiled,
        }))
    }

    /// The last error of writing to disk, once.
    pub(crate) fn take_disk_error(&self) -> Option<DeviceError> {
        self.lock().disk_error.take()
    }

    /// Unloads everything, when the device itself goes.
    pub(crate) fn clear(&self, api: &dyn DeviceApi) {
        for (_, slot) in std::mem::take(&mut self.lock().slots).into_values() {
            if let Some(Ok(module)) = slot.get() {
                api.unload(module.loaded.module);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
