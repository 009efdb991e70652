//! `warpflight generate`.

use std::fs;
use std::path::Path;

use super::{output, sql, stderr, stdout, warpflight};

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
