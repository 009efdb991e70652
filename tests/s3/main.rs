//! Tables in an S3 store: a real server of the protocol, started by the tests.

mod pruning;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use store::Store;
use tempfile::TempDir;
use tonic::Code;
use warpflight_tests::client::Client;
use warpflight_tests::data::{self, write_parquet};
use warpflight_tests::server::{Options, Server};

const BUCKET: &str = "warehouse";
const READ_BYTES: &str = "warpflight_store_read_bytes_total";
const NOISE: u64 = 0x9e37_79b9_7f4a_7c15;

fn tpch_file(table: &str) -> PathBuf {
    let folder = data::tpch("0.01");
    let file = folder.join(format!("{table}.parquet"));
    assert!(file.exists(), "{} is not there", file.display());
    file
}

fn numbers(from: i64, to: i64) -> RecordBatch {
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
    // Noise, so that the file is large and a pruned read shows.
    let noise = (from..to).map(|n| format!("{:x}", (n as u64).wrapping_mul(NOISE)));
    let s: ArrayRef = Arc::new(StringArray::from_iter_values(noise));
    RecordBatch::try_from_iter([("n", n), ("s", s)]).expect("the columns are equally long")
}

/// The file of a batch, in a folder that must live as long as it is needed.
fn file_of(folder: &TempDir, name: &str, batch: &RecordBatch, row_group_rows: usize) -> PathBuf {
    let path = folder.path().join(name);
    write_parquet(&path, batch, row_group_rows);
    path
}

