//! An opened device. Comes in: options. Goes out: streams, reservations, pinned slabs and compiled modules. It knows
//! no tasks: who may reserve how much is decided by its users.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::api::{DeviceApi, RawEvent, RawStream};
use crate::arena::{Arena, BLOCK_BYTES};
use crate::compress::Unpacker;
use crate::error::{DeviceError, Result};
use crate::info::{DeviceInfo, DeviceKind};
use crate::module::{Compiler, KernelSource, Module, ModuleCache};
use crate::pinned::{PinnedPool, PinnedSlab};
use crate::reservation::{Budget, Reservation};
use crate::sim::SimOptions;
use crate::stream::{Retained, Stream, StreamInner};

/// Between two looks at who still uses a device that is to be closed.
const CLOSE_PAUSE: Duration = Duration::from_millis(2);

/// How a device is opened.
#[derive(Debug, Clone)]
pub struct DeviceOptions {
    /// Which implementation.
    pub kind: DeviceKind,
    /// Which of its kind.
    pub ordinal: u32,
    /// Device memory that may be reserved; `None` is nine tenths of what is free.
    pub memory_limit_bytes: Option<usize>,
    /// Host memory that may be pinned.
    pub pinned_limit_bytes: usize,
    /// Where compiled kernels are kept; `None` keeps them in memory only.
    pub cache_dir: Option<PathBuf>,
    /// Whether each buffer is an allocation of its own, so that an access beyond it is seen: by `sim` itself, on a GPU
    /// by compute-sanitizer, for which freeing waits for the stream. Without, buffers are cut from one piece, as
    /// queries want it, and the order in which memory is used again is put to the test.
    pub fence_buffers: bool,
    /// Whether pages of codecs that no kernel of ours knows, Zstd and Gzip, are decompressed too: on a GPU by NVIDIA's
    /// nvCOMP where that is found, on `sim` by the host's libraries in its place.
    pub nvcomp: bool,
    /// What only `sim` takes.
    pub sim: SimOptions,
}

impl DeviceOptions {
    /// The first GPU, with 4 GiB of pinned memory and no cache on disk.
    pub fn cuda() -> Self {
        Self {
            kind: DeviceKind::Cuda,
            ordinal: 0,
            memory_limit_bytes: None,
            pinned_limit_bytes: 4 << 30,
            cache_dir: None,
            fence_buffers: false,
            nvcomp: true,
            sim: SimOptions::default(),
        }
    }

    /// The host emulation, with 1 GiB of pinned memory and no cache on disk, without what stands for nvCOMP.
    pub fn sim() -> Self {
        Self {
            kind: DeviceKind::Sim,
            pinned_limit_bytes: 1 << 30,
            fence_buffers: true,
            nvcomp: false,
            ..Self::cuda()
        }
    }
}

/// An opened device. Clones are the same device.
#[derive(Debug, Clone)]
pub struct Device {
    pub(crate) inner: Arc<DeviceInner>,
}

#[derive(Debug)]
pub(crate) struct DeviceInner {
    pub(crate) api: Box<dyn DeviceApi>,
    budget: Arc<Budget>,
    /// Made at the first allocation, so that opening a device to ask about it takes no memory. `None` where every
    /// allocation is the device's own.
    arena: OnceLock<Option<Mutex<Arena>>>,
    slab: OnceLock<u64>,
    making_arena: Mutex<()>,
    pinned: PinnedPool,
    modules: ModuleCache,
    /// With whether they are urgent.
    idle_streams: Mutex<Vec<(RawStream, Retained, bool)>>,
    /// Streams in use, so that what they keep can be let go when memory is short.
    live_streams: Mutex<Vec<Weak<StreamInner>>>,
    idle_events: Mutex<Vec<RawEvent>>,
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arena(largest free block {} bytes)", self.largest_bytes())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    /// Opens a device, or says what is missing.
    pub fn open(options: &DeviceOptions) -> Result<Self> {
        let api: Box<dyn DeviceApi> = match options.kind {
            DeviceKind::Cuda => Box::new(crate::cuda::CudaDevice::open(
                options.ordinal,
                options.fence_buffers,
                options.nvcomp,
            )?),
            DeviceKind::Sim => crate::sim::open(options)?,
        };
        let (free, _) = api.memory()?;
        let limit = options.memory_limit_bytes.unwrap_or(free / 10 * 9).min(free) / BLOCK_BYTES * BLOCK_BYTES;
        let modules = ModuleCache::new(api.compiler(), options.cache_dir.clone());
        Ok(Self {
            inner: Arc::new(DeviceInner {
                api,
                budget: Budget::new(limit),
                arena: OnceLock::new(),
                slab: OnceLock::new(),
                making_arena: Mutex::default(),
                pinned: PinnedPool::new(options.pinned_limit_bytes),
                modules,
                idle_streams: Mutex::default(),
                live_streams: Mutex::default(),
                idle_events: Mutex::default(),
            }),
        })
    }

