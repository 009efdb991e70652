//! The command line. In: the arguments of the one binary. Out: a subcommand that ran, and the process's
//! exit code. Each subcommand has a file or folder of its own and does not know the others.

pub mod bench;
pub mod doctor;
pub mod generate;
pub mod hash_password;
pub mod kernel_cache;
mod local;
pub mod selftest;
pub mod serve;
pub mod sql;

use std::io::{Write, stderr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{Kind, Result};

/// SQL over Arrow Flight on Parquet, on NVIDIA GPUs where there are any
#[derive(Debug, Parser)]
#[command(
    name = "warpflight",
    version,
    about,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve tables to Flight SQL clients
    Serve(serve::ServeArgs),
    /// Run SQL on a Flight SQL server, or start an interactive shell
    #[command(long_about = sql::ABOUT)]
    Sql(sql::SqlArgs),
    /// Write sample data
    Generate(generate::GenerateArgs),
    /// Time queries on this machine, check their answers, and compare with others
    Bench(bench::BenchArgs),
    /// Check the kernels, and queries that use them, on a device of this machine
    #[command(name = "selftest", long_about = selftest::ABOUT)]
    SelfTest(selftest::SelfTestArgs),
    /// Compile kernels ahead of time
    Kernels(kernel_cache::KernelsArgs),
    /// Say what this machine offers and what `serve` would miss on it
    Doctor(doctor::DoctorArgs),
    /// Ask a running server whether it is ready
    Health(doctor::HealthArgs),
    /// Make the argon2id hash that stands for a password in the configuration
    HashPassword(hash_password::HashPasswordArgs),
}

/// Runs what the arguments ask for.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Sql(args) => sql::run(&args),
        Command::Generate(args) => report(generate::run(args)),
        Command::Bench(args) => bench::run(&args),
        Command::SelfTest(args) => selftest::run(&args),
        Command::Kernels(args) => report(kernel_cache::run(&args)),
        Command::Doctor(args) => doctor::run(&args),
        Command::Health(args) => doctor::run_health(&args),
        Command::HashPassword(args) => report(hash_password::run(&args)),
    }
}

/// Success, or the error on standard error: 2 for wrong arguments, 130 for an interrupt, else 1.
pub fn report(result: Result<()>) -> ExitCode {
    let Err(e) = result else { return ExitCode::SUCCESS };
    // There is nowhere left to complain if standard error is closed.
    let _ = writeln!(stderr(), "warpflight: {e}");
    match e.kind() {
        Kind::Sql => ExitCode::from(2),
        Kind::Cancelled => ExitCode::from(130),
        _ => ExitCode::FAILURE,
    }
}
