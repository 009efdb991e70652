//! The binary starts and says what it is; with it, `cargo test` builds what the other tests start.

use std::process::Command;

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
