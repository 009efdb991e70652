//! NVIDIA's nvCOMP, as it comes in packages for Python: it loads without a GPU, has the functions that are called, and
//! says what it needs. One process can load one version: the tests run again for the others.

#![allow(clippy::print_stderr)]

use std::path::PathBuf;
use std::process::Command;

use warpflight_kernels::cuda::{nvcomp_version, use_nvcomp_folder};

mod pip;

/// The folder with the library of a version, in a target folder.
fn folder(version: &str) -> Result<PathBuf, String> {
    let root = pip::install(
        &format!("nvcomp-{version}"),
        &format!("nvidia-libnvcomp-cu13=={version}"),
    )?;
    Ok(root.join("nvidia/libnvcomp/lib64"))
}

const OLDER: &str = "5.3.0.16";
const NEWER: &str = "6.0.0.12";

#[test]
#[ignore = "looked for once a process: run by a_missing_library_is_named"]
fn it_is_missing() {
    match nvcomp_version() {
        Ok(version) => eprintln!("SKIPPED: nvCOMP {version} is installed here"),
        Err(reason) => assert_eq!(
            reason,
            "nvCOMP (libnvcomp.so.6 or libnvcomp.so.5) is not installed"
        ),
    }
}

#[test]
fn a_missing_library_is_named() {
    run_alone("it_is_missing");
}

#[test]
fn the_newer_version_loads() {
    loads(NEWER, "6.0.0");
}

#[test]
#[ignore = "one version a process: run by the_older_version_loads_in_a_process_of_its_own"]
fn the_older_version_loads() {
    loads(OLDER, "5.3.0");
}

#[test]
fn the_older_version_loads_in_a_process_of_its_own() {
    run_alone("the_older_version_loads");
}

fn run_alone(test: &str) {
    let program = std::env::current_exe().expect("this process has a path");
    let output = Command::new(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .output()
        .expect("it runs again");
    let said = String::from_utf8_lossy(&output.stdout);
    eprint!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn loads(package: &str, version: &str) {
    let folder = match folder(package) {
        Ok(folder) => folder,
        Err(reason) => {
            eprintln!("SKIPPED: nvCOMP {package} could not be installed: {reason}");
            return;
        }
    };
    let empty = use_nvcomp_folder(folder.parent().expect("a folder above it"));
    let refusal = empty.expect_err("no library is there").to_string();
    assert!(
        refusal.contains("has no libnvcomp.so.6 or libnvcomp.so.5"),
        "{refusal}"
    );
    use_nvcomp_folder(&folder).expect("the package's library loads");
    assert_eq!(nvcomp_version(), Ok(version.to_owned()));
}
