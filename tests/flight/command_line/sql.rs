//! `warpflight sql`.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use arrow::ipc::reader::FileReader;
use warpflight_tests::certificates::Certificates;
use warpflight_tests::target::server_binary;

use super::{output, sql, stderr, stdout, warpflight};
use crate::signing_in::{PASSWORD, with_users};
use crate::{shared_server, tpch_server};

fn fed(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} cannot start: {error}"));
    child
        .stdin
        .take()
        .expect("standard input is a pipe")
        .write_all(input.as_bytes())
        .expect("it reads its input");
    child.wait_with_output().expect("it ends")
}

const QUERY: &str = "select n_nationkey as key, n_name as name, \
                     case when n_nationkey > 0 then n_regionkey end as region from nation order by 1 limit 2";

#[test]
fn csv() {
    let server = shared_server();
    let printed = stdout(&output(sql(&server).arg(QUERY)));
    assert_eq!(
        printed, "key,name,region\n0,ALGERIA,\n1,ARGENTINA,1\n",
        "CSV is the default of a pipe"
    );
    let printed = stdout(&output(
        sql(&server).args(["--format", "csv", "--null", "-", QUERY]),
    ));
    assert_eq!(printed, "key,name,region\n0,ALGERIA,-\n1,ARGENTINA,1\n");
    let quoted = stdout(&output(sql(&server).arg("select 'a,\"b' as x, 'c\nd' as y")));
    assert_eq!(quoted, "x,y\n\"a,\"\"b\",\"c\nd\"\n");
}

#[test]
fn json_lines() {
    let server = shared_server();
    let printed = stdout(&output(sql(&server).args(["--format", "json", QUERY])));
    let lines: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["name"], "ARGENTINA");
    assert!(
        lines[0].get("region").is_none_or(serde_json::Value::is_null),
        "{}",
        lines[0]
    );
}

#[test]
fn table() {
    let server = shared_server();
    let printed = stdout(&output(sql(&server).args(["--format", "table", QUERY])));
    for word in ["key", "name", "ALGERIA", "ARGENTINA", "NULL"] {
        assert!(printed.contains(word), "{printed}");
    }
    let widths: Vec<usize> = printed
        .lines()
        .filter(|line| line.contains("A"))
        .map(|line| line.chars().count())
        .collect();
    assert!(
        widths.windows(2).all(|pair| pair[0] == pair[1]),
        "not aligned:\n{printed}"
    );
}

#[test]
fn arrow_file() {
    let server = shared_server();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("lines.arrow");
    let command = &mut sql(&server);
    command
        .args(["--format", "arrow", "--output"])
        .arg(&path)
        .arg("select * from lineitem");
    let done = output(command);
    assert!(done.status.success(), "{}", stderr(&done));
    assert!(done.stdout.is_empty());
    let reader =
        FileReader::try_new(fs::File::open(&path).expect("it was written"), None).expect("it is Arrow");
    let rows: usize = reader
        .map(|batch| batch.expect("it can be read").num_rows())
        .sum();
    assert_eq!(rows, 60_175);
    let failed = output(
        sql(&server)
            .args(["--format", "arrow", "-o"])
            .arg(folder.path().join("x"))
            .arg("select no"),
    );
    assert!(
        !failed.status.success() && !folder.path().join("x").exists(),
        "a failure leaves no file"
    );
}

#[test]
fn from_standard_input_and_files() {
    let server = shared_server();
    assert_eq!(stdout(&fed(&mut sql(&server), "select 1 as a")), "a\n1\n");
    let script =
        "create table t (a int);\ninsert into t values (1), (2); -- two rows\nselect sum(a) as s from t;\n";
    let done = fed(&mut sql(&server), script);
    assert_eq!(stdout(&done), "s\n3\n");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("script.sql");
    fs::write(&path, "select 1 as a;\nselect ';' as b").expect("a file can be written");
    assert_eq!(
        stdout(&output(sql(&server).arg("--file").arg(&path))),
        "a\n1\n\nb\n;\n"
    );
    fs::write(
        &path,
        "select 1 as a;\n\nselect no_such_column from nation;\nselect 2 as never",
    )
    .expect("written");
    let failed = output(sql(&server).arg("-f").arg(&path));
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&failed.stdout).trim_end(),
        "a\n1",
        "what came before stays, nothing comes after"
    );
    assert!(
        stderr(&failed).contains("script.sql") && stderr(&failed).contains("no_such_column"),
        "{}",
        stderr(&failed)
    );
}

