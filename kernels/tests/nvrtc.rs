//! Every kernel and the prelude, compiled by NVIDIA's own compiler for three architectures. No GPU is needed: the
//! compiler comes as a package for Python, into the target folder.

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use warpflight_kernels::cuda::{NvrtcCompiler, NvrtcState, probe, use_nvrtc_folder};
use warpflight_kernels::{Compiler, DeviceError, KernelSource, library};

mod pip;

/// Newer ones emit code that a CUDA 13.0 driver cannot load.
const PACKAGE: &str = "nvidia-cuda-nvrtc==13.0.88";

/// The compiler's folder, or why the package could not be had.
fn install() -> Result<PathBuf, String> {
    let root = pip::install("nvrtc-13.0.88", PACKAGE)?;
    Ok(root.join("nvidia/cu13/lib"))
}

fn compile_all(folder: &Path) {
    use_nvrtc_folder(folder).expect("the package's libraries load");
    assert_eq!(probe().nvrtc, NvrtcState::Ready { major: 13, minor: 0 });
    for architecture in ["sm_80", "sm_90", "sm_100"] {
        let compiler = NvrtcCompiler::new(architecture).expect("loaded above");
        for source in library() {
            let start = std::time::Instant::now();
            let image = compiler
                .compile(&source)
                .unwrap_or_else(|error| panic!("{architecture}: {error}"));
            assert!(image.starts_with(b"\x7fELF"), "{}: not a cubin", source.name);
            println!(
                "{architecture} {}: {} bytes in {:?}",
                source.name,
                image.len(),
                start.elapsed()
            );
            for kernel in &source.kernels {
                let named = image
                    .windows(kernel.len())
                    .any(|window| window == kernel.as_bytes());
                assert!(named, "{}: kernel {kernel} is not in the image", source.name);
            }
        }
        let broken = KernelSource::generated("broken", "WF_KERNEL(32) broken() { nothing; }", &["broken"]);
        match compiler.compile(&broken).expect_err("not C++") {
            DeviceError::Compile { kernel, log } => {
                assert_eq!(kernel, "broken");
                assert!(log.contains("broken.cu(1)"), "{log}");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
#[allow(clippy::print_stderr)]
fn every_kernel_compiles_for_every_architecture() {
    match install() {
        Ok(folder) => compile_all(&folder),
        Err(reason) => eprintln!("SKIPPED: {PACKAGE} could not be installed: {reason}"),
    }
}
