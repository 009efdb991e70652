//! The binary starts, says what it is, and compiles for others; with it, `cargo test` builds what the other tests start.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use kernels::cuda::NvrtcCompiler;
use kernels::{Compiler, DeviceError, KernelSource};

#[path = "../kernels/tests/pip/mod.rs"]
mod pip;

#[test]
fn it_says_its_version_and_its_commands() {
    let run = |argument: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_warpflight"))
            .arg(argument)
            .output()
            .unwrap();
        assert!(output.status.success(), "{argument}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        run("--version").trim(),
        concat!("warpflight ", env!("CARGO_PKG_VERSION"))
    );
    let help = run("--help");
    for command in ["serve", "sql", "generate", "doctor", "health", "hash-password"] {
        assert!(help.contains(command), "{help}");
    }
}

fn small_kernel(number: usize) -> KernelSource {
    KernelSource::generated(
        "small",
        format!("WF_KERNEL(32) small(u32* out) {{ out[threadIdx.x] = {number}; }}\n"),
        &["small"],
    )
}

/// One test, because how a process compiles is settled once.
#[test]
#[allow(clippy::print_stderr, reason = "a visible skip")]
fn processes_compile_what_one_process_compiles() {
    let folder = match pip::nvrtc() {
        Ok(folder) => folder,
        Err(reason) => {
            eprintln!("SKIPPED: NVRTC could not be installed: {reason}");
            return;
        }
    };
    kernels::cuda::use_nvrtc_folder(&folder).unwrap();
    let compiler = NvrtcCompiler::new("sm_90").unwrap();
    assert_eq!(compiler.side_by_side(), 1);
    let here = compiler.compile(&small_kernel(7)).unwrap();

    let binary = PathBuf::from(env!("CARGO_BIN_EXE_warpflight"));
    kernels::cuda::compile_in_processes(binary, vec!["kernels".into(), "worker".into()]);
    assert!(compiler.side_by_side() >= 1);
    assert_eq!(children().len(), 0, "started when needed");
    assert!(
        compiler.compile(&small_kernel(7)).unwrap() == here,
        "the same image"
    );
    let first = children();
    assert_eq!(first.len(), 1);

    let broken = KernelSource::generated("broken", "WF_KERNEL(32) broken() { nothing; }", &["broken"]);
    match compiler.compile(&broken).expect_err("not C++") {
        DeviceError::Compile { kernel, log } => {
            assert_eq!(kernel, "broken");
            assert!(log.contains("broken.cu(1)"), "{log}");
        }
        other => panic!("{other}"),
    }
    assert_eq!(children(), first, "a source that is refused ends nobody");

    // More at once than there are processes.
    std::thread::scope(|scope| {
        for number in 0..40 {
            let compiler = &compiler;
            scope.spawn(move || {
                let image = compiler.compile(&small_kernel(number)).unwrap();
                assert!(image.starts_with(b"\x7fELF"));
            });
        }
    });
    let all = children();
    assert!((1..=compiler.side_by_side()).contains(&all.len()), "{all:?}");

    // Another one takes over from one that ended.
    for process in all {
        let killed = Command::new("kill").args(["-9", &process]).status().unwrap();
        assert!(killed.success());
    }
    assert!(compiler.compile(&small_kernel(7)).unwrap() == here);
}

/// The processes that this one started and that have not ended.
fn children() -> Vec<String> {
    let mut found = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").expect("a process has threads") {
        // A thread may end meanwhile.
        let children = std::fs::read_to_string(thread.expect("a thread").path().join("children"));
        found.extend(children.unwrap_or_default().split_whitespace().map(str::to_owned));
    }
    found.sort();
    found
}

#[test]
fn a_process_that_compiles_ends_with_its_input_and_refuses_what_is_none() {
    let run = |input: &[u8]| {
        let mut process = Command::new(env!("CARGO_BIN_EXE_warpflight"))
            .args(["kernels", "worker"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may end before it has read everything.
        let _ = process.stdin.take().unwrap().write_all(input);
        process.wait_with_output().unwrap()
    };
    let ended = run(b"");
    assert!(ended.status.success(), "{ended:?}");
    let refused = run(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("a field longer than any image"), "{said}");
}