    /// Gives this handle back and waits until all others are gone, `timeout` at most; then the device is closed, on this
    /// thread. Whether it was: a process that ends while the driver is still called may crash.
    pub fn close_sync(self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut inner = self.inner;
        loop {
            inner = match Arc::try_unwrap(inner) {
                Ok(last) => {
                    drop(last);
                    return true;
                }
                Err(shared) => shared,
            };
            if Instant::now() >= deadline {
                return false;
            }
            // What idle streams keep for work that was not over uses the device too.
            inner.release_retained();
            std::thread::sleep(CLOSE_PAUSE);
        }
    }

    /// Facts about it.
    pub fn info(&self) -> &DeviceInfo {
        self.inner.api.info()
    }

    /// The compiler for it.
    pub fn compiler(&self) -> Arc<dyn Compiler> {
        self.inner.api.compiler()
    }

    /// Who decompresses pages of codecs that no kernel of ours knows, if anyone.
    pub fn unpacker(&self) -> Option<Unpacker> {
        let library = self.inner.api.unpacking_library()?;
        Some(Unpacker::new(library, self.memory_limit_bytes()))
    }

    /// A stream from the pool.
    pub fn stream(&self) -> Result<Stream> {
        Stream::new(&self.inner, false)
    }

    /// A stream whose work goes before that of usual ones that has not begun: for short work that much waits for.
    pub fn urgent_stream(&self) -> Result<Stream> {
        Stream::new(&self.inner, true)
    }

    /// Device bytes that may be reserved in all.
    pub fn memory_limit_bytes(&self) -> usize {
        self.inner.budget.limit_bytes()
    }

    /// Device bytes that could be reserved now.
    pub fn memory_available_bytes(&self) -> usize {
        self.inner.budget.available_bytes()
    }

    /// Promises device memory, or fails at once.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation> {
        self.inner.budget.reserve(bytes)
    }

    /// Promises device memory, waiting for others to give theirs back, `timeout` at most.
    pub fn reserve_sync(&self, bytes: usize, timeout: Duration) -> Result<Reservation> {
        self.inner.budget.reserve_sync(bytes, timeout)
    }

    /// A slab of pinned host memory of at least `bytes`, or an error if the pool is at its limit.
    pub fn pinned(&self, bytes: usize) -> Result<PinnedSlab> {
        PinnedSlab::take(&self.inner, bytes, 0)
    }

    /// The same for who can do without: it leaves `left_bytes` of the pool to others.
    pub fn pinned_leaving(&self, bytes: usize, left_bytes: usize) -> Result<PinnedSlab> {
        PinnedSlab::take(&self.inner, bytes, left_bytes)
    }

    /// The same, waiting for a slab to come back, `timeout` at most.
    pub fn pinned_sync(&self, bytes: usize, timeout: Duration) -> Result<PinnedSlab> {
        PinnedSlab::take_sync(&self.inner, bytes, timeout)
    }

    /// The largest slab that the pool gives.
    pub fn pinned_slab_bytes_max(&self) -> usize {
        self.inner.pinned.slab_bytes_max()
    }

    /// Host bytes that may be pinned.
    pub fn pinned_limit_bytes(&self) -> usize {
        self.inner.pinned.limit_bytes()
    }

    /// Host bytes pinned so far, in use or idle.
    pub fn pinned_bytes(&self) -> usize {
        self.inner.pinned.pinned_bytes()
    }

    /// A compiled and loaded module, from memory, from disk, or from the compiler.
    pub fn module(&self, source: &KernelSource) -> Result<Arc<Module>> {
        self.inner.modules.get(&self.inner, source)
    }

    /// Whether a module is loaded, so that asking for it waits for nothing.
    pub fn has_module(&self, source: &KernelSource) -> bool {
        self.inner.modules.has(source)
    }

    /// How often the compiler ran for this device.
    pub fn modules_compiled(&self) -> u64 {
        self.inner.modules.compiled()
    }

    /// Several modules, compiled side by side by as many threads as there are modules, up to `threads_max`.
    pub fn modules(&self, sources: &[&KernelSource], threads_max: usize) -> Vec<Result<Arc<Module>>> {
        crate::module::compile_all(sources, threads_max, |source| self.module(source))
    }

    /// The last error of writing the module cache on disk, once. Queries run without it, more slowly.
    pub fn take_cache_error(&self) -> Option<DeviceError> {
        self.inner.modules.take_disk_error()
    }

    /// The most blocks of `kernel` that one multiprocessor holds at once.
    pub fn blocks_per_multiprocessor(
        &self,
        kernel: &crate::module::Kernel,
        threads: u32,
        shared_bytes: u32,
    ) -> Result<u32> {
        self.inner
            .api
            .blocks_per_multiprocessor(kernel.function(), threads, shared_bytes)
    }
}

