//! The binary's other commands as scripts use them: `sql`, `generate tpch`, `hash-password`, `doctor`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use arrow::ipc::reader::FileReader;
use warpflight_tests::certificates::Certificates;
use warpflight_tests::server::Server;
use warpflight_tests::target::server_binary;

use crate::signing_in::{PASSWORD, with_users};
use crate::{shared_server, tpch_server};

fn warpflight() -> Command {
    let mut command = Command::new(server_binary());
    for name in [
        "WARPFLIGHT_URL",
        "WARPFLIGHT_USER",
        "WARPFLIGHT_PASSWORD",
        "WARPFLIGHT_TOKEN",
    ] {
        command.env_remove(name);
    }
    command
}

fn sql(server: &Server) -> Command {
    let mut command = warpflight();
    command.args(["sql", "--url", server.url()]);
    command
}

fn output(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot start: {error}"))
}

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

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", output.status, stderr(output));
    String::from_utf8(output.stdout.clone()).expect("it prints text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
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

fn parquet_files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            files.extend(parquet_files(&path));
        } else {
            files.push(path.strip_prefix(folder).unwrap_or(&path).display().to_string());
        }
    }
    files
}

#[test]
fn generate_tpch() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let out = folder.path().join("tpch");
    let generate = || {
        let mut command = warpflight();
        command
            .args(["generate", "tpch", "--scale", "0.001", "--out"])
            .arg(&out);
        command
    };
    assert!(output(&mut generate()).status.success());
    assert_eq!(parquet_files(&out).len(), 8);
    let again = output(&mut generate());
    assert!(
        !again.status.success() && stderr(&again).contains("--overwrite"),
        "{}",
        stderr(&again)
    );
    assert!(output(generate().arg("--overwrite")).status.success());

    let split = folder.path().join("split");
    let done = output(
        warpflight()
            .args([
                "generate",
                "tpch",
                "--scale",
                "0.001",
                "--files",
                "3",
                "--compression",
                "zstd(3)",
            ])
            .args([
                "--tables",
                "orders,lineitem",
                "--row-group-bytes",
                "64KiB",
                "--out",
            ])
            .arg(&split),
    );
    assert!(done.status.success(), "{}", stderr(&done));
    assert_eq!(parquet_files(&split.join("orders")).len(), 3);
    let server = warpflight_tests::server::Options::new().data(&split).start();
    let count = "select (select count(*) from orders) as orders, (select count(*) from lineitem) as lines";
    let printed = stdout(&output(sql(&server).arg(count)));
    assert_eq!(printed.lines().nth(1), Some("1500,6005"), "{printed}");

    for bad in [
        vec!["--scale", "-1"],
        vec!["--scale", "much"],
        vec!["--scale", "1", "--compression", "rar"],
    ] {
        let refused = output(
            warpflight()
                .args(["generate", "tpch", "--out"])
                .arg(folder.path().join("x"))
                .args(&bad),
        );
        assert_eq!(refused.status.code(), Some(2), "{bad:?}: {}", stderr(&refused));
    }
}

#[test]
fn doctor() {
    let server = shared_server();
    let data = warpflight_tests::data::tpch(crate::SCALE).display().to_string();
    let done = output(warpflight().args(["doctor", "--data", &data, "--listen", server.address()]));
    let said = String::from_utf8_lossy(&done.stdout).to_lowercase();
    for word in ["cpu", "memory", "gpu", "driver", "port", "nation"] {
        assert!(
            said.contains(word),
            "expected {word:?} in\n{said}{}",
            stderr(&done)
        );
    }
}

#[test]
fn help_and_version() {
    for command in [
        vec!["--help"],
        vec!["serve", "--help"],
        vec!["sql", "--help"],
        vec!["generate", "tpch", "--help"],
        vec!["bench", "tpch", "--help"],
        vec!["selftest", "--help"],
        vec!["kernels", "build", "--help"],
    ] {
        let printed = stdout(&output(warpflight().args(&command)));
        assert!(printed.contains("Usage"), "{command:?}: {printed}");
    }
    assert!(stdout(&output(warpflight().arg("--version"))).starts_with("warpflight "));
    assert_eq!(output(warpflight().arg("no-such-command")).status.code(), Some(2));
}

