//! `warpflight bench`: queries timed through the server's own client. In: arguments. Out: a line a query, and an exit
//! code that is 0 only if every answer was right.

mod agreement;
mod args;
mod data;
mod duckdb;
mod measure;
mod profile;
mod published;
mod report;

use std::io::{Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;

use kernels::selftest::{Rates, measure_rates_sync};

pub use args::BenchArgs;

use args::{Engine, Mode, TpchArgs, What};
use data::Files;
use duckdb::DuckDb;
use measure::{Bench, Check};
use published::Published;
use report::Report;

use super::local::{self, LocalServer, Session};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::error_device::on_device;
use crate::observe::units;

/// Where the data lies unless `--data` says otherwise, below the system's temporary directory.
const FOLDER: &str = "warpflight-bench";

/// Measures what the arguments ask for.
pub fn run(args: &BenchArgs) -> ExitCode {
    let What::Tpch(args) = &args.what;
    match tpch(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => super::report(Err(error)),
    }
}

/// Prepares the data and measures; whether every query ran and was right.
fn tpch(args: &TpchArgs) -> Result<bool> {
    args.check()?;
    let queries = args.queries()?;
    let published = args
        .answers
        .as_deref()
        .map(|folder| Published::read(folder, &queries));
    let published = published.transpose()?;
    let files = match (&args.url, &args.data) {
        (Some(_), None) => None,
        (Some(_), Some(folder)) => Some(Files::open(folder)?),
        (None, data) => {
            let data = data.clone().unwrap_or_else(|| std::env::temp_dir().join(FOLDER));
            Some(Files::open(&data::prepare(&data, args.scale, args.layout)?)?)
        }
    };
    local::block_on(async {
        match (&args.url, &files) {
            (None, Some(own)) => {
                let config = local::config(&[&own.folder], &flags(args))?;
                local::with_server(config, async |server| {
                    measure(args, Some(server), files, published).await
                })
                .await
            }
            _ => local::interruptible(measure(args, None, files, published)).await,
        }
    })
}

/// Measures a server of this process, or the one at the URL.
async fn measure(
    args: &TpchArgs,
    server: Option<&LocalServer>,
    files: Option<Files>,
    published: Option<Published>,
) -> Result<bool> {
    let url = match server {
        Some(server) => server.url().to_owned(),
        None => args.url.clone().unwrap_or_default(),
    };
    let mut session = Session::open(&url).await?;
    if let (Some(_), Some(device)) = (&args.url, &args.device) {
        session.set("device", device).await?;
    }
    let cpu = match args.no_check {
        true => None,
        false => Some(on_cpu(&url).await?),
    };
    let (device, rates) = match server {
        Some(server) => device(&server.core)?,
        None => (format!("that of {url}"), None),
    };
    let described = files.as_ref().map_or("those of the server".into(), describe);
    if let (Mode::Warm, Some(files)) = (args.mode, &files) {
        files.warm()?;
    }
    let duckdb = files.as_ref().and_then(|files| duckdb(args, files));
    let mut bench = Bench {
        args,
        files,
        session,
        cpu,
        duckdb,
        published,
    };
    let mut report = Report::new(args, device, rates);
    print(&report.head(&described))?;
    for query in args.queries()? {
        let line = match bench.measure(query).await {
            Ok(measured) => {
                if let Check::Wrong(difference) = &measured.check {
                    tracing::error!(query = query.number(), difference, "wrong answer");
                }
                report.query(&measured)
            }
            Err(error) => report.failure(query.number(), error.message()),
        };
        print(&line)?;
    }
    let (sums, well) = report.end();
    print(&sums)?;
    Ok(well)
}

/// What the arguments set of the server's options.
fn flags(args: &TpchArgs) -> Vec<(String, String)> {
    let device = args.device.clone().map(|device| ("device".to_owned(), device));
    device.into_iter().collect()
}

/// A session on the CPU.
async fn on_cpu(url: &str) -> Result<Session> {
    let mut session = Session::open(url).await?;
    session.set("device", "cpu").await?;
    Ok(session)
}

/// What the server runs on, and the rates of a GPU. Measured before the first query, while nothing else runs.
fn device(core: &Core) -> Result<(String, Option<Rates>)> {
    let Some(gpu) = core.gpus.chosen(core.config.engine.device)? else {
        let threads = crate::session::context::cpu_threads(&core.config);
        return Ok((format!("CPU, {threads} threads"), None));
    };
    let info = gpu.device.info();
    let name = format!("{}, {}", info.label(), info.name);
    let rates = match info.kind {
        kernels::DeviceKind::Cuda => Some(measure_rates_sync(&gpu.device).map_err(on_device)?),
        kernels::DeviceKind::Sim => None,
    };
    Ok((name, rates))
}

fn describe(files: &Files) -> String {
    format!(
        "{}, {} files, {}",
        files.folder.display(),
        files.count(),
        units::bytes(files.bytes())
    )
}

/// DuckDB, if it was asked for and is there. Without it the rest is worth measuring all the same.
fn duckdb(args: &TpchArgs, files: &Files) -> Option<DuckDb> {
    if !args.against.contains(&Engine::Duckdb) {
        return None;
    }
    let python: &Path = &args.python;
    match DuckDb::start(python, files, args.mode == Mode::Cold) {
        Ok(duckdb) => {
            note(&format!("against DuckDB {}", duckdb.version));
            Some(duckdb)
        }
        Err(error) => {
            note(&format!("without DuckDB: {error}; --python names another Python"));
            None
        }
    }
}

/// One line to standard error; there is nothing to do if that is closed.
fn note(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::data(format!("standard output: {error}")))
}
