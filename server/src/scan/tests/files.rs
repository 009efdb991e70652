//! Several files and row groups, parts of files, folders, files that differ from the table, what is left out.

use arrow::array::*;
use arrow::datatypes::*;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use kernels::selftest::Random;

use super::*;

pub(super) fn numbers(first: i64, rows: i64) -> RecordBatch {
    let a: Int64Array = (first..first + rows).collect();
    let b: StringArray = (first..first + rows)
        .map(|v| (v % 7 > 0).then(|| format!("row {}", v % 100)))
        .collect();
    let c: BooleanArray = (first..first + rows).map(|v| Some(v % 3 == 0)).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("a", Arc::new(a) as ArrayRef, false),
        ("b", Arc::new(b), true),
        ("c", Arc::new(c), true),
    ])
    .unwrap()
}

pub(super) fn small_groups() -> WriterProperties {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(500))
        .build()
}

fn concatenated(batches: &[RecordBatch]) -> RecordBatch {
    arrow::compute::concat_batches(&batches[0].schema(), batches).unwrap()
}

#[tokio::test]
async fn partitions_of_several_files_and_row_groups() {
    let folder = folder();
    let batches: Vec<RecordBatch> = (0..4).map(|file| numbers(file * 10_000, 1300)).collect();
    for (index, batch) in batches.iter().enumerate() {
        write(
            &folder.path().join(format!("{index}.parquet")),
            std::slice::from_ref(batch),
            small_groups(),
        );
    }
    let whole = concatenated(&batches);
    let context = context();
    register(&context, "x", folder.path()).await;
    for (target_bytes, partitions) in [(1, 12), (30_000, 6), (1 << 30, 1)] {
        let scanned = scanned(&context, "select * from x", target_bytes).await.unwrap();
        assert_same("files", &scanned.schema, &scanned.columns, whole.columns());
        if target_bytes != 30_000 {
            assert_eq!(scanned.scan.partitions(), partitions, "target {target_bytes}");
        } else {
            assert!((3..12).contains(&scanned.scan.partitions()));
        }
        let groups: usize = (0..scanned.scan.partitions())
            .map(|p| scanned.scan.row_groups(p))
            .sum();
        assert_eq!(groups, 12);
    }
    let scanned = scanned(&context, "select c, a from x", 1 << 30).await.unwrap();
    assert_eq!(
        scanned.schema.fields().len(),
        2,
        "columns that nobody asks for are not read"
    );
    let names: Vec<String> = scanned
        .scan
        .spec()
        .projection()
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(names, ["c", "a"]);
}

#[tokio::test]
async fn parts_of_a_file_hold_each_row_group_once() {
    let folder = folder();
    let path = folder.path().join("x.parquet");
    let batch = numbers(0, 6000);
    write(&path, std::slice::from_ref(&batch), small_groups());
    let mut config = SessionConfig::new().with_target_partitions(5);
    config.options_mut().optimizer.repartition_file_min_size = 1;
    config.options_mut().execution.parquet.schema_force_view_types = false;
    let context = SessionContext::new_with_config(config);
    register(&context, "x", &path).await;
    let sql = "select a + 1, b, c from x where a >= 0";
    let node = source(&context, sql).await;
    let spec = ScanSpec::of(node.downcast_ref().unwrap()).unwrap();
    assert!(spec.files.len() > 1 && spec.files.iter().all(|file| file.range.is_some()));
    let scanned = scanned(&context, sql, 1 << 30).await.unwrap();
    assert_same("parts", &scanned.schema, &scanned.columns, batch.columns());
    assert_eq!(scanned.counters.now().row_groups_read, 12);
}

#[tokio::test]
async fn row_groups_without_wanted_rows_are_left_out() {
    let folder = folder();
    let path = folder.path().join("x.parquet");
    let batch = numbers(0, 6000);
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(500))
        .set_bloom_filter_enabled(true)
        .build();
    write(&path, std::slice::from_ref(&batch), properties);
    let context = context();
    register(&context, "x", &path).await;
    for (sql, kept) in [
        ("select a from x where a < 700", 2),
        ("select a from x where a < 700 and a > 20000", 0),
        ("select a from x where b = 'row 1x'", 0),
        ("select a from x where b = 'row 17'", 12),
        ("select a from x", 12),
    ] {
        let scan = opened(&context, sql, 1 << 30).await.unwrap();
        let groups: usize = (0..scan.partitions())
            .map(|partition| scan.row_groups(partition))
            .sum();
        assert_eq!((groups, scan.row_groups_pruned()), (kept, 12 - kept), "{sql}");
        assert!(scan.spec().exact_predicate().is_none());
    }
    context
        .sql("set datafusion.execution.parquet.pushdown_filters = true")
        .await
        .unwrap();
    let scan = opened(&context, "select b from x where a < 700", 1 << 30)
        .await
        .unwrap();
    assert_eq!(scan.spec().exact_predicate().unwrap().to_string(), "a@0 < 700");
    assert_eq!(
        scan.spec().schema().fields().len(),
        2,
        "what the predicate reads is read"
    );
}

