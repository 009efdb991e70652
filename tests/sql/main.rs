//! SQL logic tests: every file under `cases` on the server, through a Flight client, and on DuckDB.
//!
//! `cargo test --test sql [WORD...]` runs the files whose name contains a word. With `WARPFLIGHT_SLT_BLESS=1`
//! the files are first rewritten with the server's results, and with DuckDB's beside them where they differ; the
//! run fails until every difference has its reason written above it. `README.md` here says how a file is written.
//!
//! Then the files run again on a server whose device is `sim`, where the GPU's kernels answer: the same results, and a
//! list of what the device did not run whole. `WARPFLIGHT_SLT_DEVICE` names another device, or `none`.

#![allow(
    clippy::print_stdout,
    reason = "the numbers of statements are this test's report"
)]

use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use warpflight_tests::server::Options;
use warpflight_tests::slt::Result;
use warpflight_tests::slt::data::ensure_tables;
use warpflight_tests::slt::device::{DeviceDb, Tally};
use warpflight_tests::slt::duckdb::DuckDbProcess;
use warpflight_tests::slt::flight::FlightDb;
use warpflight_tests::slt::script::{Role, UNEXPLAINED, accept_results, run_file, split_disagreements};

/// A run over all files with fewer statements has lost some.
const STATEMENT_COUNT_MIN: usize = 1000;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let files = case_files(&words)?;
    if std::env::args().any(|word| word == "--list") || files.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let data = ensure_tables();
    let server = Options::new().data(&data).start();
    let engines = Engines {
        url: format!("http://{}", server.address()),
        duckdb: DuckDbProcess::start(&data)?,
        tables: table_names(&data)?,
    };
    let bless = std::env::var_os("WARPFLIGHT_SLT_BLESS").is_some_and(|value| value == "1");

    let mut total = Counts::default();
    for file in &files {
        if bless {
            engines.bless(file).await?;
        }
        total += engines.check(file).await?;
    }
    println!("{} files: {total}", files.len());
    total += on_device(&files, &data, &engines.tables).await?;
    if words.is_empty() && total.statements < STATEMENT_COUNT_MIN {
        println!("expected at least {STATEMENT_COUNT_MIN} statements");
        return Ok(ExitCode::FAILURE);
    }
    Ok(if total.failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The server, DuckDB, and the tables that both read.
struct Engines {
    url: String,
    duckdb: Arc<DuckDbProcess>,
    tables: Vec<String>,
}

impl Engines {
    /// Runs a file on both engines and prints what came of it.
    async fn check(&self, file: &Path) -> Result<Counts> {
        let started = Instant::now();
        let ours = run_file(
            file,
            || FlightDb::connect(&self.url),
            Role::UnderTest,
            &self.tables,
        )
        .await?;
        let theirs = run_file(
            file,
            || async { self.duckdb.connect() },
            Role::Reference,
            &self.tables,
        )
        .await?;
        let unexplained = std::fs::read_to_string(file)?.matches(UNEXPLAINED).count();
        let counts = Counts {
            statements: ours.statement_count,
            table_queries: ours.table_query_count,
            checked: theirs.statement_count,
            failures: ours.failures.len() + theirs.failures.len() + unexplained,
        };
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        println!("{name:<24} {counts}, {:.1} s", started.elapsed().as_secs_f32());
        for (engine, failures) in [("warpflight", ours.failures), ("DuckDB", theirs.failures)] {
            for failure in failures {
                println!("FAILED on {engine}: {failure}\n");
            }
        }
        if unexplained > 0 {
            println!("FAILED: {unexplained} differences are not explained");
        }
        Ok(counts)
    }

    async fn bless(&self, file: &Path) -> Result<()> {
        accept_results(file, || FlightDb::connect(&self.url)).await?;
        split_disagreements(file, "duckdb", || async { self.duckdb.connect() }).await
    }
}

/// What ran, of one file or of all.
#[derive(Debug, Default)]
struct Counts {
    statements: usize,
    table_queries: usize,
    checked: usize,
    failures: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.statements += other.statements;
        self.table_queries += other.table_queries;
        self.checked += other.checked;
        self.failures += other.failures;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            statements,
            table_queries,
            checked,
            failures,
        } = self;
        write!(
            formatter,
            "{statements:>4} statements, {table_queries:>4} read a table, {checked:>4} checked on DuckDB, {failures} failed"
        )
    }
}

/// Files whose results are plans, settings and messages of the CPU's operators.
const CPU_FILES: [&str; 3] = ["explain.slt", "settings.slt", "errors.slt"];

/// Runs the files on a server whose queries run on a device, and prints what the device did not run whole.
async fn on_device(files: &[PathBuf], data: &Path, tables: &[String]) -> Result<Counts> {
    let device = std::env::var("WARPFLIGHT_SLT_DEVICE").unwrap_or_else(|_| "sim".into());
    if device == "none" {
        println!("skipped: the same on a device (WARPFLIGHT_SLT_DEVICE is none)");
        return Ok(Counts::default());
    }
    let server = Options::new()
        .data(data)
        .env("WARPFLIGHT_DEVICE", &device)
        .start();
    let url = format!("http://{}", server.address());
    let tables = Arc::new(tables.to_vec());
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut total = Counts::default();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if CPU_FILES.contains(&&*name) {
            continue;
        }
        let started = Instant::now();
        let connect = || DeviceDb::connect(&url, Arc::clone(&tables), Arc::clone(&tally));
        let outcome = run_file(file, connect, Role::OnDevice, &tables).await?;
        let counts = Counts {
            failures: outcome.failures.len(),
            ..Counts::default()
        };
        println!(
            "{name:<24} on {device}: {:>4} statements, {} failed, {:.1} s",
            outcome.statement_count,
            counts.failures,
            started.elapsed().as_secs_f32()
        );
        for failure in outcome.failures {
            println!("FAILED on {device}: {failure}\n");
        }
        total += counts;
    }
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    println!(
        "on {device}: {} queries that read a table ran wholly there, {} in part:",
        tally.whole,
        tally.fallen_back()
    );
    for (reason, count) in &tally.fallbacks {
        println!("{count:>6}  {reason}");
    }
    Ok(total)
}

fn case_files(words: &[String]) -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/cases");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".slt")
            && (words.is_empty() || words.iter().any(|word| name.contains(word.as_str())))
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn table_names(data: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(data)? {
        names.push(
            entry?
                .path()
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        );
    }
    Ok(names)
}
