//! The host's C++ compiler as a [`Compiler`]. Comes in: kernel sources. Goes out: shared objects, as bytes. The
//! environment is not read here: which compiler to use is said by the options.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{DeviceError, Result};
use crate::module::{Compiler, KernelSource};

const SHIM: &str = include_str!("shim.h");
/// One program, in reading order.
const RUNTIME: &str = concat!(
    include_str!("runtime/fibers.cpp"),
    include_str!("runtime/checks.cpp"),
    include_str!("runtime/schedule.cpp"),
    include_str!("runtime/entries.cpp"),
);

const KERNEL_OPTIONS: [&str; 12] = [
    "-std=c++17",
    "-O1",
    // Not for its library: its calls at every load and store lead to the runtime's checks.
    "-fsanitize=thread",
    "-fPIC",
    "-shared",
    "-nostdlib",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-ffp-contract=off",
    "-w",
];
const RUNTIME_OPTIONS: [&str; 6] = [
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-shared",
    "-fno-exceptions",
    "-fno-rtti",
];

/// A C++ compiler of this machine.
#[derive(Debug)]
pub(crate) struct HostCompiler {
    program: PathBuf,
    version: String,
}

impl HostCompiler {
    /// The compiler asked for, or the first of the usual ones that runs.
    pub(crate) fn find(asked: Option<&Path>) -> Result<Self> {
        let usual = ["g++", "clang++", "c++"].map(PathBuf::from);
        let candidates = asked.map_or_else(|| usual.to_vec(), |program| vec![program.to_owned()]);
        for program in &candidates {
            if let Ok(output) = Command::new(program).arg("--version").output()
                && output.status.success()
            {
                let text = String::from_utf8_lossy(&output.stdout);
                let version = text.lines().next().unwrap_or_default().to_owned();
                return Ok(Self {
                    program: program.clone(),
                    version,
                });
            }
        }
        let names: Vec<_> = candidates
            .iter()
            .map(|program| program.display().to_string())
            .collect();
        Err(DeviceError::Unavailable {
            device: "sim".to_owned(),
            reason: format!("no C++ compiler runs here, looked for {}", names.join(", ")),
        })
    }

    /// The runtime that all kernels of a process share.
    pub(crate) fn compile_runtime(&self) -> Result<Vec<u8>> {
        self.run("sim-runtime", RUNTIME, &RUNTIME_OPTIONS)
    }

    fn run(&self, name: &str, text: &str, options: &[&str]) -> Result<Vec<u8>> {
        let folder = ScratchFolder::new()?;
        let (source, object) = (folder.0.join("source.cpp"), folder.0.join("object.so"));
        fs::write(&source, text).map_err(|error| DeviceError::file(&source, &error))?;
        let output = Command::new(&self.program)
            .args(options)
            .arg("-o")
            .args([&object, &source])
            .output()
            .map_err(|error| DeviceError::file(&self.program, &error))?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(DeviceError::Compile {
                kernel: name.to_owned(),
                log,
            });
        }
        fs::read(&object).map_err(|error| DeviceError::file(&object, &error))
    }
}

impl Compiler for HostCompiler {
    fn identity(&self) -> String {
        format!("{} {} {SHIM}", self.program.display(), self.version)
    }

    fn architecture(&self) -> String {
        std::env::consts::ARCH.to_owned()
    }

    fn options(&self) -> Vec<String> {
        KERNEL_OPTIONS.iter().map(|option| (*option).to_owned()).collect()
    }

    fn image_extension(&self) -> &'static str {
        "so"
    }

    fn side_by_side(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    fn compile(&self, source: &KernelSource) -> Result<Vec<u8>> {
        let mut text = format!("{SHIM}\n{}\n", source.full_text());
        for kernel in &source.kernels {
            text.push_str(&format!("WF_EXPORT_KERNEL({kernel})\n"));
        }
        text.push_str("WF_EXPORT_MODULE\n");
        self.run(&source.name, &text, &KERNEL_OPTIONS)
    }
}

/// A folder that is removed with everything in it.
#[derive(Debug)]
pub(crate) struct ScratchFolder(pub(crate) PathBuf);

impl ScratchFolder {
    pub(crate) fn new() -> Result<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("warpflight-sim-{}-{serial}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| DeviceError::file(&folder, &error))?;
        Ok(Self(folder))
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // A folder left behind in the temporary directory harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
