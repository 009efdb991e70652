//! NVIDIA's run-time compiler as a [`Compiler`]. Comes in: kernel sources. Goes out: cubins for one architecture, made
//! by processes of their own where the program has said how to start them. It needs no GPU and no driver.

use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cudarc::nvrtc::sys;

use super::compiler_pool::{CompilerPool, NoAnswer, pool};
use super::compiler_process::{Reply, Request};
use crate::error::{DeviceError, Result};
use crate::module::{Compiler, KernelSource};

/// Where the compiler was loaded from, if not by the system's loader.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// The folder that the compiler was loaded from, if not by the system's loader.
pub(super) fn loaded_folder() -> Option<&'static Path> {
    FOLDER.get().map(PathBuf::as_path)
}

/// Loads NVRTC from `folder`, as a package for Python unpacks it, before the system's own is looked for. Call it
/// before anything else of CUDA; later calls have no effect on a compiler that is loaded already.
pub fn use_nvrtc_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
        let listing = std::fs::read_dir(folder).map_err(|error| DeviceError::file(folder, &error))?;
        let names: Vec<_> = listing.flatten().map(|entry| entry.file_name()).collect();
        // The builtins first: some versions look for them by name only when they compile.
        for wanted in ["libnvrtc-builtins.so", "libnvrtc.so"] {
            let found = names
                .iter()
                .find(|name| name.to_string_lossy().starts_with(wanted));
            let Some(name) = found else {
                return Err(unavailable(format!("{} has no {wanted}", folder.display())));
            };
            // SAFETY: NVIDIA's libraries do nothing of note when loaded. They are never unloaded: the handle is
            // forgotten, because the compiler's code stays in use.
            let library = unsafe { Library::open(Some(folder.join(name)), RTLD_NOW | RTLD_GLOBAL) };
            std::mem::forget(library.map_err(|error| unavailable(error.to_string()))?);
        }
        FOLDER.get_or_init(|| folder.to_owned());
        Ok(())
    }
    #[cfg(not(unix))]
    Err(unavailable(format!(
        "{}: loading from a folder is for Unix",
        folder.display()
    )))
}

fn unavailable(reason: String) -> DeviceError {
    DeviceError::Unavailable {
        device: "nvrtc".to_owned(),
        reason,
    }
}

/// Where CUDA's toolkit puts its libraries, which the system's loader often does not know of.
pub(super) const TOOLKIT_FOLDERS: [&str; 3] = [
    "/usr/local/cuda/targets/x86_64-linux/lib",
    "/usr/local/cuda-13.0/targets/x86_64-linux/lib",
    "/usr/local/cuda/lib64",
];

/// Loads the compiler of an installed toolkit; whether there was one.
fn load_from_toolkit() -> bool {
    let folders = TOOLKIT_FOLDERS.iter().map(Path::new);
    let mut installed = folders.filter(|folder| folder.join("libnvrtc.so.13").exists());
    installed.any(|folder| use_nvrtc_folder(folder).is_ok())
}

/// Version of the run-time compiler, or why there is none.
pub(super) fn version() -> Result<(u32, u32), String> {
    static VERSION: OnceLock<Result<(u32, u32), String>> = OnceLock::new();
    VERSION
        .get_or_init(|| {
            // SAFETY: loads the library, or does not.
            let is_present = || unsafe { sys::is_culib_present() };
            if !is_present() && !load_from_toolkit() {
                return Err("NVIDIA's run-time compiler (libnvrtc.so.13) is not installed".to_owned());
            }
            if !is_present() {
                return Err(
                    "NVIDIA's run-time compiler (libnvrtc.so.13) was found and does not load".to_owned(),
                );
            }
            let (mut major, mut minor) = (0, 0);
            // SAFETY: the library is there; both pointers lead to integers.
            let code = unsafe { sys::nvrtcVersion(&mut major, &mut minor) };
            if code != sys::nvrtcResult::NVRTC_SUCCESS {
                return Err(format!("nvrtcVersion failed with {code:?}"));
            }
            Ok((major.unsigned_abs(), minor.unsigned_abs()))
        })
        .clone()
}

/// NVRTC for one architecture.
#[derive(Debug)]
pub struct NvrtcCompiler {
    architecture: String,
    version: (u32, u32),
}

impl NvrtcCompiler {
    /// A compiler for `architecture`, such as `sm_90`, or why there is none.
    pub fn new(architecture: &str) -> Result<Self> {
        let version = version().map_err(unavailable)?;
        Ok(Self {
            architecture: architecture.to_owned(),
            version,
        })
    }

    fn failed(kernel: &str, call: &str, code: sys::nvrtcResult) -> DeviceError {
        DeviceError::Compile {
            kernel: kernel.to_owned(),
            log: format!("{call} failed with {code:?}"),
        }
    }

