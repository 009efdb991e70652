//! `warpflight selftest`: the kernels' own checks, and queries compared with the CPU's answers, on a device of this
//! machine. In: arguments. Out: a line a failure, a summary, and an exit code that is 0 only if nothing failed.

mod cases;
mod queries;
mod random;
mod tables;

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use kernels::selftest::{self, Check};
use kernels::{Device, DeviceKind, DeviceOptions};

use super::local::{self, LocalServer, Plan};
use crate::error::{Error, Result};
use crate::error_device::on_device;
use cases::Case;
use queries::{Folder, Ran, Sessions};

/// What `--help` says.
pub(super) const ABOUT: &str = "Check the kernels, and queries that use them, on a device of this machine.\n\n\
    Three kinds of checks, told apart by their names: the kernels' own, such as parquet/..., compare what they compute \
    from random inputs with plain code on the CPU; tpch/... are the 22 TPC-H queries at scale 0.01; sql/... are \
    statements over tables of all types. With --random instead, statements \
    that nobody wrote. Queries run in a server within this process, with verify = true, and their \
    answers are compared with the CPU's.\n\n\
    The server takes its options from the environment, as `serve` does: WARPFLIGHT_NVRTC_FOLDER=/opt/nvrtc/lib.";

/// Rows of a table of the statements: on a GPU enough for many blocks, on the emulation as few as still make several
/// partitions.
const ROWS_GPU: usize = 200_000;
const ROWS_SIM: usize = 1_500;

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

    /// Print a line for every check, with its time
    #[arg(long, short)]
    verbose: bool,
}

/// Runs the checks.
pub fn run(args: &SelfTestArgs) -> ExitCode {
    match check(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => super::report(Err(error)),
    }
}

/// How the checks went so far.
struct Tally {
    verbose: bool,
    passed: usize,
    failed: usize,
    whole: usize,
    queries: usize,
    /// How many queries the CPU ran a part of, by why; a query may have several reasons.
    fallbacks: BTreeMap<String, usize>,
    /// How many queries both the device and the CPU refused, by what the device said.
    refusals: BTreeMap<String, usize>,
}

impl Tally {
    fn note(&mut self, name: &str, wall: Duration, outcome: Result<(), String>) -> Result<()> {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                if self.verbose {
                    print(&format!("ok      {name:<40} {:>9.3} s\n", wall.as_secs_f64()))?;
                }
            }
            Err(reason) => {
                self.failed += 1;
                print(&format!("FAILED  {name}: {reason}\n"))?;
            }
        }
        Ok(())
    }

    /// Notes where a query ran.
    fn placed(&mut self, plan: &Plan) {
        let reasons = match plan {
            Plan::Whole => {
                self.whole += 1;
                return;
            }
            Plan::Part(reasons) => reasons,
            Plan::None => "nothing of it is for a device",
        };
        for reason in reasons.split("; ") {
            *self.fallbacks.entry(reason.to_owned()).or_default() += 1;
        }
    }

    fn summary(&self) -> String {
        let mut text = String::new();
        if self.queries > 0 {
            text.push_str(&format!(
                "{} of {} queries ran wholly on the device\n",
                self.whole, self.queries
            ));
        }
        for (reason, count) in &self.fallbacks {
            text.push_str(&format!("  {count} with a part on the CPU: {reason}\n"));
        }
        for (reason, count) in &self.refusals {
            text.push_str(&format!("  {count} refused on both: {reason}\n"));
        }
        let all = self.passed + self.failed;
        text.push_str(&format!("{} of {all} checks passed\n", self.passed));
        text
    }
}

/// What of everything was asked for.
struct Chosen {
    kernels: Vec<Check>,
    tpch: Vec<Case>,
    statements: Vec<Case>,
    random: Option<random::Chosen>,
}

impl Chosen {
    fn new(args: &SelfTestArgs) -> Result<Self> {
        if let Some(count) = args.random {
            let (seed, only, raise) = (args.seed, args.only, args.raise);
            return Ok(Self {
                kernels: Vec::new(),
                tpch: Vec::new(),
                statements: Vec::new(),
                random: Some(random::Chosen {
                    seed,
                    count,
                    only,
                    raise,
                }),
            });
        }
        let prefix = args.prefix.as_str();
        let of = |cases: Vec<Case>| {
            cases
                .into_iter()
                .filter(|case| case.name.starts_with(prefix))
                .collect()
        };
        let kernels = selftest::checks().into_iter();
        let chosen = Self {
            kernels: kernels.filter(|check| check.name.starts_with(prefix)).collect(),
            tpch: of(cases::tpch()),
            statements: of(cases::statements()),
            random: None,
        };
        if chosen.kernels.is_empty() && chosen.tpch.is_empty() && chosen.statements.is_empty() {
            return Err(Error::sql(format!(
                "found --prefix {prefix:?}, expected the beginning of a check's name, such as tpch, sql/groups or {}",
                selftest::checks().first().map_or("prelude/", |check| check.name)
            )));
        }
        Ok(chosen)
    }
}

