//! A Python environment with the clients and engines that tests use, and checks written in Python.
//!
//! In: the pinned requirements below, scripts under `tests/`. Out: a Python executable that has them; a script
//! that ran, or a panic with what it said. Safe when several test processes ask at once; the environment is made
//! anew when the requirements change.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

pub use crate::target::target_dir;
use crate::target::workspace_dir;

const REQUIREMENTS: &[&str] = &[
    "duckdb==2.0.0",
    "pyarrow==26.0.1",
    "adbc-driver-manager==1.13.0",
    "adbc-driver-flightsql==1.13.0",
    "moto[s3]==5.2.5",
    "flask==3.1.3",
    "flask-cors==6.0.5",
];

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
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(REQUIREMENTS));
    fs::write(&stamp, requirements).expect("the list of requirements can be written");
    python
}

/// Runs a script of `tests/` in the environment; what it printed.
///
/// # Panics
/// If it fails, with what it said.
pub fn run_python(script: &str, args: &[&str]) -> String {
    let output = python_output(script, args);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{script} {args:?}: {}\n{stdout}{stderr}",
        output.status
    );
    stdout.into_owned()
}

/// Runs the function `check_NAME` of a script of `tests/`, which finds `setup` as its argument's fields.
///
/// # Panics
/// If the check fails, with what it said.
pub fn run_check(script: &str, name: &str, setup: &Value) -> String {
    run_python(script, &[name, &setup.to_string()])
}

fn python_output(script: &str, args: &[&str]) -> Output {
    let tests = workspace_dir().join("tests");
    let mut command = Command::new(python_env());
    command
        .arg(tests.join(script))
        .args(args)
        .env("PYTHONPATH", tests.join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot start: {error}"))
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot start: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
