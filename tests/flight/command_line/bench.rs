//! `warpflight bench`.

use super::{output, stderr, stdout, warpflight};
use crate::shared_server;

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

    // DuckDB publishes the answers at this scale too (extension/tpch/dbgen/answers/sf0.01), here as the kit writes them.
    let answers = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |revenue: &str| {
        let text = format!("revenue                  \n{revenue:<25}\n");
        std::fs::write(answers.path().join("q6.out"), text).expect("the folder can be written");
    };
    let published = || {
        let mut command = warpflight();
        command.args([
            "bench", "tpch", "--scale", "0.01", "--device", "sim", "--runs", "0", "--data",
        ]);
        command.arg(folder.path()).arg("--answers").arg(answers.path());
        command
    };
    write("1193053.23");
    let printed = stdout(&output(published().args(["--queries", "6", "--no-check"])));
    assert!(printed.contains("  equal\n"), "{printed}");
    write("1193053.22");
    let wrong = output(published().args(["--queries", "6"]));
    assert_eq!(wrong.status.code(), Some(1));
    let printed = String::from_utf8_lossy(&wrong.stdout);
    assert!(printed.contains("WRONG: published: column revenue"), "{printed}");
    let missing = output(published().args(["--queries", "6,14"]));
    assert_ne!(missing.status.code(), Some(0));
    assert!(stderr(&missing).contains("q14.out"), "{}", stderr(&missing));

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