/// Whether all checks passed.
fn check(args: &SelfTestArgs) -> Result<bool> {
    let chosen = Chosen::new(args)?;
    let folder = Folder::new()?;
    let mut served: Vec<PathBuf> = Vec::new();
    if !chosen.tpch.is_empty() && !args.rates {
        served.push(folder.tpch()?);
    }
    if !chosen.statements.is_empty() && !args.rates {
        let rows = if args.device == "sim" { ROWS_SIM } else { ROWS_GPU };
        served.push(folder.statements(rows)?);
    }
    if let Some(random) = &chosen.random {
        served.push(random::write_tables(&folder, random.seed)?);
    }
    let runtime = local::runtime()?;
    let checked = runtime.block_on(local::interruptible(check_all(args, &chosen, &served)));
    runtime.shutdown_background();
    checked
}

async fn check_all(args: &SelfTestArgs, chosen: &Chosen, served: &[PathBuf]) -> Result<bool> {
    let served: Vec<&Path> = served.iter().map(PathBuf::as_path).collect();
    let config = local::config(&served, &[("device".to_owned(), args.device.clone())])?;
    let server = LocalServer::start(config).await?;
    let gpu = server.core.gpus.chosen(server.core.config.engine.device)?;
    let Some(gpu) = gpu else {
        return Err(Error::internal("a device that is the CPU"));
    };
    let info = gpu.device.info();
    print(&format!("device: {}, {}\n", info.label(), info.name))?;
    if args.rates {
        return print_rates(&gpu.device).map(|()| true);
    }
    let mut tally = Tally {
        verbose: args.verbose,
        passed: 0,
        failed: 0,
        whole: 0,
        queries: 0,
        fallbacks: BTreeMap::new(),
        refusals: BTreeMap::new(),
    };
    if args.fenced && !chosen.kernels.is_empty() {
        let options = DeviceOptions {
            fence_buffers: true,
            ordinal: info.ordinal,
            ..match info.kind {
                DeviceKind::Cuda => DeviceOptions::cuda(),
                DeviceKind::Sim => DeviceOptions::sim(),
            }
        };
        kernel_checks(
            &Device::open(&options).map_err(on_device)?,
            args.seeds,
            &chosen.kernels,
            &mut tally,
        )?;
    } else {
        kernel_checks(&gpu.device, args.seeds, &chosen.kernels, &mut tally)?;
    }
    let mut sessions = Sessions::open(&server).await?;
    for case in chosen.tpch.iter().chain(&chosen.statements) {
        let start = Instant::now();
        let outcome = sessions.run(case).await;
        tally.queries += 1;
        if let Ok(Ran { plan, .. }) = &outcome {
            tally.placed(plan);
        }
        let outcome = outcome
            .map(drop)
            .map_err(|reason| format!("{reason}\n        {}", case.sql));
        tally.note(&case.name, start.elapsed(), outcome)?;
    }
    if let Some(random) = chosen.random {
        random::run(random, &mut sessions, &mut tally).await?;
    }
    print(&tally.summary())?;
    Ok(tally.failed == 0)
}

/// A line a step: million rows a second, and the memory that it moves at least, in gigabytes a second.
fn print_rates(device: &Device) -> Result<()> {
    for step in selftest::measure_throughput_sync(device).map_err(on_device)? {
        let rate = step.rows_per_second();
        let moved = rate * step.floor_bytes as f64 / 1e9;
        print(&format!(
            "{:>10.1} million rows a second, {moved:>8.1} GB/s: {}, {} rows\n",
            rate / 1e6,
            step.name,
            step.rows
        ))?;
    }
    Ok(())
}

fn kernel_checks(device: &Device, seeds: u64, checks: &[Check], tally: &mut Tally) -> Result<()> {
    let mut printed = Ok(());
    for seed in 0..seeds {
        selftest::run(device, checks, seed, |outcome| {
            let reason = outcome.result.clone().map_err(|failure| failure.0);
            let noted = tally.note(
                &format!("{}, seed {}", outcome.name, outcome.seed),
                outcome.wall,
                reason,
            );
            if let Err(error) = noted {
                printed = Err(error);
            }
        });
    }
    printed
}

fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::data(format!("standard output: {error}")))
}
