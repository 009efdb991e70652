//! Columns that are known to repeat values before anything is read.

use arrow::array::*;

use super::*;

/// `rows` rows from `first` on: their number, which of seven it is, that as text and as a number with a fraction, and one
/// value that is always the same.
fn numbers(first: i64, rows: i64) -> RecordBatch {
    let ids = first..first + rows;
    let sevenths: Vec<i64> = ids.clone().map(|id| id % 7).collect();
    let texts: StringArray = sevenths.iter().map(|seventh| Some(seventh.to_string())).collect();
    let fractions: Float64Array = sevenths.iter().map(|&seventh| Some(seventh as f64)).collect();
    let sorted: Int32Array = ids.clone().map(|id| Some((id / 2) as i32)).collect();
    RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from_iter_values(ids)) as ArrayRef),
        ("seventh", Arc::new(Int64Array::from(sevenths))),
        ("text", Arc::new(texts)),
        ("fraction", Arc::new(fractions)),
        ("sorted", Arc::new(sorted)),
    ])
    .unwrap()
}

/// A context in which files are read in parts.
async fn in_parts(folder: &Path) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(8)
        .with_repartition_file_scans(true)
        .with_repartition_file_min_size(1);
    let context = SessionContext::new_with_config(config);
    register(&context, "x", folder).await;
    context
}

/// Of two times a thousand rows of [`numbers`], the second ones from 1000 on.
const VALUES: [Option<u64>; 5] = [Some(2000), Some(7), None, None, Some(1000)];

fn repeats(columns: &[crate::scan::ColumnAbout]) -> Vec<bool> {
    columns.iter().map(|column| column.repeats).collect()
}

#[tokio::test]
async fn more_rows_than_values_in_between() {
    let folder = folder();
    // More row groups than are asked, over two files.
    let properties = || {
        WriterProperties::builder()
            .set_max_row_group_row_count(Some(50))
            .build()
    };
    for (name, first) in [("1.parquet", 0), ("2.parquet", 1000)] {
        write(&folder.path().join(name), &[numbers(first, 1000)], properties());
    }
    let context = context();
    register(&context, "x", folder.path()).await;
    let node = source(&context, "select * from x").await;
    let spec = ScanSpec::of(node.downcast_ref().unwrap()).unwrap();
    let found = spec.columns_about(&context.task_ctx());
    assert_eq!(repeats(&found), [false, true, false, false, true]);
    let values = found.iter().map(|column| column.values);
    assert_eq!(values.collect::<Vec<_>>(), VALUES);
    let parts = source(
        &in_parts(folder.path()).await,
        "select * from x where id * 2 >= 0",
    )
    .await;
    let parts = ScanSpec::of(parts.downcast_ref().unwrap()).unwrap();
    assert!(parts.files.len() > 2, "files are read in parts");
    assert_eq!(parts.columns_about(&context.task_ctx()), found);
    let some = source(&context, "select sorted, id from x").await;
    let some = ScanSpec::of(some.downcast_ref().unwrap()).unwrap();
    let expected: Vec<bool> = some
        .schema()
        .fields()
        .iter()
        .map(|field| field.name() == "sorted")
        .collect();
    assert_eq!(repeats(&some.columns_about(&context.task_ctx())), expected);
    let nothing_known = SessionContext::new();
    assert_eq!(
        repeats(&spec.columns_about(&nothing_known.task_ctx())),
        [false; 5]
    );
}

#[tokio::test]
async fn files_without_rows_repeat_nothing() {
    let folder = folder();
    let empty = WriterProperties::builder().build();
    write(&folder.path().join("1.parquet"), &[numbers(0, 0)], empty);
    let context = context();
    register(&context, "x", folder.path()).await;
    let node = source(&context, "select * from x").await;
    let spec = ScanSpec::of(node.downcast_ref().unwrap()).unwrap();
    assert_eq!(repeats(&spec.columns_about(&context.task_ctx())), [false; 5]);
}
