//! Tables with nested columns: what they hold is decoded on the CPU and uploaded, and the plan says so; their flat columns
//! are decoded on the device as ever.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Int64Type};
use warpflight_tests::client::Client;
use warpflight_tests::data::write_parquet;
use warpflight_tests::server::Options;

use crate::device::plan;

const ROWS: usize = 1000;

/// Row i has the list 0, 1 ... of i % 4 values, or none at all; the structure of i and a name, or none at all; and one with
/// another in it, either of which may be none.
fn rows() -> RecordBatch {
    let ids = 0..ROWS as i64;
    let list = |id: i64| (id % 5 != 0).then(|| (0..id % 4).map(Some));
    let names = ids.clone().map(|id| format!("x{}", id % 3));
    let fields = vec![
        Field::new("a", DataType::Int64, true),
        Field::new("b", DataType::Utf8, true),
    ];
    let parts: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(ids.clone())),
        Arc::new(StringArray::from_iter_values(names)),
    ];
    let there = ids.clone().map(|id| id % 11 != 0).collect::<Vec<_>>().into();
    let outer_there = ids.clone().map(|id| id % 13 != 0).collect::<Vec<_>>().into();
    let inner_there = ids.clone().map(|id| id % 6 != 0).collect::<Vec<_>>().into();
    let x = vec![Field::new("x", DataType::Int64, false)];
    let xs: ArrayRef = Arc::new(Int64Array::from_iter_values(ids.clone()));
    let inner = StructArray::new(x.into(), vec![xs], Some(inner_there));
    let fields_of_outer = vec![Field::new("inner", inner.data_type().clone(), true)];
    let outer = StructArray::new(fields_of_outer.into(), vec![Arc::new(inner)], Some(outer_there));
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids.clone()))),
        (
            "li",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(ids.map(list))),
        ),
        (
            "st",
            Arc::new(StructArray::new(fields.into(), parts, Some(there))),
        ),
        ("outer", Arc::new(outer)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nested_is_decoded_on_the_cpu_and_uploaded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_parquet(&folder.path().join("t.parquet"), &rows(), 300);
    let server = Options::new()
        .data(folder.path())
        .env("WARPFLIGHT_DEVICE", "sim")
        .start();
    let mut client = Client::connect(&server).await;

    let flat = "select sum(id) from t where id % 7 = 3";
    let plan_of_flat = plan(&mut client, flat).await;
    assert!(!plan_of_flat.contains("CpuFallbackExec"), "{plan_of_flat}");
    let sum: i64 = (0..ROWS as i64).filter(|id| id % 7 == 3).sum();
    assert_eq!(client.value(flat).await.expect("a sum"), sum.to_string());

    let there = || (101..ROWS as i64).filter(|id| id % 11 != 0);
    let of_structures = "select count(st['b']), sum(st['a']) from t where id > 100";
    let both = || (0..ROWS as i64).filter(|id| id % 13 != 0 && id % 6 != 0);
    let of_both = "select count(t.outer['inner']['x']), sum(t.outer['inner']['x']) from t";
    let of_lists = "select count(x), sum(x) from (select unnest(li) x from t)";
    let elements = || (0..ROWS as i64).filter(|id| id % 5 != 0).flat_map(|id| 0..id % 4);
    for (sql, name, expected) in [
        (
            of_structures,
            "column st",
            [there().count() as i64, there().sum()],
        ),
        (of_lists, "li", [elements().count() as i64, elements().sum()]),
    ] {
        let plan = plan(&mut client, sql).await;
        assert!(plan.contains("upload of child"), "{plan}");
        let reason = plan.lines().find(|line| line.contains("CpuFallbackExec"));
        assert!(reason.is_some_and(|reason| reason.contains(name)), "{plan}");
        let rows = client.rows(sql).await.expect("a row");
        let found = [0, 1].map(|at| warpflight_tests::client::column_text(rows.column(at)).concat());
        assert_eq!(found, expected.map(|number| number.to_string()), "{sql}");
    }

    // Of a field that cannot be null where there is a structure, DataFusion gives something where there is none.
    let rows = client.rows(of_both).await.expect("a row");
    let found = [0, 1].map(|at| warpflight_tests::client::column_text(rows.column(at)).concat());
    let expected = [both().count() as i64, both().sum()];
    assert_eq!(found, expected.map(|number| number.to_string()), "{of_both}");

    client
        .update("set fallback_mode = raise")
        .await
        .expect("an option");
    let refused = client.rows(of_structures).await.expect_err("a part is the CPU's");
    assert!(refused.message().contains("column st"), "{refused}");
}
