//! Pages that the page index rules out: what is left is whole, and less is read.

use arrow::array::*;
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::*;
use datafusion::common::ScalarValue;
use kernels::selftest::Random;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::super::{Narrowing, ScanCounts};
use super::*;

const ROWS: usize = 9_000;

/// Rows in the order of `id`, with columns of many forms; `day` and `text` go up with it, the others do not.
fn rows(random: &mut Random) -> RecordBatch {
    let rows = 0..ROWS as i64;
    let mut nulls = |percent: u64| -> Vec<bool> { (0..ROWS).map(|_| !random.chance(percent)).collect() };
    let (day_is_there, text_is_there, few_is_there) = (nulls(5), nulls(20), nulls(50));
    let number = |row: i64| (row * 7919) % 10_007;
    let id: Int64Array = rows.clone().collect();
    let day: Date32Array = rows
        .clone()
        .zip(day_is_there)
        .map(|(row, there)| there.then_some((row / 40) as i32))
        .collect();
    let text: StringArray = rows
        .clone()
        .zip(text_is_there)
        .map(|(row, there)| there.then(|| format!("text {row:06} {}", "x".repeat(row as usize % 30))))
        .collect();
    let few: StringArray = rows
        .clone()
        .zip(few_is_there)
        .map(|(row, there)| there.then(|| format!("{}", number(row) % 5)))
        .collect();
    let price: Decimal128Array = rows.clone().map(|row| Some(i128::from(number(row)))).collect();
    let wide: Decimal128Array = rows.clone().map(|row| Some(i128::from(row) << 70)).collect();
    let flag: BooleanArray = rows
        .clone()
        .map(|row| (row % 11 > 0).then_some(row % 3 == 0))
        .collect();
    let float: Float64Array = rows.map(|row| Some(number(row) as f64 / 7.0)).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(id) as ArrayRef, false),
        ("day", Arc::new(day), true),
        ("text", Arc::new(text), true),
        ("few", Arc::new(few), true),
        (
            "price",
            Arc::new(price.with_precision_and_scale(12, 2).unwrap()),
            true,
        ),
        (
            "wide",
            Arc::new(wide.with_precision_and_scale(38, 4).unwrap()),
            true,
        ),
        ("flag", Arc::new(flag), true),
        ("float", Arc::new(float), true),
    ])
    .unwrap()
}

