//! Strings that come as codes of their dictionaries, and those that cannot.

use arrow::array::*;

use super::*;

/// Words of which there are few, in dictionaries or not; and so many different ones that a dictionary ends before them.
fn words(rows: i64) -> RecordBatch {
    let few = |row: i64| (row % 11 > 0).then(|| format!("word {}", row * 31 % 17));
    let some: StringArray = (0..rows).map(few).collect();
    let none: StringArray = (0..rows).map(|_| None::<&str>).collect();
    let many: StringArray = (0..rows)
        .map(|row| Some(format!("a word of its own, {row}")))
        .collect();
    let ids: Int64Array = (0..rows).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids) as ArrayRef, false),
        ("coded", Arc::new(some.clone()), true),
        ("plain", Arc::new(some), true),
        ("many", Arc::new(many), false),
        ("none", Arc::new(none), true),
    ])
    .unwrap()
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(600))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50)
        .set_dictionary_page_size_limit(2000)
        .set_column_dictionary_enabled("plain".into(), false)
        .build()
}

#[tokio::test]
async fn strings_of_dictionaries_come_as_codes() {
    let folder = folder();
    let (first, second) = (words(1500), words(700));
    write(
        &folder.path().join("1.parquet"),
        std::slice::from_ref(&first),
        properties(),
    );
    write(
        &folder.path().join("2.parquet"),
        std::slice::from_ref(&second),
        properties(),
    );
    let whole = arrow::compute::concat_batches(&first.schema(), [&first, &second]).unwrap();
    let context = context();
    register(&context, "x", folder.path()).await;
    for (target_bytes, partitions) in [(1 << 30, 1), (1, 5)] {
        let scanned = scanned(&context, "select * from x", target_bytes).await.unwrap();
        assert_eq!(scanned.scan.partitions(), partitions);
        assert_same("codes", &scanned.schema, &scanned.columns, whole.columns());
        assert_eq!(
            scanned.coded[..4],
            [0, partitions, 0, 0],
            "{partitions} partitions"
        );
    }
}

#[tokio::test]
async fn codes_are_foreseen_from_footers_that_are_kept() {
    let folder = folder();
    write(&folder.path().join("1.parquet"), &[words(1500)], properties());
    let context = context();
    register(&context, "x", folder.path()).await;
    let node = source(&context, "select * from x").await;
    let spec = ScanSpec::of(node.downcast_ref().unwrap()).unwrap();
    let found = spec.codes_about(&context.task_ctx());
    assert_eq!(found[..4], [false, true, false, false]);
    let nothing_known = SessionContext::new();
    assert_eq!(spec.codes_about(&nothing_known.task_ctx()), vec![false; 5]);
}
