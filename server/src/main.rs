//! The `warpflight` binary.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// Planning a query is many small allocations, made by many threads at once.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    kernels::cuda::prepare_process(warpflight::config::is_in_environment);
    warpflight::cli::kernel_cache::compile_in_processes();
    warpflight::cli::run(warpflight::cli::Cli::parse())
}
