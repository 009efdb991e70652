//! The build: where its output is, and the server's binary in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The workspace's target folder.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => workspace_dir().join("target"),
    }
}

/// The workspace's root.
pub fn workspace_dir() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the tests crate lies in the workspace")
        .to_owned()
}

/// The server's binary in the profile that this test was built in.
///
/// `cargo test` builds it before any test runs, since the server has an integration test of its own. Where only these
/// tests were asked for and the binary is older than the sources, it is built here.
///
/// # Panics
/// If it cannot be built.
pub fn server_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY
        .get_or_init(|| {
            let built = target_dir().join(profile()).join("warpflight");
            match is_current(&built) {
                true => built,
                false => build_server(&profile(), TEST_FEATURES),
            }
        })
        .clone()
}

/// Whether a binary is newer than everything that it is made of.
fn is_current(binary: &Path) -> bool {
    let Ok(built) = binary.metadata().and_then(|metadata| metadata.modified()) else {
        return false;
    };
    let sources = ["Cargo.toml", "Cargo.lock", "server", "kernels", "config"];
    sources
        .iter()
        .all(|source| is_older(&workspace_dir().join(source), built))
}

fn is_older(path: &Path, than: SystemTime) -> bool {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().all(|entry| is_older(&entry.path(), than)),
        Err(_) => path
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|changed| changed <= than),
    }
}

/// What `cargo test` turns on by dev-dependencies. The same packages and features as there, so that nothing is
/// compiled a second time.
const TEST_FEATURES: &[&str] = &["warpflight/sim"];

/// Builds the server in a profile and says where it is.
///
/// # Panics
/// If it cannot be built.
fn build_server(profile: &str, features: &[&str]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let cargo_profile = if profile == "debug" { "dev" } else { profile };
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            "warpflight",
            "--profile",
            cargo_profile,
        ])
        .arg(format!("--features={}", features.join(",")))
        .current_dir(workspace_dir());
    // What cargo tells this test of its own package: build scripts ask for these names, and would run again, and with
    // them all that depends on them.
    for (name, _) in std::env::vars_os() {
        let is_of_package = ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix));
        if is_of_package {
            command.env_remove(name);
        }
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot start: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    target_dir().join(profile).join("warpflight")
}

/// The server as `cargo build --release` made it: benches do not measure one with the tests' features.
pub fn release_server() -> PathBuf {
    let binary = target_dir().join("release").join("warpflight");
    assert!(
        binary.exists(),
        "no {}: run cargo build --release before",
        binary.display()
    );
    binary
}

/// The folder of this process's profile: `target/PROFILE/deps/test-hash`.
fn profile() -> String {
    let test = std::env::current_exe().expect("this process has a path");
    let folder = test
        .ancestors()
        .nth(2)
        .and_then(Path::file_name)
        .expect("tests lie in target/PROFILE/deps");
    folder.to_string_lossy().into_owned()
}

/// Makes `target/NAME` by `make` if it is not there; several test processes may ask at once.
///
/// `make` writes into the folder that it is given, which gets its name when it is complete.
pub fn made_once(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let folder = target_dir().join(name);
    fs::create_dir_all(target_dir()).expect("the target folder can be made");
    let lock = File::create(target_dir().join(format!("{name}.lock"))).expect("the lock file can be made");
    lock.lock().expect("the lock file can be locked");
    if !folder.exists() {
        let unfinished = target_dir().join(format!("{name}.unfinished"));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).expect("an unfinished folder can be removed");
        }
        fs::create_dir_all(&unfinished).expect("a folder in the target folder can be made");
        make(&unfinished);
        fs::rename(&unfinished, &folder).expect("the finished folder can be renamed");
    }
    folder
}