/// A table over a folder, with its own types and columns of folders.
pub(super) async fn table(
    context: &SessionContext,
    folder: &Path,
    schema: Schema,
    folders: Vec<(String, DataType)>,
) {
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()))
        .with_file_extension("parquet")
        .with_table_partition_cols(folders);
    let url = ListingTableUrl::parse(folder.to_str().unwrap().to_owned() + "/").unwrap();
    let config = ListingTableConfig::new(url)
        .with_listing_options(options)
        .with_schema(Arc::new(schema));
    context
        .register_table("x", Arc::new(ListingTable::try_new(config).unwrap()))
        .unwrap();
}

#[tokio::test]
async fn values_of_folders_fill_columns() {
    let folder = folder();
    for (year, flag, first) in [(2023, "true", 0i64), (2024, "false", 1000), (2024, "true", 2000)] {
        let path = folder
            .path()
            .join(format!("year={year}/flag={flag}/name=café {first}"));
        std::fs::create_dir_all(&path).unwrap();
        write(&path.join("x.parquet"), &[numbers(first, 700)], small_groups());
    }
    let path = folder
        .path()
        .join("year=2025/flag=true/name=__HIVE_DEFAULT_PARTITION__");
    std::fs::create_dir_all(&path).unwrap();
    write(&path.join("x.parquet"), &[numbers(3000, 10)], small_groups());
    let context = context();
    let folders = vec![
        ("year".to_owned(), DataType::Int32),
        ("flag".to_owned(), DataType::Boolean),
        ("name".to_owned(), DataType::Utf8),
    ];
    table(
        &context,
        folder.path(),
        numbers(0, 1).schema().as_ref().clone(),
        folders,
    )
    .await;
    let sql = "select a, year, flag, name from x";
    let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
    let expected = concatenated(&rows);
    for target in [1, 20_000, 1 << 30] {
        let scanned = scanned(&context, sql, target).await.unwrap();
        assert_same("folders", &scanned.schema, &scanned.columns, expected.columns());
    }
    let scan = opened(
        &context,
        "select a from x where year = 2024 and name like 'caf%'",
        1 << 30,
    )
    .await
    .unwrap();
    assert_eq!(scan.rows(0), 1400, "folders are left out");
}

#[tokio::test]
async fn files_that_differ_from_the_table() {
    let folder = folder();
    let mut random = Random::new(31);
    println!("seed 31");
    let rows = 900;
    // Wider integers and decimals, and other names of text, are the device's; the rest is cast by the CPU.
    let cases: [(DataType, DataType, bool); 7] = [
        (DataType::Int32, DataType::Int64, true),
        (DataType::Decimal128(9, 2), DataType::Decimal128(20, 2), true),
        (DataType::LargeUtf8, DataType::Utf8View, true),
        (DataType::Int32, DataType::Float64, false),
        (
            DataType::Date32,
            DataType::Timestamp(TimeUnit::Millisecond, None),
            false,
        ),
        (DataType::Int64, DataType::Utf8, false),
        (DataType::Decimal128(9, 2), DataType::Decimal128(20, 4), false),
    ];
    let (mut in_file, mut columns, mut in_table) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (file, table, _)) in cases.iter().enumerate() {
        in_file.push(Field::new(format!("c{index}"), file.clone(), true));
        in_table.push(Field::new(format!("c{index}"), table.clone(), true));
        columns.push(super::types::values(file, rows, 20, &mut random));
    }
    in_table.push(Field::new("missing", DataType::Utf8, true));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(in_file)), columns).unwrap();
    write(&folder.path().join("1.parquet"), &[batch], small_groups());
    // A file in which all is as in the table.
    let columns = in_table
        .iter()
        .map(|field| super::types::values(field.data_type(), 300, 10, &mut random))
        .collect();
    let same = RecordBatch::try_new(Arc::new(Schema::new(in_table.clone())), columns).unwrap();
    write(&folder.path().join("2.parquet"), &[same], small_groups());
    let context = context();
    table(&context, folder.path(), Schema::new(in_table), Vec::new()).await;
    let rows = answered(&context, "select * from x").await;
    let scanned = scanned(&context, "select * from x", 1 << 30).await.unwrap();
    assert_same(
        "casts",
        &scanned.schema,
        &scanned.columns,
        concatenated(&rows).columns(),
    );
    let by_cpu: Vec<&str> = scanned
        .cpu_columns
        .iter()
        .map(|(column, _)| column.as_str())
        .collect();
    assert_eq!(by_cpu, ["c3", "c4", "c5", "c6"], "{:?}", scanned.cpu_columns);
    assert_eq!(scanned.cpu_columns, scanned.scan.cpu_columns());
    assert_eq!(scanned.cpu_columns[0].1, "the file has Int32, the table Float64");
}

