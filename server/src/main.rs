//! The `warpflight` binary.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    kernels::cuda::prepare_process(warpflight::config::is_in_environment);
    warpflight::cli::run(warpflight::cli::Cli::parse())
}
