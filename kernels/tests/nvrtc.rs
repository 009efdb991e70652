//! Every kernel and the prelude, compiled by NVIDIA's own compiler for three architectures. No GPU is needed: the
//! compiler comes as a package for Python, into the target folder.

#![allow(clippy::print_stdout)]

use std::path::Path;

use warpflight_kernels::cuda::{NvrtcCompiler, NvrtcState, probe, use_nvrtc_folder};
use warpflight_kernels::{Compiler, DeviceError, KernelSource, library};

mod pip;

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
    match pip::nvrtc() {
        Ok(folder) => compile_all(&folder),
        Err(reason) => eprintln!("SKIPPED: NVRTC could not be installed: {reason}"),
    }
}