/// Pages of other sizes in each column, in two row groups and a bit.
fn properties(
    version: WriterVersion,
    compression: Compression,
    dictionary: bool,
    random: &mut Random,
) -> WriterPropertiesBuilder {
    let builder = WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(compression)
        .set_dictionary_enabled(dictionary)
        .set_max_row_group_row_count(Some(4_000))
        .set_write_batch_size(1 + random.below(100) as usize)
        .set_data_page_row_count_limit(50 + random.below(300) as usize)
        .set_data_page_size_limit(500 + random.below(2_000) as usize);
    match dictionary {
        true => builder,
        false => builder
            .set_column_encoding(ColumnPath::from("id"), Encoding::DELTA_BINARY_PACKED)
            .set_column_encoding(ColumnPath::from("text"), Encoding::DELTA_BYTE_ARRAY)
            .set_column_encoding(ColumnPath::from("few"), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_encoding(ColumnPath::from("float"), Encoding::BYTE_STREAM_SPLIT),
    }
}

const FILTERS: [&str; 7] = [
    "id between 3010 and 3100",
    "id < 100 or id between 3000 and 3050 or id > 8950",
    "day = date '1970-03-05'",
    "text >= 'text 004444' and text < 'text 004500'",
    "id > 1000 and day < date '1970-02-01'",
    "wide < 100 and id % 2 = 0",
    "id = 3999 or id = 4000",
];

/// The rows of `whole` that a filter takes, as DataFusion reads them.
async fn wanted(context: &SessionContext, filter: &str) -> Vec<i64> {
    let sql = format!("select id from x where {filter} order by id");
    let batches = answered(context, &sql).await;
    let ids = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
    ids.collect()
}

/// That what was scanned are rows of `whole`, all columns of each, with all rows that are wanted among them.
fn check(what: &str, scanned: &Scanned, whole: &RecordBatch, wanted: &[i64]) {
    let ids = scanned.columns[0].as_primitive::<Int64Type>();
    let expected: Vec<ArrayRef> = whole
        .columns()
        .iter()
        .map(|column| take(column, ids, None).unwrap())
        .collect();
    assert_same(what, &scanned.schema, &scanned.columns, &expected);
    let found: std::collections::HashSet<i64> = ids.values().iter().copied().collect();
    assert!(
        wanted.iter().all(|id| found.contains(id)),
        "{what}: rows are missing"
    );
    assert_eq!(found.len(), ids.len(), "{what}: a row came twice");
}

#[tokio::test]
async fn pages_without_wanted_rows_are_not_read() {
    let (folder, seed) = (folder(), 41);
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let whole = rows(&mut random);
    for (version, compression) in [
        (WriterVersion::PARQUET_1_0, Compression::UNCOMPRESSED),
        (WriterVersion::PARQUET_1_0, Compression::SNAPPY),
        (WriterVersion::PARQUET_2_0, Compression::SNAPPY),
        (WriterVersion::PARQUET_2_0, Compression::LZ4_RAW),
        (
            WriterVersion::PARQUET_2_0,
            Compression::ZSTD(ZstdLevel::default()),
        ),
    ] {
        for dictionary in [true, false] {
            let what = format!("{version:?} {compression} dictionary={dictionary}");
            let path = folder.path().join("x.parquet");
            let properties = properties(version, compression, dictionary, &mut random).build();
            write(&path, std::slice::from_ref(&whole), properties);
            let context = context();
            register(&context, "x", &path).await;
            let all = scanned(&context, "select * from x", 1 << 30).await.unwrap();
            assert_eq!(all.scan.pages_pruned(), 0);
            for (filter, target) in FILTERS.iter().zip([1 << 30, 1 << 30, 1, 1 << 30, 1, 50_000, 1]) {
                let what = format!("{what}, {filter}");
                let sql = format!("select * from x where {filter}");
                let scanned = scanned(&context, &sql, target).await.unwrap();
                check(&what, &scanned, &whole, &wanted(&context, filter).await);
                assert!(scanned.scan.pages_pruned() > 0, "{what}");
                let bytes = |scanned: &Scanned| scanned.counters.now().read_bytes;
                assert!(
                    bytes(&scanned) < bytes(&all),
                    "{what}: {} of {} bytes read",
                    bytes(&scanned),
                    bytes(&all)
                );
            }
        }
    }
}

#[tokio::test]
async fn without_the_option_row_groups_are_read_whole() {
    let folder = folder();
    let path = folder.path().join("x.parquet");
    let mut random = Random::new(5);
    let properties = properties(WriterVersion::PARQUET_1_0, Compression::SNAPPY, true, &mut random);
    write(&path, &[rows(&mut random)], properties.build());
    let context = context();
    register(&context, "x", &path).await;
    let sql = "select id from x where id < 10";
    let rows = |scan: Scan| {
        (0..scan.partitions())
            .map(|partition| scan.rows(partition))
            .sum::<usize>()
    };
    assert!(rows(opened(&context, sql, 1 << 30).await.unwrap()) < 1000);
    let mut config = context.copied_config();
    config.options_mut().execution.parquet.enable_page_index = false;
    let context = SessionContext::new_with_config(config);
    register(&context, "x", &path).await;
    assert_eq!(rows(opened(&context, sql, 1 << 30).await.unwrap()), 4_000);
}

#[tokio::test]
async fn columns_of_the_cpu_and_missing_ones_have_the_same_rows() {
    let folder = folder();
    let mut random = Random::new(6);
    let whole = rows(&mut random);
    let properties = properties(WriterVersion::PARQUET_2_0, Compression::SNAPPY, true, &mut random);
    write(
        &folder.path().join("x.parquet"),
        std::slice::from_ref(&whole),
        properties.build(),
    );
    let in_file = whole.schema();
    let fields = in_file.fields().iter().map(|field| match field.name().as_str() {
        // Cast by the CPU.
        "price" => Field::new("price", DataType::Float64, true),
        _ => field.as_ref().clone(),
    });
    let missing = Field::new("missing", DataType::Int32, true);
    let schema = Schema::new(fields.chain([missing]).collect::<Vec<_>>());
    let context = context();
    files::table(&context, folder.path(), schema, Vec::new()).await;
    let filter = FILTERS[1];
    let sql = format!("select * from x where {filter}");
    let scanned = scanned(&context, &sql, 1 << 30).await.unwrap();
    assert_eq!(scanned.cpu_columns.len(), 1, "{:?}", scanned.cpu_columns);
    let everything = answered(&context, "select * from x").await;
    let everything = arrow::compute::concat_batches(&everything[0].schema(), &everything).unwrap();
    check("cpu", &scanned, &everything, &wanted(&context, filter).await);
    assert!(scanned.scan.pages_pruned() > 0);
    assert!(
        scanned.columns[0].len() < 2_000,
        "{} rows",
        scanned.columns[0].len()
    );
}

#[tokio::test]
async fn pages_of_objects_are_read_by_requests() {
    use object_store::memory::InMemory;
    use object_store::{ObjectStore, ObjectStoreExt};
    let folder = folder();
    let path = folder.path().join("x.parquet");
    let mut random = Random::new(7);
    let whole = rows(&mut random);
    let properties = properties(
        WriterVersion::PARQUET_1_0,
        Compression::UNCOMPRESSED,
        true,
        &mut random,
    );
    write(&path, std::slice::from_ref(&whole), properties.build());
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let bytes = std::fs::read(&path).unwrap();
    store.put(&"y/x.parquet".into(), bytes.into()).await.unwrap();
    let context = context();
    context.register_object_store(&url::Url::parse("mem://bucket").unwrap(), store);
    let options = ParquetReadOptions::default();
    context
        .register_parquet("x", "mem://bucket/y/x.parquet", options)
        .await
        .unwrap();
    for filter in FILTERS {
        let sql = format!("select * from x where {filter}");
        let scanned = scanned(&context, &sql, 1 << 30).await.unwrap();
        check(filter, &scanned, &whole, &wanted(&context, filter).await);
        assert!(scanned.scan.pages_pruned() > 0, "{filter}");
    }
}

/// A scan of `select * from x`, narrowed, and what it counts.
async fn narrowed(context: &SessionContext, from: usize, by: &[Narrowing]) -> Option<(Scanned, ScanCounts)> {
    let scan = opened(context, "select * from x", 1).await.unwrap();
    let by = by.to_vec();
    let run = move || {
        let narrowed = scan.narrowed_sync(from, &by).unwrap()?;
        let scanned = run(narrowed).unwrap();
        scanned.scan.count_pruned(&scanned.counters);
        let counts = scanned.counters.now();
        Some((scanned, counts))
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn a_scan_is_narrowed_by_values_of_its_columns() {
    let folder = folder();
    let path = folder.path().join("x.parquet");
    let mut random = Random::new(8);
    let whole = rows(&mut random);
    let properties = properties(WriterVersion::PARQUET_1_0, Compression::SNAPPY, true, &mut random);
    write(&path, std::slice::from_ref(&whole), properties.build());
    let context = context();
    register(&context, "x", &path).await;
    let id = |value: i64| ScalarValue::Int64(Some(value));
    let by_id = |ranges: &[(i64, i64)]| Narrowing {
        column: 0,
        ranges: ranges
            .iter()
            .map(|&(least, most)| (id(least), id(most)))
            .collect(),
    };
    let (scanned, counts) = narrowed(&context, 0, &[by_id(&[(4100, 4100), (4600, 4650)])])
        .await
        .unwrap();
    let wanted: Vec<i64> = (4600..=4650).chain([4100]).collect();
    check("narrowed", &scanned, &whole, &wanted);
    assert_eq!(
        (counts.row_groups_pruned, counts.row_groups_pruned_by_joins),
        (2, 2)
    );
    assert!(counts.pages_pruned > 0 && counts.pages_pruned == counts.pages_pruned_by_joins);
    let scan = opened(&context, "select * from x", 1).await.unwrap();
    let clustered: Vec<usize> = (0..whole.num_columns())
        .filter(|&column| scan.is_clustered(column))
        .collect();
    assert_eq!(clustered, [0, 1, 2, 5], "id, day, text and wide go up");
    let numbers: Vec<Option<(i128, i128)>> = [0, 1, 2, 5, 7].map(|column| scan.numbers(column)).into();
    let last = ROWS as i128 - 1;
    let expected = [
        Some((0, last)),
        Some((0, last / 40)),
        None,
        Some((0, last << 70)),
        None,
    ];
    assert_eq!(numbers, expected, "of id, day and wide");

    // Two columns at once, texts among them; what was begun stays.
    let text = |row: i64| ScalarValue::Utf8(Some(format!("text {row:06}")));
    let by_text = Narrowing {
        column: 2,
        ranges: vec![(text(4500), text(4700))],
    };
    let (scanned, counts) = narrowed(&context, 1, &[by_id(&[(0, 4600)]), by_text])
        .await
        .unwrap();
    let ids = scanned.columns[0].as_primitive::<Int64Type>();
    assert_eq!(ids.values()[..4000], (0..4000).collect::<Vec<i64>>()[..]);
    let is_text: BooleanArray = whole
        .column(2)
        .as_string::<i32>()
        .iter()
        .map(|text| Some(text.is_some()))
        .collect();
    let there = filter_record_batch(&whole, &is_text).unwrap();
    let there = there.column(0).as_primitive::<Int64Type>().values().to_vec();
    let wanted: Vec<i64> = there
        .into_iter()
        .filter(|id| (4500..=4600).contains(id))
        .collect();
    check("narrowed by two", &scanned, &whole, &wanted);
    assert_eq!(counts.row_groups_pruned_by_joins, 1);
    assert!(ids.len() < 4_600, "{} rows", ids.len());

    let nothing = Narrowing {
        column: 0,
        ranges: Vec::new(),
    };
    let (scanned, counts) = narrowed(&context, 0, &[nothing]).await.unwrap();
    assert_eq!(
        (scanned.scan.partitions(), counts.row_groups_pruned_by_joins),
        (0, 3)
    );
    assert!(
        narrowed(&context, 0, &[by_id(&[(-5, 10_000)])]).await.is_none(),
        "all are wanted"
    );
    assert!(
        narrowed(&context, 3, &[by_id(&[(5, 5)])]).await.is_none(),
        "all are begun"
    );
}
