//! The binary's commands as scripts use them: each command of several tests has a file, the others stand here.

mod bench;
mod generate;
mod selftest;
mod sql;

use std::process::{Command, Output, Stdio};

use warpflight_tests::server::Server;
use warpflight_tests::target::server_binary;

use crate::shared_server;

fn warpflight() -> Command {
    let mut command = Command::new(server_binary());
    for name in [
        "WARPFLIGHT_URL",
        "WARPFLIGHT_USER",
        "WARPFLIGHT_PASSWORD",
        "WARPFLIGHT_TOKEN",
    ] {
        command.env_remove(name);
    }
    command
}

/// `warpflight sql` for a server.
fn sql(server: &Server) -> Command {
    let mut command = warpflight();
    command.args(["sql", "--url", server.url()]);
    command
}

fn output(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot start: {error}"))
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", output.status, stderr(output));
    String::from_utf8(output.stdout.clone()).expect("it prints text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn doctor() {
    let server = shared_server();
    let data = warpflight_tests::data::tpch(crate::SCALE).display().to_string();
    let done = output(warpflight().args(["doctor", "--data", &data, "--listen", server.address()]));
    let said = String::from_utf8_lossy(&done.stdout).to_lowercase();
    for word in ["cpu", "memory", "gpu", "driver", "port", "nation"] {
        assert!(
            said.contains(word),
            "expected {word:?} in\n{said}{}",
            stderr(&done)
        );
    }
}

#[test]
fn help_and_version() {
    for command in [
        vec!["--help"],
        vec!["serve", "--help"],
        vec!["sql", "--help"],
        vec!["generate", "tpch", "--help"],
        vec!["bench", "tpch", "--help"],
        vec!["selftest", "--help"],
        vec!["kernels", "build", "--help"],
    ] {
        let printed = stdout(&output(warpflight().args(&command)));
        assert!(printed.contains("Usage"), "{command:?}: {printed}");
    }
    assert!(stdout(&output(warpflight().arg("--version"))).starts_with("warpflight "));
    assert_eq!(output(warpflight().arg("no-such-command")).status.code(), Some(2));
}

#[test]
fn kernels_build() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let build = |arguments: &[&str]| {
        let mut command = warpflight();
        command.args(["kernels", "build", "--cache"]).arg(folder.path());
        output(command.args(arguments))
    };
    let refused = build(&["--arch", "90"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let no_compiler = build(&["--arch", "sm_90", "--nvrtc-folder", "/no/such/folder"]);
    assert_eq!(no_compiler.status.code(), Some(1));
    assert!(
        stderr(&no_compiler).contains("/no/such/folder"),
        "{}",
        stderr(&no_compiler)
    );
}
