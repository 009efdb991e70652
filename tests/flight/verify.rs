//! `verify = true`, where scans rightly leave out other rows than the CPU does.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
use warpflight_tests::client::Client;
use warpflight_tests::data::write_parquet;
use warpflight_tests::server::Options;

use crate::device::plan;

/// DataFusion reads nothing of a file whose only values show that no row is wanted; the device reads its row group. The
/// filter above, which is the CPU's, drops the row.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_filter_above_drops_do_not_count() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let amount = Decimal128Array::from(vec![800]).with_precision_and_scale(9, 2);
    let columns: [(&str, ArrayRef); 2] = [
        ("amount", Arc::new(amount.expect("nine digits"))),
        ("name", Arc::new(StringArray::from(vec!["a"]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    write_parquet(&folder.path().join("only.parquet"), &batch, 1);
    let names = StringArray::from_iter_values((0..50).map(|row| ["a", "b"][row % 2]));
    let names: [(&str, ArrayRef); 1] = [("name", Arc::new(names))];
    let names = RecordBatch::try_from_iter(names).expect("one column");
    write_parquet(&folder.path().join("many.parquet"), &names, 50);
    let server = Options::new()
        .data(folder.path())
        .env("WARPFLIGHT_DEVICE", "sim")
        .start();
    let mut client = Client::connect(&server).await;
    client.update("set verify = true").await.expect("an option");
    let wanted = |amount: &str| {
        format!("select count(name) from only where amount - amount {amount} and md5(name) <> name")
    };
    let plan = plan(&mut client, &wanted("> 5")).await;
    assert!(plan.contains("CpuFallbackExec: FilterExec"), "{plan}");
    for (amount, count) in [("> 5", "0"), ("< 5", "1")] {
        let counted = client.value(&wanted(amount)).await;
        assert_eq!(counted.expect("both agree"), count);
    }
    // Where answers differ all the same, parts of the plan that can run once have to run again.
    let numbers = "select name, string_agg(cast(random() as varchar), ',') r from many group by name";
    for option in ["set cpu_partitions = 4", "set batch_rows = 5"] {
        client.update(option).await.expect("an option");
    }
    let sql = format!("select min(g.r) from only n join ({numbers}) g on n.name = g.name where n.amount > 5");
    let plan = crate::device::plan(&mut client, &sql).await;
    assert!(plan.contains("RepartitionExec"), "{plan}");
    let refused = client.value(&sql).await.expect_err("no two numbers are the same");
    let message = refused.to_string();
    assert!(
        message.contains("the GPU's answer differs from the CPU's"),
        "{message}"
    );
}

/// DataFusion gives `round` of a decimal fewer digits once its places are known to be constant, and lets the ELSE of the
/// CASE that `coalesce` becomes keep the type from before.
#[tokio::test(flavor = "multi_thread")]
async fn a_case_whose_else_has_another_type_is_the_cpus() {
    let server = Options::new().env("WARPFLIGHT_DEVICE", "sim").start();
    let mut client = Client::connect(&server).await;
    client.update("set verify = true").await.expect("an option");
    let values = "(cast(null as decimal(38, 6)), cast(0.25 as decimal(9, 2))), (1.26, 2.75)";
    let create = format!("create table amounts as select * from (values {values}) v(a, b)");
    client.update(&create).await.expect("a table");
    let sql = "select sum(coalesce(round(a, 1), abs(b))) from amounts";
    let plan = plan(&mut client, sql).await;
    assert!(plan.contains("with ELSE of type"), "{plan}");
    client.value(sql).await.expect("both agree");
}
