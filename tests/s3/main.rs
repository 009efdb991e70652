//! Tables in an S3 store: a real server of the protocol, started by the tests.

mod store;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
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

fn write_with(path: &Path, rows: &RecordBatch, properties: WriterProperties) {
    let file = fs::File::create(path).expect("a file can be made");
    let mut writer =
        ArrowWriter::try_new(file, rows.schema(), Some(properties)).expect("the schema is Parquet's");
    writer.write(rows).expect("rows can be written");
    writer.close().expect("the file can be closed");
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

/// A store with a table `t` of a million rows, and how many bytes it has.
fn store_of_pages() -> (Store, f64) {
    let store = Store::start(BUCKET);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    // Without dictionaries, which are read whole, and with pages of 5,000 rows.
    let file = folder.path().join("t.parquet");
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(100_000))
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(5_000)
        .set_write_batch_size(1_000)
        .build();
    write_with(&file, &numbers(0, 1_000_000), properties);
    let size = fs::metadata(&file).expect("it was written").len() as f64;
    store.put(BUCKET, [("t.parquet", &*file)]);
    (store, size)
}

/// The same of pages on a device, here the emulated one.
#[tokio::test(flavor = "multi_thread")]
async fn pruning_reads_less_on_a_device() {
    let (store, size) = store_of_pages();
    let server = Options::new()
        .config(&store.config())
        .args(["--data", "s3://warehouse/t.parquet"])
        .env("WARPFLIGHT_DEVICE", "sim")
        .start();
    let mut client = Client::connect(&server).await;
    client
        .update("set fallback_mode = 'raise'")
        .await
        .expect("an option");
    client
        .value("select count(*) from t")
        .await
        .expect("the footer is read now");
    for (sql, expected) in [
        (
            "select s from t where n = 555555",
            format!("{:x}", 555_555_u64.wrapping_mul(NOISE)),
        ),
        (
            "select count(*) from t where n between 399990 and 400010 and s is not null",
            "21".to_owned(),
        ),
    ] {
        let before = server.metric(READ_BYTES);
        let found = client.value(sql).await.expect("it is served");
        assert_eq!(found, expected, "{sql}");
        let page = server.metric(READ_BYTES) - before;
        assert!(
            page < 0.03 * size,
            "{page} of {size} bytes for a few rows: pages were not pruned"
        );
    }
}

/// Row groups by statistics, and pages by the page index, are not fetched.
#[tokio::test(flavor = "multi_thread")]
async fn pruning_reads_less() {
    let (store, size) = store_of_pages();
    let server = server(&store, &["--data", "s3://warehouse/t.parquet"]);
    let mut client = Client::connect(&server).await;
    client
        .value("select count(*) from t")
        .await
        .expect("the footer is read now");
    let mut read = async |sql: &str| {
        let before = server.metric(READ_BYTES);
        let value = client.value(sql).await.expect("it is served");
        (value, server.metric(READ_BYTES) - before)
    };
    let (_, all) = read("select count(distinct s) from t").await;
    assert!(all > 0.5 * size, "{all} of {size} bytes for a whole column");
    let (found, row_group) = read("select max(s) from t where n between 250000 and 299999").await;
    assert!(!found.is_empty());
    assert!(
        row_group < 0.15 * size,
        "{row_group} of {size} bytes for one row group of ten"
    );
    let (_, page) = read("select s from t where n = 555555").await;
    assert!(
        page < 0.02 * size,
        "{page} of {size} bytes for one row: pages were not pruned"
    );
    let (none, nothing) = read("select count(s) from t where n > 2000000").await;
    assert_eq!(none, "0");
    assert!(
        nothing < 1024.0,
        "{nothing} bytes for rows that statistics exclude"
    );
    let (_, footers) = read("select count(*) from t").await;
    assert!(
        footers < 1024.0,
        "{footers} bytes for a count that the cached footer knows"
    );
}

/// A value that lies within every row group's bounds and in none of them.
#[tokio::test(flavor = "multi_thread")]
async fn bloom_filters_prune() {
    let store = Store::start(BUCKET);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("t.parquet");
    let rows = numbers(0, 200_000);
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(50_000))
        .set_bloom_filter_enabled(true)
        .build();
    write_with(&path, &rows, properties);
    store.put(BUCKET, [("t.parquet", Path::new(&path))]);
    let server = server(&store, &["--data", "s3://warehouse/t.parquet"]);
    let mut client = Client::connect(&server).await;
    let plan = client
        .rows("explain analyze select n from t where s = '5555'")
        .await
        .expect("it can be explained");
    let plan = warpflight_tests::client::column_text(plan.column(1).as_ref()).join("\n");
    let (_, after) = plan
        .split_once("row_groups_pruned_bloom_filter=")
        .unwrap_or_else(|| panic!("no such metric in\n{plan}"));
    assert!(
        after.starts_with("4 total → 0 matched") || after.starts_with('4'),
        "{plan}"
    );
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
