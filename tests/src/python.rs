//! A Python environment with the clients and engines that tests use.
//!
//! In: the pinned requirements below. Out: the path of a Python executable that has them, under the target
//! folder. Safe when several test processes ask at once; made anew when the requirements change.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &[&str] = &["duckdb==2.0.0", "pyarrow==26.0.1"];

/// The Python executable of the environment, which is made on first use.
///
/// # Panics
/// If `python3` with its `venv` module is missing, or a requirement cannot be installed: no test that needs
/// the environment can go on.
pub fn python_env() -> PathBuf {
    let target_dir = target_dir();
    fs::create_dir_all(&target_dir).expect("the target folder can be made");
    let lock = File::create(target_dir.join("python-env.lock")).expect("the lock file can be made");
    lock.lock().expect("the lock file can be locked");

    let folder = target_dir.join("python-env");
    let python = folder.join("bin/python");
    let stamp = folder.join("requirements.txt");
    let requirements = REQUIREMENTS.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == requirements) && python.exists() {
        return python;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an outdated environment can be removed");
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(REQUIREMENTS));
    fs::write(&stamp, requirements).expect("the list of requirements can be written");
    python
}

/// The workspace's target folder.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot start: {error}"));
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}
