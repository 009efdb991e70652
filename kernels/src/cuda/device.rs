//! One GPU. Comes in: what [`DeviceApi`] asks. Goes out: driver calls in the device's primary context.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cudarc::driver::{result, sys};

use super::NvrtcCompiler;
use super::driver::{architecture, attribute, check, device, device_count, device_name, start, words};
use super::launch::{blocks_per_multiprocessor, launch, parameter_sizes};
use super::nvcomp::{self, Nvcomp};
use super::pinning::Pinning;
use crate::api::{DeviceApi, LoadedModule, RawBatch, RawEvent, RawFunction, RawModule, RawStream};
use crate::compress::Library;
use crate::error::{DeviceError, Result};
use crate::info::{DeviceInfo, DeviceKind};
use crate::launch::{Grid, PackedArgs};
use crate::module::Compiler;

#[derive(Debug)]
pub(crate) struct CudaDevice {
    info: DeviceInfo,
    device: sys::CUdevice,
    context: Context,
    compiler: Arc<NvrtcCompiler>,
    fence_buffers: bool,
    pinning: Pinning,
    /// Sizes of each kernel's parameters.
    parameters: Mutex<HashMap<RawFunction, Vec<usize>>>,
    nvcomp: Option<&'static Nvcomp>,
    /// The kernel launched last on each stream: faults are reported later, at a wait, and then name it.
    last_launch: Mutex<HashMap<RawStream, String>>,
}

/// The device's primary context. The driver takes it from any thread.
#[derive(Debug, Clone, Copy)]
struct Context(sys::CUcontext);
// SAFETY: contexts may be used from any thread, one `cuCtxSetCurrent` away.
unsafe impl Send for Context {}
// SAFETY: as above; the driver locks what it must.
unsafe impl Sync for Context {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stream_of(stream: RawStream) -> sys::CUstream {
    stream.0 as sys::CUstream
}

fn event_of(event: RawEvent) -> sys::CUevent {
    event.0 as sys::CUevent
}

impl CudaDevice {
    /// Opens a GPU; with nvCOMP where that is wanted and found.
    pub(crate) fn open(ordinal: u32, fence_buffers: bool, nvcomp: bool) -> Result<Self> {
        use sys::CUdevice_attribute_enum as Attribute;
        let unavailable = |reason: String| DeviceError::Unavailable {
            device: format!("cuda:{ordinal}"),
            reason,
        };
        let driver_version = start().map_err(unavailable)?;
        let count = device_count()?;
        if ordinal >= count {
            return Err(unavailable(format!("the driver counts {count} GPUs")));
        }
        let device = device(ordinal)?;
        let architecture = architecture(device)?;
        let compiler = NvrtcCompiler::new(&architecture)?;
        let (mut memory_bytes, mut context) = (0, std::ptr::null_mut());
        // SAFETY: the driver is started, the device is one that it counts.
        unsafe {
            check(
                "cuDeviceTotalMem",
                sys::cuDeviceTotalMem_v2(&mut memory_bytes, device),
            )?;
            check(
                "cuDevicePrimaryCtxRetain",
                sys::cuDevicePrimaryCtxRetain(&mut context, device),
            )?;
        }
        let info = DeviceInfo {
            kind: DeviceKind::Cuda,
            ordinal,
            name: device_name(device)?,
            architecture,
            memory_bytes,
            multiprocessors: attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            shared_bytes_max: attribute(
                device,
                Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
            )?,
            l2_bytes: attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)? as usize,
            driver_version,
        };
        Ok(Self {
            info,
            device,
            context: Context(context),
            compiler: Arc::new(compiler),
            fence_buffers,
            // Why it is not there is for those who ask: see `nvcomp_version`.
            nvcomp: nvcomp.then(|| nvcomp::loaded().ok()).flatten(),
            pinning: Pinning::of(device)?,
            parameters: Mutex::default(),
            last_launch: Mutex::default(),
        })
    }

