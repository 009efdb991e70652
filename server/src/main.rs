//! The `warpflight` binary.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    warpflight::cli::run(warpflight::cli::Cli::parse())
}
