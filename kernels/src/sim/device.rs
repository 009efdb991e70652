//! The emulated device. Comes in: what [`DeviceApi`] asks. Goes out: operations in the engine's queues.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::engine::{Engine, HostPointer, Operation};
use super::host_compiler::HostCompiler;
use super::runtime::{Runtime, SimKernel, load_module};
use crate::api::{DeviceApi, LoadedModule, RawBatch, RawEvent, RawFunction, RawModule, RawStream};
use crate::compress::Library;
use crate::device::DeviceOptions;
use crate::error::{DeviceError, Result};
use crate::info::{DeviceInfo, DeviceKind};
use crate::launch::{Grid, PackedArgs};
use crate::module::Compiler;

const THREADS_PER_BLOCK_MAX: u64 = 1024;
const SHARED_BYTES_MAX: u32 = 227 << 10;

pub(crate) struct SimDevice {
    info: DeviceInfo,
    compiler: Arc<HostCompiler>,
    runtime: &'static Runtime,
    engine: Mutex<Engine>,
    kernels: Mutex<HashMap<RawFunction, SimKernel>>,
    modules: Mutex<HashMap<RawModule, Vec<RawFunction>>>,
    next_handle: AtomicUsize,
    used_bytes: AtomicUsize,
    fence_buffers: bool,
    unpacks: bool,
}

impl std::fmt::Debug for SimDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.info.label())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimDevice {
    pub(crate) fn open(options: &DeviceOptions) -> Result<Self> {
        let compiler = HostCompiler::find(options.sim.compiler.as_deref())?;
        let runtime = Runtime::get(&compiler)?;
        let info = DeviceInfo {
            kind: DeviceKind::Sim,
            ordinal: options.ordinal,
            name: "host emulation".to_owned(),
            architecture: compiler.architecture(),
            memory_bytes: options.sim.memory_bytes,
            multiprocessors: 4,
            shared_bytes_max: SHARED_BYTES_MAX,
            l2_bytes: 1 << 20,
            driver_version: 0,
        };
        Ok(Self {
            info,
            compiler: Arc::new(compiler),
            runtime,
            engine: Mutex::new(Engine::new(runtime, options.sim.seed, options.sim.check_races)),
            kernels: Mutex::default(),
            modules: Mutex::default(),
            next_handle: AtomicUsize::new(1),
            used_bytes: AtomicUsize::new(0),
            fence_buffers: options.fence_buffers,
            unpacks: options.nvcomp,
        })
    }

    fn handle(&self) -> u64 {
        self.next_handle.fetch_add(1, Ordering::Relaxed) as u64
    }

    fn push(&self, stream: RawStream, operation: Operation) {
        lock(&self.engine).push(stream, operation);
    }
}