    /// Compiles `text` on this thread, of this process; `file` is the name that the compiler's words show.
    pub(super) fn compile_here(&self, kernel: &str, file: &str, text: &str) -> Result<Vec<u8>> {
        let invalid = |_| DeviceError::Compile {
            kernel: kernel.to_owned(),
            log: "its text holds a zero byte".to_owned(),
        };
        let text = CString::new(text).map_err(invalid)?;
        let file = CString::new(file).map_err(invalid)?;
        let options: Vec<CString> = self
            .options()
            .into_iter()
            .map(CString::new)
            .collect::<Result<_, _>>()
            .map_err(invalid)?;
        let options: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let program = Program::new(kernel, &text, &file)?;
        // SAFETY: the program is alive; the options are C strings that outlive the call.
        let code = unsafe { sys::nvrtcCompileProgram(program.0, options.len() as i32, options.as_ptr()) };
        if code != sys::nvrtcResult::NVRTC_SUCCESS {
            return Err(DeviceError::Compile {
                kernel: kernel.to_owned(),
                log: program.log(),
            });
        }
        program.cubin(kernel)
    }
}

impl Compiler for NvrtcCompiler {
    fn identity(&self) -> String {
        format!("nvrtc {}.{}", self.version.0, self.version.1)
    }

    fn architecture(&self) -> String {
        self.architecture.clone()
    }

    fn options(&self) -> Vec<String> {
        vec![
            format!("--gpu-architecture={}", self.architecture),
            "--std=c++17".to_owned(),
            "--device-int128".to_owned(),
            // Sums and products are rounded one by one, as on the CPU.
            "--fmad=false".to_owned(),
            "--extra-device-vectorization".to_owned(),
            // Without the names of CUDA's run-time library and textures, of which no kernel uses any.
            "--minimal".to_owned(),
            // Errors are reported without; writing of unused functions costs time.
            "--disable-warnings".to_owned(),
            // Its own cache is looked up by one thread at a time, 17 ms a kernel; ours has been asked before.
            "--no-cache".to_owned(),
        ]
    }

    fn image_extension(&self) -> &'static str {
        "cubin"
    }

    fn side_by_side(&self) -> usize {
        pool().map_or(1, CompilerPool::most)
    }

    fn compile(&self, source: &KernelSource) -> Result<Vec<u8>> {
        let request = Request {
            architecture: self.architecture.clone(),
            kernel: source.name.to_string(),
            file: format!("{}.cu", source.file_stem()),
            text: source.full_text(),
        };
        let refused = |log: String| DeviceError::Compile {
            kernel: request.kernel.clone(),
            log,
        };
        match pool().map(|pool| pool.compile(&request)) {
            Some(Ok(Reply::Image(image))) => Ok(image),
            Some(Ok(Reply::Refused(log))) => Err(refused(log)),
            Some(Err(NoAnswer::Ended(how))) => Err(refused(format!(
                "the process that compiled it ended, and so did a second one: {how}"
            ))),
            // Slower, and right.
            Some(Err(NoAnswer::NoProcess)) | None => {
                self.compile_here(&request.kernel, &request.file, &request.text)
            }
        }
    }
}

/// A program of the compiler, destroyed when dropped.
struct Program(sys::nvrtcProgram);

impl Program {
    fn new(kernel: &str, text: &CString, name: &CString) -> Result<Self> {
        let mut program = std::ptr::null_mut();
        // SAFETY: both are C strings, copied by the call; there are no headers.
        let code = unsafe {
            sys::nvrtcCreateProgram(
                &mut program,
                text.as_ptr(),
                name.as_ptr(),
                0,
                std::ptr::null(),
                std::ptr::null(),
            )
        };
        if code != sys::nvrtcResult::NVRTC_SUCCESS {
            return Err(NvrtcCompiler::failed(kernel, "nvrtcCreateProgram", code));
        }
        Ok(Self(program))
    }

    fn log(&self) -> String {
        // SAFETY: the program is alive.
        let log = unsafe { cudarc::nvrtc::result::get_program_log(self.0) }.unwrap_or_default();
        let bytes: Vec<u8> = log
            .into_iter()
            .map(c_char::cast_unsigned)
            .take_while(|&byte| byte != 0)
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn cubin(&self, kernel: &str) -> Result<Vec<u8>> {
        let mut bytes = 0;
        // SAFETY: the program is alive and compiled.
        let code = unsafe { sys::nvrtcGetCUBINSize(self.0, &mut bytes) };
        if code != sys::nvrtcResult::NVRTC_SUCCESS {
            return Err(NvrtcCompiler::failed(kernel, "nvrtcGetCUBINSize", code));
        }
        let mut image = vec![0u8; bytes];
        // SAFETY: the image has the size that the compiler asked for.
        let code = unsafe { sys::nvrtcGetCUBIN(self.0, image.as_mut_ptr().cast()) };
        if code != sys::nvrtcResult::NVRTC_SUCCESS {
            return Err(NvrtcCompiler::failed(kernel, "nvrtcGetCUBIN", code));
        }
        Ok(image)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: made by `new`, destroyed once.
        unsafe { sys::nvrtcDestroyProgram(&mut self.0) };
    }
}