#[test]
fn bench_tpch() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let bench = || {
        let mut command = warpflight();
        command.args(["bench", "tpch", "--scale", "0.01", "--queries", "1,6", "--data"]);
        command.arg(folder.path());
        command
    };
    let printed = stdout(&output(
        bench().args(["--device", "sim", "--runs", "1", "--json"]),
    ));
    let lines: Vec<serde_json::Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect();
    assert_eq!(lines.len(), 3, "{printed}");
    for (line, query, rows) in [(&lines[0], 1, 4), (&lines[1], 6, 1)] {
        assert_eq!((&line["query"], &line["rows"]), (&query.into(), &rows.into()));
        assert_eq!(
            (&line["gpu"], &line["answer"]),
            (&"all".into(), &"equal".into()),
            "{line}"
        );
        assert!(
            line["median_s"].as_f64().is_some_and(|seconds| seconds > 0.0),
            "{line}"
        );
        assert!(
            line["scan_bytes"].as_u64().is_some_and(|bytes| bytes > 10_000),
            "{line}"
        );
    }
    assert_eq!(lines[2]["sum"]["wholly_on_gpu"], 2);

    // The data is there now, cold and on the CPU, and a DuckDB that is not there is no failure.
    let mut cold = bench();
    cold.args([
        "--device",
        "cpu",
        "--runs",
        "0",
        "--mode",
        "cold",
        "--against",
        "duckdb",
        "--python",
        "/no/python",
    ]);
    let done = output(&mut cold);
    assert!(
        stderr(&done).contains("without DuckDB") && !stderr(&done).contains("file(s)"),
        "{}",
        stderr(&done)
    );
    let printed = stdout(&done);
    assert!(
        printed.contains("\nQ1 ") && printed.contains("\nsum "),
        "{printed}"
    );

    let refused = output(bench().args(["--mode", "hot"]));
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("keeps no data on the device"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn bench_of_another_server() {
    let server = shared_server();
    let mut bench = warpflight();
    bench.args([
        "bench",
        "tpch",
        "--scale",
        crate::SCALE,
        "--queries",
        "6",
        "--runs",
        "0",
        "--device",
        "cpu",
    ]);
    let printed = stdout(&output(bench.args(["--url", server.url()])));
    assert!(
        printed.contains(server.url()) && printed.contains("\nQ6 "),
        "{printed}"
    );
}

#[test]
fn selftest() {
    let selftest = |prefix: &str| {
        let mut command = warpflight();
        command.args(["selftest", "--device", "sim", "--seeds", "1", "--prefix", prefix]);
        output(&mut command)
    };
    let printed = stdout(&selftest("device/"));
    assert!(printed.ends_with("4 of 4 checks passed\n"), "{printed}");
    let printed = stdout(&selftest("sql/limits"));
    assert!(printed.contains("queries ran wholly on the device"), "{printed}");
    assert!(printed.ends_with("3 of 3 checks passed\n"), "{printed}");
    let printed = stdout(&selftest("tpch/q06"));
    assert!(
        printed.contains("1 of 1 queries ran wholly on the device"),
        "{printed}"
    );
    let unknown = selftest("no such check");
    assert_eq!(unknown.status.code(), Some(2), "{}", stderr(&unknown));
}

/// The seed is fixed, so that a failure is met again; `warpflight selftest --random N --seed S` tries others.
#[test]
fn random_statements() {
    let mut command = warpflight();
    command.args(["selftest", "--device", "sim", "--random", "300", "--seed", "1"]);
    let run = output(&mut command);
    let printed = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{printed}{}", stderr(&run));
    assert!(
        printed.contains("random statements: --random 300 --seed 1"),
        "{printed}"
    );
    assert!(printed.ends_with("300 of 300 checks passed\n"), "{printed}");
}

#[test]
fn kernels_build() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let build = |arguments: &[&str]| {
        let mut command = warpflight();
        command.args(["kernels", "build", "--cache"]).arg(folder.path());
        output(command.args(arguments))
    };
    let refused = build(&["--arch", "90"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    let no_compiler = build(&["--arch", "sm_90", "--nvrtc-folder", "/no/such/folder"]);
    assert_eq!(no_compiler.status.code(), Some(1));
    assert!(
        stderr(&no_compiler).contains("/no/such/folder"),
        "{}",
        stderr(&no_compiler)
    );
}