impl DeviceApi for SimDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn compiler(&self) -> Arc<dyn Compiler> {
        Arc::<HostCompiler>::clone(&self.compiler)
    }

    fn load(&self, name: &str, image: &[u8], kernels: &[String]) -> Result<LoadedModule> {
        let loaded = load_module(name, image, kernels)?;
        let module = RawModule(self.handle());
        let functions: Vec<_> = loaded.iter().map(|_| RawFunction(self.handle())).collect();
        lock(&self.kernels).extend(functions.iter().copied().zip(loaded));
        lock(&self.modules).insert(module, functions.clone());
        Ok(LoadedModule { module, functions })
    }

    fn unload(&self, module: RawModule) {
        // Queued launches hold the object themselves.
        for function in lock(&self.modules).remove(&module).unwrap_or_default() {
            lock(&self.kernels).remove(&function);
        }
    }

    fn fences_allocations(&self) -> bool {
        self.fence_buffers
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        let limit = self.info.memory_bytes;
        let drawn = self
            .used_bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= limit)
            });
        if let Err(used) = drawn {
            return Err(DeviceError::OutOfMemory {
                memory: "device",
                wanted_bytes: bytes,
                available_bytes: limit - used,
            });
        }
        lock(&self.runtime.memory).allocate(bytes)
    }

    fn release(&self, address: u64, stream: Option<RawStream>) {
        let bytes = lock(&self.runtime.memory).allocated_bytes(address);
        self.used_bytes.fetch_sub(bytes, Ordering::AcqRel);
        match stream {
            Some(stream) => self.push(stream, Operation::Release { address }),
            None => lock(&self.runtime.memory).free(address),
        }
    }

    fn allocate_pinned(&self, bytes: usize) -> Result<*mut u8> {
        Ok(Box::into_raw(vec![0u8; bytes].into_boxed_slice()).cast())
    }

    fn kernels_read_pinned(&self) -> bool {
        false
    }

    unsafe fn release_pinned(&self, memory: *mut u8, bytes: usize) {
        let slice = std::ptr::slice_from_raw_parts_mut(memory, bytes);
        // SAFETY: made by `allocate_pinned` from a box of this size; the caller vouches that nobody uses it.
        drop(unsafe { Box::from_raw(slice) });
    }

    fn memory(&self) -> Result<(usize, usize)> {
        let used = self.used_bytes.load(Ordering::Acquire);
        Ok((self.info.memory_bytes - used, self.info.memory_bytes))
    }

    fn create_stream(&self, _urgent: bool) -> Result<RawStream> {
        Ok(lock(&self.engine).create_stream())
    }

    fn destroy_stream(&self, stream: RawStream) {
        lock(&self.engine).destroy_stream(stream);
    }

    fn synchronize_sync(&self, stream: RawStream) -> Result<()> {
        lock(&self.engine).synchronize_sync(stream)
    }

    fn create_event(&self) -> Result<RawEvent> {
        Ok(lock(&self.engine).create_event())
    }

    fn destroy_event(&self, event: RawEvent) {
        lock(&self.engine).destroy_event(event);
    }

    fn record(&self, event: RawEvent, stream: RawStream) -> Result<()> {
        lock(&self.engine).record(event, stream);
        Ok(())
    }

    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()> {
        lock(&self.engine).wait(stream, event);
        Ok(())
    }

    fn is_done(&self, event: RawEvent) -> Result<bool> {
        lock(&self.engine).is_done(event)
    }

    fn wait_sync(&self, event: RawEvent) -> Result<()> {
        lock(&self.engine).wait_sync(event)
    }

    fn elapsed(&self, start: RawEvent, end: RawEvent) -> Result<Duration> {
        Ok(lock(&self.engine).elapsed(start, end))
    }

    unsafe fn copy_to_device(
        &self,
        stream: RawStream,
        device: u64,
        host: *const u8,
        bytes: usize,
    ) -> Result<()> {
        self.push(
            stream,
            Operation::ToDevice {
                device,
                host: HostPointer(host.cast_mut()),
                bytes,
            },
        );
        Ok(())
    }

    unsafe fn copy_to_host(&self, stream: RawStream, host: *mut u8, device: u64, bytes: usize) -> Result<()> {
        self.push(
            stream,
            Operation::ToHost {
                host: HostPointer(host),
                device,
                bytes,
            },
        );
        Ok(())
    }

    fn copy_on_device(&self, stream: RawStream, target: u64, source: u64, bytes: usize) -> Result<()> {
        self.push(
            stream,
            Operation::Copy {
                target,
                source,
                bytes,
            },
        );
        Ok(())
    }

    fn fill(&self, stream: RawStream, address: u64, byte: u8, bytes: usize) -> Result<()> {
        self.push(stream, Operation::Fill { address, byte, bytes });
        Ok(())
    }

    fn expect_zero(&self, stream: RawStream, address: u64) {
        self.push(stream, Operation::ExpectZero { address });
    }

    fn launch(
        &self,
        stream: RawStream,
        name: &str,
        function: RawFunction,
        grid: Grid,
        args: &PackedArgs,
    ) -> Result<()> {
        let refused = |reason: String| DeviceError::Launch {
            kernel: name.to_owned(),
            reason,
        };
        let Some(kernel) = lock(&self.kernels).get(&function).cloned() else {
            return Err(refused("its module is not loaded".to_owned()));
        };
        kernel.check_args(name, args)?;
        if grid.threads_per_block() > THREADS_PER_BLOCK_MAX {
            let threads = grid.threads_per_block();
            return Err(refused(format!(
                "a block of {threads} threads, at most {THREADS_PER_BLOCK_MAX}"
            )));
        }
        if grid.shared_bytes > SHARED_BYTES_MAX {
            let shared = grid.shared_bytes;
            return Err(refused(format!(
                "{shared} bytes of shared memory, at most {SHARED_BYTES_MAX}"
            )));
        }
        let mut engine = lock(&self.engine);
        let seed = engine.launch_seed();
        let kernel = Box::new(kernel);
        engine.push(
            stream,
            Operation::Launch {
                name: name.to_owned(),
                kernel,
                grid,
                args: args.clone(),
                seed,
            },
        );
        Ok(())
    }

    fn unpacking_library(&self) -> Option<Library> {
        self.unpacks.then_some(Library::Host)
    }

    unsafe fn unpack(&self, stream: RawStream, batch: &RawBatch) -> Result<()> {
        self.push(stream, Operation::Unpack { batch: *batch });
        Ok(())
    }

    fn blocks_per_multiprocessor(
        &self,
        _function: RawFunction,
        threads: u32,
        _shared_bytes: u32,
    ) -> Result<u32> {
        Ok((2048 / threads.max(1)).clamp(1, 32))
    }
}
