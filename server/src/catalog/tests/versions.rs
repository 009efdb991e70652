//! Files that change under the server: new ones are read, old footers never are.

use std::time::SystemTime;

use super::*;

async fn served(location: String) -> (Server, SessionContext) {
    let config = Config {
        tables: vec![entry("t", location)],
        ..Config::default()
    };
    let server = Server::new(&config).await;
    let session = server.anyone();
    (server, session)
}

#[tokio::test]
async fn new_and_removed_files_are_seen() {
    let folder = Folder::new();
    numbers(&folder.path("t/1.parquet"), "a", &[1]);
    let (_server, session) = served(folder.text("t")).await;
    assert_eq!(rows(&session, "select sum(a) from t").await.unwrap(), "1");
    numbers(&folder.path("t/2.parquet"), "a", &[2]);
    assert_eq!(rows(&session, "select sum(a) from t").await.unwrap(), "3");
    std::fs::remove_file(folder.path("t/1.parquet")).unwrap();
    assert_eq!(rows(&session, "select sum(a) from t").await.unwrap(), "2");
}

#[tokio::test]
async fn a_file_of_equal_size_and_time_is_a_new_version() {
    let folder = Folder::new();
    let path = folder.path("t.parquet");
    let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let write = |values: &[i64]| {
        numbers(&path, "a", values);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
        std::fs::metadata(&path).unwrap().len()
    };
    let size = write(&[1, 2]);
    let (_server, session) = served(folder.text("t.parquet")).await;
    // The smallest and the largest value come from the footer.
    assert_eq!(
        rows(&session, "select min(a), max(a) from t").await.unwrap(),
        "1,2"
    );
    assert_eq!(write(&[3, 4]), size);
    assert_eq!(
        rows(&session, "select min(a), max(a) from t").await.unwrap(),
        "3,4"
    );
    assert_eq!(rows(&session, "select a from t where a = 4").await.unwrap(), "4");
}

#[tokio::test]
async fn footers_are_read_once_a_version() {
    let folder = Folder::new();
    numbers(&folder.path("t/1.parquet"), "a", &[1, 2, 3]);
    let (server, session) = served(folder.text("t")).await;
    assert_eq!(rows(&session, "select sum(a) from t").await.unwrap(), "6");
    let cache = server.runtime.cache_manager.get_file_metadata_cache();
    let hits = || {
        cache
            .list_entries()
            .values()
            .map(|entry| entry.hits)
            .sum::<usize>()
    };
    let (entries, before) = (cache.len(), hits());
    let read = || {
        server
            .catalog
            .store_counts()
            .iter()
            .map(|counts| counts.read_bytes)
            .sum::<u64>()
    };
    let bytes = read();
    // A count comes from the footer: no byte of the file is read again.
    assert_eq!(rows(&session, "select count(*) from t").await.unwrap(), "3");
    assert_eq!(read(), bytes);
    assert_eq!(rows(&session, "select sum(a) from t").await.unwrap(), "6");
    assert_eq!(cache.len(), entries);
    assert!(hits() > before);
    numbers(&folder.path("t/1.parquet"), "a", &[4, 5, 6]);
    assert_eq!(rows(&session, "select sum(a) from t").await.unwrap(), "15");
    assert_eq!(cache.len(), entries);
}

#[tokio::test]
async fn a_plan_made_before_a_change_reads_the_new_files() {
    let folder = Folder::new();
    numbers(&folder.path("t/1.parquet"), "a", &[1]);
    let (_server, session) = served(folder.text("t")).await;
    let plan = session
        .state()
        .create_logical_plan("select sum(a) from t")
        .await
        .unwrap();
    numbers(&folder.path("t/2.parquet"), "a", &[2]);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let batches = session
        .execute_logical_plan(plan.clone())
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(
        batches[0].column(0).as_ref(),
        &Int64Array::from(vec![3]) as &dyn arrow::array::Array
    );
    texts(&folder.path("t/1.parquet"), "a", &["x"]);
    std::fs::remove_file(folder.path("t/2.parquet")).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let error = session
        .execute_logical_plan(plan)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap_err();
    assert!(from_datafusion(error).message().contains("its columns changed"));
}

#[tokio::test]
async fn row_groups_pages_and_bloom_filters_prune() {
    use parquet::file::properties::{EnabledStatistics, WriterProperties};
    let folder = Folder::new();
    let values: Vec<i64> = (0..20_000).map(|value| value * 2).collect();
    let batch = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(values)) as ArrayRef)]).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(10_000))
        .set_data_page_row_count_limit(500)
        .set_write_batch_size(500)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_bloom_filter_enabled(true)
        .build();
    let file = File::create(folder.path("t.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (_server, session) = served(folder.text("t.parquet")).await;
    let metrics = async |predicate: &str| {
        rows(
            &session,
            &format!("explain analyze select a from t where {predicate}"),
        )
        .await
        .unwrap()
    };
    let plan = metrics("a = 30000").await;
    assert!(
        plan.contains("row_groups_pruned_statistics=2 total → 1 matched"),
        "{plan}"
    );
    assert!(
        plan.contains("page_index_rows_pruned=10.00 K total → 500 matched"),
        "{plan}"
    );
    // Odd numbers are within the bounds of the statistics, and in no filter.
    let plan = metrics("a = 777").await;
    assert!(
        plan.contains("row_groups_pruned_bloom_filter=1 total → 0 matched"),
        "{plan}"
    );
}
