//! Golden plans: SQL in, what `EXPLAIN` says of its physical plan out.
//!
//! A file under `cases` has blocks with an empty line between them: a comment, a statement or `tpch N`, a line `----`, and the
//! plan, a pipeline a line. `WARPFLIGHT_PLANS_BLESS=1` writes the plans that there are now. They are made on one partition for an
//! emulated device, over TPC-H at scale 0.01, so that no machine has others.

#![allow(
    clippy::print_stdout,
    reason = "how many plans were equal stands in a test's output"
)]

use std::fs;
use std::path::{Path, PathBuf};

use warpflight_tests::client::{Client, column_text};
use warpflight_tests::data;
use warpflight_tests::server::Options;

const SCALE: &str = "0.01";
const SEPARATOR: &str = "----";

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_as_written() {
    let server = Options::new()
        .data(data::tpch(SCALE))
        .env("WARPFLIGHT_DEVICE", "sim")
        .env("WARPFLIGHT_CPU_PARTITIONS", "1")
        .start();
    let mut client = Client::connect(&server).await;
    let bless = std::env::var_os("WARPFLIGHT_PLANS_BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for path in case_files() {
        let text = fs::read_to_string(&path).expect("a case can be read");
        let mut blocks = Vec::new();
        for block in text.trim_end().split("\n\n") {
            let head = head_of(block);
            let plan = plan(&mut client, &statement(head)).await;
            blocks.push(format!("{head}\n{SEPARATOR}\n{plan}"));
        }
        let found = blocks.join("\n\n") + "\n";
        if bless {
            fs::write(&path, &found).expect("a case can be written");
        }
        let differing = text.split("\n\n").zip(found.split("\n\n"));
        let differing: Vec<String> = differing
            .filter(|(expected, found)| expected.trim_end() != found.trim_end())
            .map(|(expected, found)| format!("expected:\n{expected}\nfound:\n{found}"))
            .collect();
        println!(
            "{}: {} of {} differ",
            path.display(),
            differing.len(),
            blocks.len()
        );
        if !bless {
            wrong.extend(differing);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn case_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/cases");
    let entries = fs::read_dir(folder).expect("the cases can be listed");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// A block's comment and statement.
fn head_of(block: &str) -> &str {
    let line = format!("\n{SEPARATOR}");
    block.split(&line).next().unwrap_or(block).trim_end()
}

/// A block's statement, those of TPC-H by their number.
fn statement(head: &str) -> String {
    let lines: Vec<&str> = head.lines().filter(|line| !line.starts_with("--")).collect();
    let sql = lines.join("\n");
    match sql.strip_prefix("tpch ") {
        Some(number) => {
            let name = format!("../server/src/tpch/queries/q{number:0>2}.sql");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            fs::read_to_string(path).expect("a query of TPC-H")
        }
        None => sql,
    }
}

async fn plan(client: &mut Client, sql: &str) -> String {
    let comments = |line: &&str| !line.starts_with("--");
    let sql: Vec<&str> = sql.lines().filter(comments).collect();
    let rows = client
        .rows(&format!("explain {}", sql.join("\n")))
        .await
        .expect("it is planned");
    let (kinds, plans) = (column_text(rows.column(0)), column_text(rows.column(1)));
    let physical = kinds.iter().position(|kind| kind == "physical_plan");
    let plan = &plans[physical.expect("there is a physical plan")];
    let line = |line: &str| {
        let indent = " ".repeat(line.len() - line.trim_start().len() + 4);
        line.replace("; p", &format!("\n{indent}p"))
            .replace("pipelines=[p0", &format!("pipelines=[\n{indent}p0"))
    };
    plan.trim_end().lines().map(line).collect::<Vec<_>>().join("\n")
}
