//! `warpflight selftest`: the kernels' own checks, and queries compared with the CPU's answers, on a device of this
//! machine. In: arguments. Out: a line a failure, a summary, and an exit code that is 0 only if nothing failed.

mod cases;
mod chosen;
mod jobs;
mod kernel_checks;
mod queries;
mod random;
mod tables;
mod tally;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::local::{self, LocalServer};
use crate::error::{Error, Result};
use cases::Case;
use chosen::Chosen;
use jobs::Work;
use queries::Folder;
use tally::{Tally, print};

/// What `--help` says.
pub(super) const ABOUT: &str = "Check the kernels, and queries that use them, on a device of this machine.\n\n\
    Three kinds of checks, told apart by their names: the kernels' own, such as parquet/..., compare what they compute \
    from random inputs with plain code on the CPU; tpch/... are the 22 TPC-H queries at scale 0.01; sql/... are \
    statements over tables of all types. With --random instead, statements \
    that nobody wrote. Queries run in a server within this process, with verify = true, and their \
    answers are compared with the CPU's. Several run side by side; one that reaches a limit of memory beside others \
    runs again alone before it counts as failed.\n\n\
    The server takes its options from the environment, as `serve` does: WARPFLIGHT_NVRTC_FOLDER=/opt/nvrtc/lib.";

/// Rows of a table of the statements: on a GPU enough for many blocks, on the emulation as few as still make several
/// partitions.
const ROWS_GPU: usize = 200_000;
const ROWS_SIM: usize = 1_500;

/// Queries that the server runs at once at least.
const QUERIES_MIN: usize = 4;
/// Jobs at once at most: each has two sessions with threads behind them.
const JOBS_MAX: u16 = 256;

/// What `warpflight selftest` takes.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes:\n  \
        0    every check passed\n  \
        1    a check failed, or the device cannot be used\n  \
        2    wrong arguments\n  \
        130  interrupted by Ctrl-C")]
pub struct SelfTestArgs {
    /// Which device; sim is in builds with the feature of this name only
    #[arg(long, value_name = "DEVICE", value_parser = ["cuda", "sim"], default_value = "cuda")]
    device: String,

    /// Only checks whose names begin so: tpch, sql/groups, parquet/
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prefix: String,

    /// How often the kernels' own checks run, each time from other random inputs
    #[arg(long, value_name = "N", default_value_t = 3)]
    seeds: u64,

    /// Give the kernels' own checks an allocation a buffer, so that compute-sanitizer sees what lies beyond it
    #[arg(long)]
    fenced: bool,

    /// Check nothing: print how fast groups are found, rows sorted and values joined
    #[arg(long)]
    rates: bool,

    /// Run so many random statements over random tables instead, and compare their answers
    #[arg(long, value_name = "N", conflicts_with_all = ["prefix", "seeds", "fenced"])]
    random: Option<u64>,

    /// What random statements and their tables are made from
    #[arg(long, value_name = "S", default_value_t = 1, requires = "random")]
    seed: u64,

    /// Of the random statements, the one of this number alone
    #[arg(long, value_name = "K", requires = "random")]
    only: Option<u64>,

    /// Count a random statement that the device does not run whole as a failure
    #[arg(long, requires = "random")]
    raise: bool,

    /// Run so many queries side by side; as many as there are CPU cores, unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=JOBS_MAX as i64))]
    jobs: Option<u16>,

    /// Begin no check later than so many seconds after the first one
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,

    /// Print a line for every check, with its time; of jobs side by side in any order
    #[arg(long, short)]
    verbose: bool,
}

impl SelfTestArgs {
    fn jobs(&self) -> usize {
        match self.jobs {
            Some(jobs) => jobs.into(),
            None => std::thread::available_parallelism()
                .map_or(1, NonZeroUsize::get)
                .min(JOBS_MAX.into()),
        }
    }
}

/// Runs the checks.
pub fn run(args: &SelfTestArgs) -> ExitCode {
    match check(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => super::report(Err(error)),
    }
}

/// Whether all checks passed.
fn check(args: &SelfTestArgs) -> Result<bool> {
    let chosen = Chosen::new(args)?;
    let folder = Folder::new()?;
    let mut served: Vec<PathBuf> = Vec::new();
    if !args.rates {
        if chosen.cases.iter().any(Case::is_tpch) {
            served.push(folder.tpch()?);
        }
        if !chosen.cases.iter().all(Case::is_tpch) {
            let rows = if args.device == "sim" { ROWS_SIM } else { ROWS_GPU };
            served.push(folder.statements(rows)?);
        }
    }
    if let Some(random) = &chosen.random {
        served.push(random::write_tables(&folder, random.seed)?);
    }
    let served: Vec<&Path> = served.iter().map(PathBuf::as_path).collect();
    let mut config = local::config(&served, &[("device".to_owned(), args.device.clone())])?;
    let jobs = args.jobs();
    // A job runs one query at a time: none waits for its turn.
    let limit = &mut config.limits.concurrent_queries_max;
    *limit = jobs.max(*limit).max(QUERIES_MIN);
    local::block_on(local::with_server(config, async |server| {
        check_all(args, chosen, jobs, server).await
    }))
}

async fn check_all(args: &SelfTestArgs, chosen: Chosen, jobs: usize, server: &LocalServer) -> Result<bool> {
    let Some(gpu) = server.core.gpus.chosen(server.core.config.engine.device)? else {
        return Err(Error::internal("a device that is the CPU"));
    };
    let info = gpu.device.info();
    print(&format!("device: {}, {}\n", info.label(), info.name))?;
    if args.rates {
        return kernel_checks::print_rates(&gpu.device).map(|()| true);
    }
    let limit = args.seconds.map(Duration::from_secs);
    let tally = Arc::new(Tally::new(chosen.checks(args.seeds), limit, args.verbose));
    if !chosen.kernels.is_empty() {
        let device = match args.fenced {
            true => kernel_checks::fenced(&gpu.device)?,
            false => gpu.device.clone(),
        };
        kernel_checks::run(&device, &chosen.kernels, args.seeds, &tally).await?;
    }
    jobs::run(server, jobs, Work::Cases(chosen.cases), &tally).await?;
    if let Some(random) = chosen.random {
        print(&format!("random statements: {random}\n"))?;
        jobs::run(server, jobs, Work::Random(random), &tally).await?;
    }
    print(&tally.summary())?;
    Ok(tally.is_well())
}
