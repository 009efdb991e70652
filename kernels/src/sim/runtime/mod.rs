//! The runtime of the emulation, loaded once a process, and the device memory that it checks. Comes in: launches,
//! one at a time. Goes out: an outcome for each. It knows no streams.

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use libloading::Library;
use libloading::os::unix::{Library as UnixLibrary, RTLD_GLOBAL, RTLD_NOW};

use crate::error::{DeviceError, Result};
use crate::launch::{Grid, PackedArgs};
use crate::sim::host_compiler::{HostCompiler, ScratchFolder};
use crate::sim::memory::{ARENA_BYTES, Memory};

/// `Launch` of `fibers.cpp`.
#[repr(C)]
struct RawLaunch {
    entry: unsafe extern "C" fn(*mut *mut c_void),
    values: *mut *mut c_void,
    shared: [*const c_char; 2],
    image: [*const c_char; 2],
    grid: [c_uint; 3],
    block: [c_uint; 3],
    shared_bytes: c_uint,
    check_races: c_uint,
    seed: u64,
}

/// `Fault` of `fibers.cpp`.
#[repr(C)]
struct RawFault {
    address: u64,
    bytes: u64,
    kind: c_uint,
    text: [c_char; 500],
}

/// `wf_module_info` of `shim.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct ModuleInfo {
    shared: [*const c_char; 2],
    image: [*const c_char; 2],
}

/// A kernel of a loaded shared object.
#[derive(Clone)]
pub(crate) struct SimKernel {
    entry: unsafe extern "C" fn(*mut *mut c_void),
    info: ModuleInfo,
    sizes: Vec<usize>,
    _object: Arc<Library>,
}

// SAFETY: the pointers lead into the loaded object, which `_object` keeps; they are used under the runtime's lock.
unsafe impl Send for SimKernel {}

/// The most parameters that a kernel may take.
const PARAMETERS_MAX: usize = 1024;

pub(crate) struct Runtime {
    launch: unsafe extern "C" fn(*const RawLaunch, *mut RawFault) -> c_int,
    /// Device memory, and the right to run: there is one engine.
    pub(crate) memory: Mutex<Memory>,
    _library: UnixLibrary,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runtime")
    }
}

impl Runtime {
    /// The runtime of this process, built by `compiler` if nobody did so before.
    pub(crate) fn get(compiler: &HostCompiler) -> Result<&'static Self> {
        static RUNTIME: OnceLock<Result<Runtime>> = OnceLock::new();
        RUNTIME
            .get_or_init(|| Self::load(compiler))
            .as_ref()
            .map_err(Clone::clone)
    }

    fn load(compiler: &HostCompiler) -> Result<Self> {
        let image = compiler.compile_runtime()?;
        let memory = Memory::new()?;
        with_file(&image, |path| {
            // SAFETY: the object is the runtime compiled from this crate's own source; its functions have these
            // signatures. Global, because kernels are linked against it when they are loaded.
            unsafe {
                let library = UnixLibrary::open(Some(path), RTLD_NOW | RTLD_GLOBAL).map_err(not_loaded)?;
                let start = *library
                    .get::<unsafe extern "C" fn(*mut u8, *mut u8, u64) -> c_int>(b"wf_start")
                    .map_err(not_loaded)?;
                let launch = *library.get(b"wf_launch").map_err(not_loaded)?;
                if start(memory.base(), memory.shadow(), ARENA_BYTES as u64) != 0 {
                    return Err(DeviceError::Driver {
                        call: "wf_start",
                        reason: "no address space for fibers".into(),
                    });
                }
                Ok(Self {
                    launch,
                    memory: Mutex::new(memory),
                    _library: library,
                })
            }
        })
    }

    /// Runs a launch to its end.
    pub(crate) fn launch(
        &self,
        kernel: &SimKernel,
        grid: Grid,
        args: &PackedArgs,
        seed: u64,
        check_races: bool,
    ) -> Result<(), String> {
        let mut values = args.pointers();
        let launch = RawLaunch {
            entry: kernel.entry,
            values: values.as_mut_ptr(),
            shared: kernel.info.shared,
            image: kernel.info.image,
            grid: grid.blocks,
            block: grid.threads,
            shared_bytes: grid.shared_bytes,
            check_races: u32::from(check_races),
            seed,
        };
        let mut fault = RawFault {
            address: 0,
            bytes: 0,
            kind: 0,
            text: [0; 500],
        };
        let memory = self
            .memory
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: the values match the kernel's parameters in number and size (checked when queued), the structs
        // have the runtime's layout, and the lock makes this the only launch.
        let failed = unsafe { (self.launch)(&launch, &mut fault) } != 0;
        if !failed {
            return Ok(());
        }
        let text: Vec<u8> = fault
            .text
            .iter()
            .take_while(|&&c| c != 0)
            .map(|&c| c.cast_unsigned())
            .collect();
        let text = String::from_utf8_lossy(&text).into_owned();
        Err(if fault.kind == 0 {
            text
        } else {
            format!("{text}: {}", memory.describe(fault.address))
        })
    }
}