impl DeviceInner {
    pub(crate) fn pinned(&self) -> &PinnedPool {
        &self.pinned
    }

    fn arena(&self) -> Result<Option<&Mutex<Arena>>> {
        if self.api.fences_allocations() {
            return Ok(None);
        }
        if let Some(arena) = self.arena.get() {
            return Ok(arena.as_ref());
        }
        let _one_maker = lock(&self.making_arena);
        if self.arena.get().is_none() {
            let bytes = self.budget.limit_bytes();
            let base = self.api.allocate(bytes)?;
            self.slab.get_or_init(|| base);
            self.arena
                .get_or_init(|| Some(Mutex::new(Arena::new(base, bytes))));
        }
        Ok(self.arena.get().and_then(Option::as_ref))
    }

    pub(crate) fn allocate(&self, stream: &Stream, bytes: usize) -> Result<u64> {
        let Some(arena) = self.arena()? else {
            return self.api.allocate(bytes);
        };
        let taken = lock(arena).take(bytes, stream.raw());
        let Some((address, waits)) = taken else {
            let available_bytes = lock(arena).largest_bytes();
            return Err(DeviceError::OutOfMemory {
                memory: "contiguous device",
                wanted_bytes: bytes,
                available_bytes,
            });
        };
        for event in waits {
            stream.wait(&event)?;
        }
        Ok(address)
    }

    /// Gives memory back after all work queued so far on `stream`.
    pub(crate) fn free(&self, stream: &Stream, address: u64, bytes: usize) {
        match self.arena() {
            Ok(None) => self.api.release(address, Some(stream.raw())),
            // Without an event the device is lost, and nobody can say when the memory is free: it is given up.
            Ok(Some(arena)) => {
                if let Ok(done) = stream.record() {
                    lock(arena).give(address, bytes, stream.raw(), Arc::new(done));
                }
            }
            Err(_) => {}
        }
    }

    pub(crate) fn take_event(&self) -> Result<RawEvent> {
        let idle = lock(&self.idle_events).pop();
        idle.map_or_else(|| self.api.create_event(), Ok)
    }

    pub(crate) fn give_event(&self, event: RawEvent) {
        lock(&self.idle_events).push(event);
    }

    pub(crate) fn take_stream(&self, urgent: bool) -> Result<(RawStream, Retained)> {
        let mut idle = lock(&self.idle_streams);
        let place = idle.iter().rposition(|(_, _, one)| *one == urgent);
        if let Some((stream, retained, _)) = place.map(|place| idle.swap_remove(place)) {
            return Ok((stream, retained));
        }
        drop(idle);
        Ok((self.api.create_stream(urgent)?, Retained::new()))
    }

    pub(crate) fn note_stream(&self, stream: &Arc<StreamInner>) {
        let mut live = lock(&self.live_streams);
        live.retain(|stream| stream.strong_count() > 0);
        live.push(Arc::downgrade(stream));
    }

    /// Lets go of everything that streams keep for work that is over.
    pub(crate) fn release_retained(&self) {
        // No lock is held while values are dropped: they may give slabs, events and streams back.
        let live: Vec<Arc<StreamInner>> = lock(&self.live_streams)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        live.iter().for_each(|stream| stream.release_retained());
        let idle = std::mem::take(&mut *lock(&self.idle_streams));
        for (stream, retained, urgent) in idle {
            self.give_stream(stream, retained, urgent);
        }
    }

    pub(crate) fn give_stream(&self, stream: RawStream, mut retained: Retained, urgent: bool) {
        // What is over is dropped here, and never under the lock: dropping may give slabs and events back.
        retained.retain(|(event, _)| !event.is_done().unwrap_or(false));
        lock(&self.idle_streams).push((stream, retained, urgent));
    }
}

impl Drop for DeviceInner {
    fn drop(&mut self) {
        let streams = std::mem::take(
            self.idle_streams
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for (stream, ..) in &streams {
            // An error here belongs to work that nobody waited for.
            let _ = self.api.synchronize_sync(*stream);
        }
        if let Some(&slab) = self.slab.get() {
            self.api.release(slab, None);
        }
        for (memory, bytes) in self.pinned.drain() {
            // SAFETY: taken from the pool, and every stream has been waited for.
            unsafe { self.api.release_pinned(memory, bytes) };
        }
        self.modules.clear(&*self.api);
        for (stream, ..) in streams {
            self.api.destroy_stream(stream);
        }
        for event in std::mem::take(self.idle_events.get_mut().unwrap_or_else(PoisonError::into_inner)) {
            self.api.destroy_event(event);
        }
    }
}