#[tokio::test]
async fn empty_files_have_no_partitions() {
    let folder = folder();
    let empty = numbers(0, 0);
    write(&folder.path().join("1.parquet"), &[empty], small_groups());
    let context = context();
    register(&context, "x", folder.path()).await;
    let scanned_empty = scanned(&context, "select * from x", 1 << 30).await.unwrap();
    assert_eq!(scanned_empty.scan.partitions(), 0);
    // DataFusion remembers what is in a folder.
    let context = super::context();
    write(&folder.path().join("2.parquet"), &[numbers(5, 3)], small_groups());
    register(&context, "x", folder.path()).await;
    let scanned = scanned(&context, "select * from x", 1 << 30).await.unwrap();
    assert_same(
        "one empty",
        &scanned.schema,
        &scanned.columns,
        numbers(5, 3).columns(),
    );
}

#[tokio::test]
async fn what_is_not_taken_is_refused_in_words() {
    let folder = folder();
    let context = context();
    let batch = RecordBatch::try_from_iter([
        ("a", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        (
            "f",
            Arc::new(FixedSizeBinaryArray::try_from_iter([[1u8, 2]].iter()).unwrap()),
        ),
    ])
    .unwrap();
    write(&folder.path().join("x.parquet"), &[batch], small_groups());
    register(&context, "x", folder.path()).await;
    let node = source(&context, "select f from x").await;
    let refused = ScanSpec::of(node.downcast_ref().unwrap()).unwrap_err();
    assert_eq!(
        refused,
        "column f has type FixedSizeBinary(2), which the GPU does not read"
    );
    let node = source(&context, "select a from x").await;
    assert!(
        ScanSpec::of(node.downcast_ref().unwrap()).is_ok(),
        "columns that are not read do not matter"
    );
    let csv = folder.path().join("x.csv");
    std::fs::write(&csv, "a,b\n1,2\n").unwrap();
    context
        .register_csv("y", csv.to_str().unwrap(), Default::default())
        .await
        .unwrap();
    let node = source(&context, "select a from y").await;
    let refused = ScanSpec::of(node.downcast_ref().unwrap()).unwrap_err();
    assert_eq!(refused, "only Parquet files are read by the GPU");
}

#[tokio::test]
async fn a_scan_stops_when_told() {
    let folder = folder();
    write(
        &folder.path().join("x.parquet"),
        &[numbers(0, 5000)],
        small_groups(),
    );
    let context = context();
    register(&context, "x", folder.path()).await;
    let scan = opened(&context, "select * from x", 1 << 30).await.unwrap();
    let stopped = tokio::task::spawn_blocking(move || {
        scan.fetch_sync(0, Turn::last(), &DEVICE.0, &|| true).unwrap_err()
    });
    assert_eq!(stopped.await.unwrap().kind(), crate::error::Kind::Cancelled);
}

#[tokio::test]
async fn objects_are_read_by_requests() {
    use object_store::memory::InMemory;
    use object_store::{ObjectStore, ObjectStoreExt};
    let folder = folder();
    let path = folder.path().join("x.parquet");
    let batch = numbers(0, 3000);
    write(&path, std::slice::from_ref(&batch), small_groups());
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let bytes = std::fs::read(&path).unwrap();
    store.put(&"y/x.parquet".into(), bytes.into()).await.unwrap();
    let context = context();
    context.register_object_store(&url::Url::parse("mem://bucket").unwrap(), store);
    let location = "mem://bucket/y/x.parquet";
    context
        .register_parquet("x", location, ParquetReadOptions::default())
        .await
        .unwrap();
    let scanned = scanned(&context, "select * from x", 40_000).await.unwrap();
    assert!(scanned.scan.partitions() > 1);
    assert_same("objects", &scanned.schema, &scanned.columns, batch.columns());
}