/// Loads a compiled module and finds its kernels.
pub(crate) fn load_module(name: &str, image: &[u8], kernels: &[String]) -> Result<Vec<SimKernel>> {
    with_file(image, |path| {
        let failed = |error: libloading::Error| DeviceError::Launch {
            kernel: name.to_owned(),
            reason: error.to_string(),
        };
        // SAFETY: the object was compiled from a kernel source with the shim, which gives these symbols these
        // signatures; it has no constructors but the sanitizer's, which does nothing.
        unsafe {
            let object = Arc::new(Library::new(path).map_err(failed)?);
            let describe = *object
                .get::<unsafe extern "C" fn(*mut ModuleInfo)>(b"wf_module")
                .map_err(failed)?;
            let mut info = ModuleInfo {
                shared: [std::ptr::null(); 2],
                image: [std::ptr::null(); 2],
            };
            describe(&mut info);
            let mut found = HashMap::new();
            for kernel in kernels {
                let symbol = |prefix: &str| CString::new(format!("{prefix}{kernel}")).unwrap_or_default();
                let entry = *object
                    .get(symbol("wf_entry_").as_bytes_with_nul())
                    .map_err(failed)?;
                let sizes_of = *object
                    .get::<unsafe extern "C" fn(*mut c_uint) -> c_uint>(
                        symbol("wf_sizes_").as_bytes_with_nul(),
                    )
                    .map_err(failed)?;
                let mut sizes = [0; PARAMETERS_MAX];
                let count = sizes_of(sizes.as_mut_ptr()) as usize;
                let sizes = sizes[..count].iter().map(|&size| size as usize).collect();
                found.insert(
                    kernel,
                    SimKernel {
                        entry,
                        info,
                        sizes,
                        _object: Arc::clone(&object),
                    },
                );
            }
            Ok(kernels.iter().filter_map(|kernel| found.remove(kernel)).collect())
        }
    })
}

impl SimKernel {
    /// Fails unless the arguments fit the parameters, as far as sizes tell.
    pub(crate) fn check_args(&self, name: &str, args: &PackedArgs) -> Result<()> {
        let given: Vec<usize> = args.sizes().collect();
        if given == self.sizes {
            return Ok(());
        }
        Err(DeviceError::Launch {
            kernel: name.to_owned(),
            reason: format!("parameters take {:?} bytes, arguments have {given:?}", self.sizes),
        })
    }
}

/// Gives `use_file` the bytes as a file that is gone afterwards: what was loaded stays loaded.
fn with_file<T>(bytes: &[u8], use_file: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let folder = ScratchFolder::new()?;
    let path = folder.0.join("object.so");
    fs::write(&path, bytes).map_err(|error| DeviceError::file(&path, &error))?;
    use_file(&path)
}

fn not_loaded(error: libloading::Error) -> DeviceError {
    DeviceError::Unavailable {
        device: "sim".to_owned(),
        reason: error.to_string(),
    }
}