fn server(store: &Store, args: &[&str]) -> Server {
    Options::new().config(&store.config()).args(args).start()
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_by_data_and_configuration() {
    let store = Store::start(BUCKET);
    let (nation, lineitem) = (tpch_file("nation"), tpch_file("lineitem"));
    let objects = [
        ("tpch/nation.parquet", &*nation),
        ("lines/1.parquet", &*lineitem),
        ("lines/2.parquet", &*lineitem),
    ];
    store.put(BUCKET, objects);
    let server = Options::new()
        .config(&store.config())
        .config("[[table]]\nname = \"lines\"\nlocation = \"s3://warehouse/lines/\"")
        .args(["--data", "s3://warehouse/tpch/nation.parquet"])
        .start();
    let mut client = Client::connect(&server).await;
    assert_eq!(
        client
            .value("select count(*) from nation")
            .await
            .expect("it is served"),
        "25"
    );
    assert_eq!(
        client
            .value("select count(*) from lines")
            .await
            .expect("it is served"),
        (2 * 60_175).to_string()
    );
    let sum = client
        .value("select sum(l_quantity) from lines")
        .await
        .expect("it is served");
    assert!(sum.parse::<f64>().expect("a number") > 3e6, "{sum}");
    assert!(server.metric(READ_BYTES) > 0.0);
    assert!(server.metric("warpflight_store_requests_total") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_by_environment() {
    let store = Store::start(BUCKET);
    store.put(BUCKET, [("nation.parquet", &*tpch_file("nation"))]);
    let server = Options::new()
        .env("AWS_ENDPOINT", &store.endpoint)
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "tester")
        .env("AWS_SECRET_ACCESS_KEY", "secret of the tester")
        .args(["--data", "s3://warehouse/nation.parquet"])
        .start();
    let mut client = Client::connect(&server).await;
    assert_eq!(
        client
            .value("select count(*) from nation")
            .await
            .expect("it is served"),
        "25"
    );
    assert!(
        !server.log().contains("secret of the tester"),
        "the secret is in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn straight_from_a_url() {
    let store = Store::start(BUCKET);
    let nation = tpch_file("nation");
    store.put(
        BUCKET,
        [
            ("tpch/nation.parquet", &*nation),
            ("other/nation.parquet", &nation),
        ],
    );
    let server = server(&store, &["--data-roots", "s3://warehouse/tpch/"]);
    let mut client = Client::connect(&server).await;
    let count = |url: &str| format!("select count(*) from '{url}'");
    assert_eq!(
        client
            .value(&count("s3://warehouse/tpch/nation.parquet"))
            .await
            .expect("below the root"),
        "25"
    );
    for url in [
        "s3://warehouse/other/nation.parquet",
        "s3://warehouse/tpch/../other/nation.parquet",
        "s3://warehouse/tpch/%2e%2e/other/nation.parquet",
        "s3://warehouse/tpch2/nation.parquet",
        "s3://another/tpch/nation.parquet",
    ] {
        let status = client.rows(&count(url)).await.expect_err(url);
        assert!(
            matches!(status.code(), Code::PermissionDenied | Code::InvalidArgument),
            "{url}: {status}"
        );
    }
    let table = "create external table mine stored as parquet location 's3://warehouse/tpch/nation.parquet'";
    client.update(table).await.expect("below the root");
    assert_eq!(
        client
            .value("select count(*) from mine")
            .await
            .expect("it was made"),
        "25"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_and_hive_folders() {
    let store = Store::start(BUCKET);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let parts: Vec<PathBuf> = (0..4)
        .map(|part| {
            file_of(
                &folder,
                &format!("{part}.parquet"),
                &numbers(part * 100, part * 100 + 100),
                50,
            )
        })
        .collect();
    store.put(
        BUCKET,
        [
            ("events/year=2023/month=1/a.parquet", &*parts[0]),
            ("events/year=2023/month=2/a.parquet", &parts[1]),
            ("events/year=2024/month=1/a.parquet", &parts[2]),
            ("events/year=2024/month=2/b.parquet", &parts[3]),
            ("events/_SUCCESS", &parts[0]),
        ],
    );
    let server = server(
        &store,
        &[
            "--data",
            "s3://warehouse/events/",
            "--data-roots",
            "s3://warehouse/",
        ],
    );
    let mut client = Client::connect(&server).await;
    assert_eq!(
        client
            .value("select count(*) from events")
            .await
            .expect("it is served"),
        "400"
    );
    let one = "select sum(n) from events where year = '2024' and month = '2'";
    assert_eq!(client.value(one).await.expect("folders are columns"), "34950");
    let years = "select distinct year from events order by 1";
    assert_eq!(
        client.column(years).await.expect("folders are columns"),
        ["2023", "2024"]
    );
    let pattern = "select count(*) from 's3://warehouse/events/*/*/a.parquet'";
    assert_eq!(client.value(pattern).await.expect("patterns match"), "300");
    let plan = client
        .rows(&format!("explain {one}"))
        .await
        .expect("it can be explained");
    let plan = warpflight_tests::client::column_text(plan.column(1).as_ref()).join("\n");
    assert!(
        plan.contains("month=2") && !plan.contains("year=2023"),
        "files of other folders are read:\n{plan}"
    );
}

/// Same key, same size, other content: the version of the object decides, not its size.
#[tokio::test(flavor = "multi_thread")]
async fn an_overwritten_object_is_seen() {
    let store = Store::start(BUCKET);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (old, new) = (
        file_of(&folder, "old", &numbers(0, 500), 100),
        file_of(&folder, "new", &numbers(500, 1000), 100),
    );
    store.put(BUCKET, [("t.parquet", &*old)]);
    let server = server(&store, &["--data", "s3://warehouse/t.parquet"]);
    let mut client = Client::connect(&server).await;
    for _ in 0..2 {
        assert_eq!(
            client
                .value("select sum(n) from t where n < 500")
                .await
                .expect("it is served"),
            "124750"
        );
    }
    // moto tells times in whole seconds; the ETag differs at once.
    store.put(BUCKET, [("t.parquet", &*new)]);
    assert_eq!(
        client.value("select sum(n) from t").await.expect("it is served"),
        "374750"
    );
    assert_eq!(
        client
            .value("select count(*) from t where n < 500")
            .await
            .expect("statistics are new too"),
        "0"
    );
    store.delete(BUCKET, "t.parquet");
    let status = client.rows("select sum(n) from t").await.expect_err("it is gone");
    assert!(
        status.message().contains("t.parquet") || status.message().contains("\"t\""),
        "{status}"
    );
    store.put(BUCKET, [("t.parquet", &*old)]);
    assert_eq!(
        client.value("select sum(n) from t").await.expect("it is back"),
        "124750"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there() {
    let store = Store::start(BUCKET);
    let server = server(
        &store,
        &[
            "--data-roots",
            "s3://warehouse/,s3://no-such-bucket/",
            "--store-retries",
            "1",
            "--store-timeout",
            "3s",
        ],
    );
    let mut client = Client::connect(&server).await;
    for (url, word) in [
        ("s3://no-such-bucket/t.parquet", "no-such-bucket"),
        ("s3://warehouse/missing.parquet", "missing.parquet"),
        ("s3://warehouse/missing/", "missing"),
        ("s3://warehouse/missing-*.parquet", "missing-"),
    ] {
        let status = client
            .rows(&format!("select * from '{url}'"))
            .await
            .expect_err(url);
        assert!(
            matches!(
                status.code(),
                Code::FailedPrecondition | Code::InvalidArgument | Code::NotFound
            ),
            "{url}: {status}"
        );
        assert!(status.message().contains(word), "{url}: {status}");
        assert!(
            !status.message().contains("secret of the tester"),
            "{url}: {status}"
        );
    }
    Client::assert_answers(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down() {
    let store = Store::start(BUCKET);
    store.put(BUCKET, [("nation.parquet", &*tpch_file("nation"))]);
    let server = server(
        &store,
        &[
            "--data",
            "s3://warehouse/nation.parquet",
            "--store-retries",
            "1",
            "--store-timeout",
            "2s",
        ],
    );
    let mut client = Client::connect(&server).await;
    assert_eq!(
        client
            .value("select count(*) from nation")
            .await
            .expect("it is served"),
        "25"
    );
    drop(store);
    let query = client.rows("select * from nation");
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(30), query)
        .await
        .expect("an answer in time");
    let status = outcome.expect_err("the store is gone");
    assert!(
        matches!(status.code(), Code::FailedPrecondition | Code::Unavailable),
        "{status}"
    );
    assert!(server.metric("warpflight_store_errors_total") > 0.0);
    Client::assert_answers(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writing() {
    let store = Store::start(BUCKET);
    let server = server(
        &store,
        &[
            "--write-roots",
            "s3://warehouse/out/",
            "--data-roots",
            "s3://warehouse/",
        ],
    );
    let mut client = Client::connect(&server).await;
    let copy = |url: &str| {
        format!("copy (select value as n from generate_series(1, 1000)) to '{url}' stored as parquet")
    };
    client
        .update(&copy("s3://warehouse/out/t.parquet"))
        .await
        .expect("below the root");
    assert_eq!(
        client
            .value("select sum(n) from 's3://warehouse/out/t.parquet'")
            .await
            .expect("it was written"),
        "500500"
    );
    let status = client
        .update(&copy("s3://warehouse/elsewhere/t.parquet"))
        .await
        .expect_err("not below the root");
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(server.metric("warpflight_store_written_bytes_total") > 0.0);
}