#[test]
fn exit_codes() {
    let server = shared_server();
    let code = |command: &mut Command| output(command).status.code().expect("it exits by itself");
    assert_eq!(code(sql(&server).arg("select 1")), 0);
    assert_eq!(code(sql(&server).arg("select no_such_column")), 1);
    assert_eq!(code(sql(&server).args(["--format", "xml", "select 1"])), 2);
    assert_eq!(
        code(warpflight().args(["sql", "--url", "ftp://x", "select 1"])),
        2
    );
    assert_eq!(
        code(warpflight().args(["sql", "--url", "grpc://127.0.0.1:1", "select 1"])),
        3
    );
    assert_eq!(code(sql(&server).arg("")), 2);
    let locked = with_users(tpch_server()).start();
    assert_eq!(code(sql(&locked).arg("select 1")), 4);
    assert_eq!(
        code(sql(&locked).args(["--user", "ana", "--password", "wrong", "select 1"])),
        4
    );
    assert_eq!(
        code(sql(&locked).args(["--user", "ana", "--password", PASSWORD, "select 1"])),
        0
    );
    let by_environment = &mut sql(&locked);
    by_environment
        .env("WARPFLIGHT_USER", "ana")
        .env("WARPFLIGHT_PASSWORD", PASSWORD)
        .arg("select 1");
    assert_eq!(code(by_environment), 0);
}

#[test]
fn an_error_points_at_its_place() {
    let server = shared_server();
    let failed = output(sql(&server).arg("select n_name\nfrom nation\nwhere where"));
    let said = stderr(&failed);
    assert!(said.contains("where where") && said.contains('^'), "{said}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let server = shared_server();
    let pipeline = format!(
        "set -o pipefail; {} sql --url {} 'select value from generate_series(1, 100000000)' | head -n 3",
        server_binary().display(),
        server.url()
    );
    let done = output(Command::new("bash").args(["-c", &pipeline]));
    assert_eq!(stdout(&done), "value\n1\n2\n");
}

#[test]
fn over_tls() {
    let certificates = Certificates::new();
    let server = tpch_server().args(certificates.server_args()).start();
    let done = output(
        sql(&server)
            .arg("--ca-file")
            .arg(certificates.path("ca.pem"))
            .arg("select 1 as a"),
    );
    assert_eq!(stdout(&done), "a\n1\n");
    let untrusted = output(sql(&server).arg("select 1"));
    assert_eq!(untrusted.status.code(), Some(3));
    assert!(stderr(&untrusted).contains("--ca-file"), "{}", stderr(&untrusted));
    assert_eq!(
        stdout(&output(
            sql(&server).args(["--insecure-skip-verify", "select 1 as a"])
        )),
        "a\n1\n"
    );
}

#[test]
fn an_interrupt_cancels_the_query() {
    let server = tpch_server().start();
    let child = sql(&server)
        .arg(
            "select sum(a.value * b.value) from generate_series(1, 1000000) a, generate_series(1, 1000000) b",
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let second = std::time::Duration::from_secs(1);
    server.wait_metric("warpflight_queries_running", 10 * second, |running| {
        running == 1.0
    });
    let kill = Command::new("sh")
        .args(["-c", &format!("kill -INT {}", child.id())])
        .status();
    assert!(kill.expect("sh can be started").success());
    server.wait_metric("warpflight_queries_running", 2 * second, |running| running == 0.0);
    let done = child.wait_with_output().expect("it ends");
    assert_eq!(done.status.code(), Some(130), "{}", stderr(&done));
}