    /// Makes the device's context the calling thread's.
    fn bind(&self) -> Result<()> {
        // SAFETY: the context is retained for as long as `self` lives.
        check("cuCtxSetCurrent", unsafe { sys::cuCtxSetCurrent(self.context.0) })
    }

    fn note_launch(&self, stream: RawStream, name: &str) {
        let mut launches = lock(&self.last_launch);
        match launches.get_mut(&stream) {
            Some(last) => name.clone_into(last),
            None => drop(launches.insert(stream, name.to_owned())),
        }
    }

    /// The result of a call that waited for a stream: an error then belongs to a kernel on it.
    fn waited(&self, call: &'static str, stream: Option<RawStream>, code: sys::CUresult) -> Result<()> {
        if code == sys::CUresult::CUDA_SUCCESS {
            return Ok(());
        }
        let launches = lock(&self.last_launch);
        let kernel = match stream {
            Some(stream) => launches.get(&stream).cloned(),
            // An event does not tell its stream: the last kernel of each may be the one.
            None => launches
                .values()
                .cloned()
                .reduce(|all, one| format!("{all} or {one}")),
        };
        match kernel {
            Some(kernel) => Err(DeviceError::Fault {
                reason: format!(
                    "{} (reported by {call}; the kernel launched last is named)",
                    words(code)
                ),
                kernel,
            }),
            None => check(call, code),
        }
    }
}

impl Drop for CudaDevice {
    fn drop(&mut self) {
        // SAFETY: retained by `open`, released once. An error cannot be acted on.
        let _ = unsafe { sys::cuDevicePrimaryCtxRelease_v2(self.device) };
    }
}

