//! SQL logic tests: every file under `cases` on the server, through a Flight client, and on DuckDB.
//!
//! `cargo test --test sql [WORD...]` runs the files whose name contains a word. With `WARPFLIGHT_SLT_BLESS=1`
//! the files are first rewritten with the server's results, and with DuckDB's beside them where they differ; the
//! run fails until every difference has its reason written above it.

#![allow(
    clippy::print_stdout,
    reason = "the numbers of statements are this test's report"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use warpflight_tests::server::Options;
use warpflight_tests::slt::Result;
use warpflight_tests::slt::data::ensure_tables;
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
    let tables = table_names(&data)?;
    let server = Options::new().data(&data).start();
    let url = format!("http://{}", server.address());
    let duckdb = DuckDbProcess::start(&data)?;
    let bless = std::env::var_os("WARPFLIGHT_SLT_BLESS").is_some_and(|value| value == "1");

    let (mut statement_count, mut table_query_count, mut checked_count, mut failure_count) = (0, 0, 0, 0);
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let started = Instant::now();
        if bless {
            accept_results(file, || FlightDb::connect(&url)).await?;
            split_disagreements(file, "duckdb", || async { duckdb.connect() }).await?;
        }
        let ours = run_file(file, || FlightDb::connect(&url), Role::UnderTest, &tables).await?;
        let theirs = run_file(file, || async { duckdb.connect() }, Role::Reference, &tables).await?;
        println!(
            "{name:<32} {:>4} statements, {:>4} read a table, {:>4} checked on DuckDB, {:.1} s",
            ours.statement_count,
            ours.table_query_count,
            theirs.statement_count,
            started.elapsed().as_secs_f32()
        );
        for (engine, failures) in [("warpflight", &ours.failures), ("duckdb", &theirs.failures)] {
            for failure in failures {
                println!("FAILED on {engine}: {failure}\n");
            }
        }
        let unexplained_count = std::fs::read_to_string(file)?.matches(UNEXPLAINED).count();
        if unexplained_count > 0 {
            println!("FAILED: {unexplained_count} differences are not explained");
        }
        statement_count += ours.statement_count;
        table_query_count += ours.table_query_count;
        checked_count += theirs.statement_count;
        failure_count += ours.failures.len() + theirs.failures.len() + unexplained_count;
    }
    println!(
        "{} files: {statement_count} statements, {table_query_count} read a table, {checked_count} checked on DuckDB, {failure_count} failed",
        files.len()
    );
    if words.is_empty() && statement_count < STATEMENT_COUNT_MIN {
        println!("expected at least {STATEMENT_COUNT_MIN} statements");
        return Ok(ExitCode::FAILURE);
    }
    Ok(if failure_count == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
