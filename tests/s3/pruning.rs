//! What scans leave unread in an S3 store: by statistics, page indexes and bloom filters, counted in bytes.

use std::fs;
use std::path::Path;

use parquet::file::properties::WriterProperties;
use warpflight_tests::client::Client;
use warpflight_tests::data::write_parquet_as;
use warpflight_tests::server::Options;

use crate::store::Store;
use crate::{BUCKET, NOISE, READ_BYTES, numbers, server};

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
    write_parquet_as(&file, &numbers(0, 1_000_000), properties);
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
    write_parquet_as(&path, &rows, properties);
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