impl DeviceApi for CudaDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn compiler(&self) -> Arc<dyn Compiler> {
        Arc::<NvrtcCompiler>::clone(&self.compiler)
    }

    fn load(&self, name: &str, image: &[u8], kernels: &[String]) -> Result<LoadedModule> {
        self.bind()?;
        let mut module = std::ptr::null_mut();
        // SAFETY: the image is a whole cubin: it comes from the compiler, or from disk with a checksum.
        check("cuModuleLoadData", unsafe {
            sys::cuModuleLoadData(&mut module, image.as_ptr().cast())
        })?;
        let raw = RawModule(module as u64);
        let mut functions = Vec::with_capacity(kernels.len());
        for kernel in kernels {
            let symbol = CString::new(kernel.as_str()).unwrap_or_default();
            let mut function = std::ptr::null_mut();
            // SAFETY: the module is loaded; the symbol is a C string.
            let code = unsafe { sys::cuModuleGetFunction(&mut function, module, symbol.as_ptr()) };
            if code != sys::CUresult::CUDA_SUCCESS {
                self.unload(raw);
                let reason = format!("module {name} has no such kernel: {}", words(code));
                return Err(DeviceError::Launch {
                    kernel: kernel.clone(),
                    reason,
                });
            }
            let raw = RawFunction(function as u64);
            lock(&self.parameters).insert(raw, parameter_sizes(function));
            functions.push(raw);
        }
        Ok(LoadedModule {
            module: raw,
            functions,
        })
    }

    fn unload(&self, module: RawModule) {
        if self.bind().is_ok() {
            // SAFETY: loaded by `load`, unloaded once. An error means a lost device, reported elsewhere.
            let _ = unsafe { sys::cuModuleUnload(module.0 as sys::CUmodule) };
        }
    }

    fn fences_allocations(&self) -> bool {
        self.fence_buffers
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        self.bind()?;
        let mut address = 0;
        // SAFETY: the context is current.
        match unsafe { sys::cuMemAlloc_v2(&mut address, bytes.max(1)) } {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => Err(DeviceError::OutOfMemory {
                memory: "device",
                wanted_bytes: bytes,
                available_bytes: self.memory().map_or(0, |(free, _)| free),
            }),
            code => check("cuMemAlloc", code).map(|()| address),
        }
    }

    fn release(&self, address: u64, stream: Option<RawStream>) {
        // Otherwise the arena returns its one slab when the device closes, after all streams.
        if let Some(stream) = stream {
            // An error is the stream's own, and is reported to whoever waits for it next.
            let _ = self.synchronize_sync(stream);
        }
        if self.bind().is_ok() {
            // SAFETY: allocated by `allocate`, freed once. An error means a lost device, reported elsewhere.
            let _ = unsafe { sys::cuMemFree_v2(address) };
        }
    }

    fn allocate_pinned(&self, bytes: usize) -> Result<*mut u8> {
        self.bind()?;
        self.pinning.allocate(bytes)
    }

    fn kernels_read_pinned(&self) -> bool {
        // With unified addressing, which every 64-bit platform has, pinned memory is mapped where it lies.
        true
    }

    unsafe fn release_pinned(&self, memory: *mut u8, bytes: usize) {
        if self.bind().is_ok() {
            // SAFETY: from `allocate_pinned`; the caller vouches that nothing uses it.
            unsafe { self.pinning.release(memory, bytes) };
        }
    }

    fn memory(&self) -> Result<(usize, usize)> {
        self.bind()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: the context is current.
        check("cuMemGetInfo", unsafe {
            sys::cuMemGetInfo_v2(&mut free, &mut total)
        })?;
        Ok((free, total))
    }

    fn create_stream(&self, urgent: bool) -> Result<RawStream> {
        self.bind()?;
        let mut stream = std::ptr::null_mut();
        let flags = sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32;
        let (mut least, mut greatest) = (0, 0);
        // SAFETY: the context is current; both are written.
        check("cuCtxGetStreamPriorityRange", unsafe {
            sys::cuCtxGetStreamPriorityRange(&mut least, &mut greatest)
        })?;
        let priority = if urgent { greatest } else { least };
        // SAFETY: the context is current.
        check("cuStreamCreateWithPriority", unsafe {
            sys::cuStreamCreateWithPriority(&mut stream, flags, priority)
        })?;
        Ok(RawStream(stream as u64))
    }

    fn destroy_stream(&self, stream: RawStream) {
        if self.bind().is_ok() {
            // SAFETY: made by `create_stream`, destroyed once.
            let _ = unsafe { sys::cuStreamDestroy_v2(stream_of(stream)) };
        }
    }

    fn synchronize_sync(&self, stream: RawStream) -> Result<()> {
        self.bind()?;
        // SAFETY: the stream is alive.
        let code = unsafe { sys::cuStreamSynchronize(stream_of(stream)) };
        self.waited("cuStreamSynchronize", Some(stream), code)
    }

    fn create_event(&self) -> Result<RawEvent> {
        self.bind()?;
        let event = result::event::create(sys::CUevent_flags_enum::CU_EVENT_DEFAULT).map_err(|error| {
            DeviceError::Driver {
                call: "cuEventCreate",
                reason: words(error.0),
            }
        })?;
        Ok(RawEvent(event as u64))
    }

    fn destroy_event(&self, event: RawEvent) {
        if self.bind().is_ok() {
            // SAFETY: made by `create_event`, destroyed once.
            let _ = unsafe { sys::cuEventDestroy_v2(event_of(event)) };
        }
    }

    fn record(&self, event: RawEvent, stream: RawStream) -> Result<()> {
        self.bind()?;
        // SAFETY: both are alive.
        check("cuEventRecord", unsafe {
            sys::cuEventRecord(event_of(event), stream_of(stream))
        })
    }

    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()> {
        self.bind()?;
        // SAFETY: both are alive.
        check("cuStreamWaitEvent", unsafe {
            sys::cuStreamWaitEvent(stream_of(stream), event_of(event), 0)
        })
    }

    fn is_done(&self, event: RawEvent) -> Result<bool> {
        self.bind()?;
        // SAFETY: the event is alive.
        match unsafe { sys::cuEventQuery(event_of(event)) } {
            sys::CUresult::CUDA_ERROR_NOT_READY => Ok(false),
            code => self.waited("cuEventQuery", None, code).map(|()| true),
        }
    }

    fn wait_sync(&self, event: RawEvent) -> Result<()> {
        self.bind()?;
        // SAFETY: the event is alive.
        let code = unsafe { sys::cuEventSynchronize(event_of(event)) };
        self.waited("cuEventSynchronize", None, code)
    }

    fn elapsed(&self, start: RawEvent, end: RawEvent) -> Result<Duration> {
        self.bind()?;
        // SAFETY: both are alive.
        let milliseconds =
            unsafe { result::event::elapsed(event_of(start), event_of(end)) }.map_err(|error| {
                DeviceError::Driver {
                    call: "cuEventElapsedTime",
                    reason: words(error.0),
                }
            })?;
        Ok(Duration::from_secs_f64(f64::from(milliseconds.max(0.0)) / 1000.0))
    }

    unsafe fn copy_to_device(
        &self,
        stream: RawStream,
        device: u64,
        host: *const u8,
        bytes: usize,
    ) -> Result<()> {
        self.bind()?;
        // SAFETY: the caller vouches for the host memory, views for the device memory.
        let code = unsafe { sys::cuMemcpyHtoDAsync_v2(device, host.cast(), bytes, stream_of(stream)) };
        check("cuMemcpyHtoDAsync", code)
    }

    unsafe fn copy_to_host(&self, stream: RawStream, host: *mut u8, device: u64, bytes: usize) -> Result<()> {
        self.bind()?;
        // SAFETY: the caller vouches for the host memory, views for the device memory.
        let code = unsafe { sys::cuMemcpyDtoHAsync_v2(host.cast(), device, bytes, stream_of(stream)) };
        check("cuMemcpyDtoHAsync", code)
    }

    fn copy_on_device(&self, stream: RawStream, target: u64, source: u64, bytes: usize) -> Result<()> {
        self.bind()?;
        // SAFETY: both ranges come from views.
        let code = unsafe { sys::cuMemcpyDtoDAsync_v2(target, source, bytes, stream_of(stream)) };
        check("cuMemcpyDtoDAsync", code)
    }

    fn fill(&self, stream: RawStream, address: u64, byte: u8, bytes: usize) -> Result<()> {
        self.bind()?;
        // SAFETY: the range comes from a view.
        let code = unsafe { sys::cuMemsetD8Async(address, byte, bytes, stream_of(stream)) };
        check("cuMemsetD8Async", code)
    }

    fn launch(
        &self,
        stream: RawStream,
        name: &str,
        function: RawFunction,
        grid: Grid,
        args: &PackedArgs,
    ) -> Result<()> {
        self.bind()?;
        let refused = |reason: String| DeviceError::Launch {
            kernel: name.to_owned(),
            reason,
        };
        let given: Vec<usize> = args.sizes().collect();
        match lock(&self.parameters).get(&function) {
            Some(wanted) if *wanted == given => {}
            wanted => {
                return Err(refused(format!(
                    "parameters take {wanted:?} bytes, arguments have {given:?}"
                )));
            }
        }
        launch(function, stream_of(stream), grid, args).map_err(refused)?;
        self.note_launch(stream, name);
        Ok(())
    }

    fn unpacking_library(&self) -> Option<Library> {
        self.nvcomp.map(Library::Nvcomp)
    }

    unsafe fn unpack(&self, stream: RawStream, batch: &RawBatch) -> Result<()> {
        self.bind()?;
        let library = self.nvcomp.ok_or_else(|| DeviceError::Unavailable {
            device: self.info.label(),
            reason: format!("it decompresses no {:?}: nvCOMP is not loaded", batch.codec),
        })?;
        // SAFETY: the context is current; the caller vouches for the rest.
        unsafe { library.decompress(stream_of(stream), batch)? };
        self.note_launch(stream, &format!("nvcomp_{:?}", batch.codec));
        Ok(())
    }

    fn blocks_per_multiprocessor(
        &self,
        function: RawFunction,
        threads: u32,
        shared_bytes: u32,
    ) -> Result<u32> {
        self.bind()?;
        blocks_per_multiprocessor(function, threads, shared_bytes)
    }
}
