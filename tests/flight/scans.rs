//! Scans on a device, here the emulated one, that read no more than they must: what filters and joins leave unread, and
//! that the answers are those of the CPU.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;
use warpflight_tests::client::{Client, column_text};
use warpflight_tests::data::write_parquet_as;
use warpflight_tests::server::{Options, Server};

pub(crate) const ROWS: i64 = 48_000;
pub(crate) const ROW_GROUPS: usize = 6;

/// A column of each type of key that goes up with `id`, and some that do not.
fn rows(ids: impl Iterator<Item = i64> + Clone) -> RecordBatch {
    let every = |id: i64| (id % 17 > 0).then_some(id);
    let id: Int64Array = ids.clone().map(Some).collect();
    let day: Date32Array = ids
        .clone()
        .map(|id| every(id).map(|id| (id / 10) as i32))
        .collect();
    let name: StringArray = ids
        .clone()
        .map(|id| every(id).map(|id| format!("n{id:07}")))
        .collect();
    let price: Decimal128Array = ids
        .clone()
        .map(|id| every(id).map(|id| i128::from(id) * 3))
        .collect();
    let small: Int32Array = ids.clone().map(|id| every(id).map(|id| id as i32)).collect();
    let noise: Int64Array = ids
        .map(|id| Some(id.wrapping_mul(0x9e37_79b9_7f4a_7c15u64.cast_signed())))
        .collect();
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(id) as ArrayRef, true),
        ("day", Arc::new(day), true),
        ("name", Arc::new(name), true),
        (
            "price",
            Arc::new(price.with_precision_and_scale(12, 2).expect("a decimal")),
            true,
        ),
        ("small", Arc::new(small), true),
        ("noise", Arc::new(noise), true),
    ])
    .expect("the columns are equally long")
}

/// A file of so many row groups, with pages of 400 rows.
pub(crate) fn write(path: &Path, rows: &RecordBatch) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(ROWS as usize / ROW_GROUPS))
        .set_data_page_row_count_limit(400)
        .set_write_batch_size(100)
        .build();
    write_parquet_as(path, rows, properties);
}

/// A large table in the order of its keys, `facts`, and a small one, `dims`, with keys from three places of it.
async fn client() -> (TempDir, Server, Client) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    write(&folder.path().join("facts.parquet"), &rows(0..ROWS));
    let keys = (9_010..9_020).chain(9_500..9_503).chain([30_005, 30_006]);
    write(&folder.path().join("dims.parquet"), &rows(keys));
    let (server, client) = served(folder.path()).await;
    (folder, server, client)
}

/// A server on the emulated device, and a session whose every answer is compared with the CPU's.
pub(crate) async fn served(folder: &Path) -> (Server, Client) {
    let server = Options::new()
        .data(folder)
        .env("WARPFLIGHT_DEVICE", "sim")
        .start();
    let mut client = Client::connect(&server).await;
    for option in ["fallback_mode = 'raise'", "verify = true"] {
        client.update(&format!("set {option}")).await.expect("an option");
    }
    (server, client)
}

/// The sum of a number over all pipelines, as `EXPLAIN ANALYZE` shows it.
pub(crate) fn sum(analysed: &str, name: &str) -> f64 {
    let name = format!("_{name}=");
    let shown = analysed.split(&name).skip(1);
    let number = |shown: &str| -> f64 {
        let text = shown.split([',', ']']).next().unwrap_or_default();
        let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
        let factor = match unit {
            "K" => 1e3,
            "M" => 1e6,
            _ => 1.0,
        };
        number.parse::<f64>().expect("a number") * factor
    };
    shown.map(number).sum()
}

pub(crate) async fn analysed(client: &mut Client, sql: &str) -> String {
    let rows = client.rows(&format!("explain analyze {sql}")).await.expect(sql);
    let text = column_text(rows.column(1)).join("\n");
    assert!(text.contains("GpuExec"), "{sql}: {text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_pages_unread() {
    let (_folder, _server, mut client) = client().await;
    let all = sum(&analysed(&mut client, "select * from facts").await, "bytes_read");
    for filter in [
        "id between 20000 and 20100",
        "day = date '1972-09-27'",
        "name >= 'n0012345' and name < 'n0012400'",
        "price = 600.06 or price between 1 and 3",
        "id > 20000 and small < 20050",
    ] {
        let sql = format!("select * from facts where {filter}");
        client.rows(&sql).await.expect(&sql);
        let text = analysed(&mut client, &sql).await;
        assert!(sum(&text, "pages_pruned") > 0.0, "{sql}: {text}");
        // Dictionaries are read whole.
        assert!(sum(&text, "bytes_read") * 2.0 < all, "{sql}: {text}");
    }
}

/// Joins of which the keys of `dims` say what of `facts` is read, or all of it is not.
const NARROWING: [&str; 12] = [
    "select count(*), sum(f.noise % 1000) from dims d join facts f on d.id = f.id",
    "select count(*), sum(f.noise % 1000) from dims d join facts f on d.day = f.day",
    "select count(*), sum(f.noise % 1000) from dims d join facts f on d.name = f.name",
    "select count(*), sum(f.noise % 1000) from dims d join facts f on d.price = f.price",
    "select count(*), sum(f.noise % 1000) from dims d join facts f on d.small = f.small and d.name = f.name",
    "select count(*), sum(noise % 1000) from facts where id in (select id from dims)",
    "select d.id, count(f.noise) from dims d left join facts f on d.small = f.small group by d.id order by 1",
    "select id from dims d where exists (select 1 from facts f where f.id = d.id and f.noise > d.small) order by 1",
    "select id from dims d where not exists (select 1 from facts f where f.small = d.small) order by 1",
    "select count(*), min(f.name) from facts f join dims a on a.id = f.id join dims b on b.small = f.small",
    "select count(*), min(f.name) from facts f join dims a on a.id = f.id and a.noise % 2 = 0 where f.day is not null",
    "select count(*) from facts f join dims d on f.id = d.id and d.name = 'none'",
];

#[tokio::test(flavor = "multi_thread")]
async fn joins_leave_row_groups_and_pages_unread() {
    let (_folder, _server, mut client) = client().await;
    for force in ["none", "groups", "small_tables", "swap"] {
        let set = format!("set debug_force = '{force}'");
        client.update(&set).await.expect("an option");
        for sql in NARROWING {
            // Of many keys only numbers have their least and greatest found.
            if force == "small_tables" && sql.contains("d.name = f.name") {
                continue;
            }
            client.rows(sql).await.expect(sql);
            let text = analysed(&mut client, sql).await;
            assert!(
                sum(&text, "row_groups_pruned_by_joins") >= 2.0,
                "{force}: {sql}: {text}"
            );
            let is_void = sql.contains("'none'");
            if force == "none" {
                assert!(
                    is_void || sum(&text, "pages_pruned_by_joins") > 0.0,
                    "{sql}: {text}"
                );
            }
            if is_void {
                assert_eq!(
                    sum(&text, "row_groups_pruned_by_joins"),
                    ROW_GROUPS as f64,
                    "{sql}: {text}"
                );
            }
            client
                .update("set runtime_filters = off")
                .await
                .expect("an option");
            let off = analysed(&mut client, sql).await;
            client.update("reset runtime_filters").await.expect("an option");
            assert_eq!(sum(&off, "row_groups_pruned_by_joins"), 0.0, "{sql}: {off}");
            if !is_void {
                let (less, all) = (sum(&text, "bytes_read"), sum(&off, "bytes_read"));
                assert!(less * 1.3 < all, "{force}: {sql}: {less} of {all} bytes are read");
            }
        }
    }
}

/// Joins of which rows of `facts` leave without a match, or match by something else than equal values of one type.
const KEEPING: [&str; 8] = [
    "select count(*), count(d.id), sum(f.noise % 1000) from facts f left join dims d on f.id = d.id",
    "select count(*), count(d.id), count(f.id) from facts f full join dims d on f.id = d.id",
    "select count(*) from facts f where not exists (select 1 from dims d where d.id = f.id)",
    "select count(*) from facts where id not in (select id from dims)",
    "select count(*) from dims where small not in (select small from facts)",
    "select count(*) from dims where small not in (select small from facts where small > 40000)",
    "select count(*) from facts f join dims d on f.small is not distinct from d.small",
    "select count(*) from facts f join dims d on f.small = d.id",
];

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_leave_without_a_match_are_read() {
    let (_folder, _server, mut client) = client().await;
    for sql in KEEPING {
        client.rows(sql).await.expect(sql);
        let text = analysed(&mut client, sql).await;
        assert_eq!(sum(&text, "row_groups_pruned_by_joins"), 0.0, "{sql}: {text}");
        assert_eq!(sum(&text, "pages_pruned_by_joins"), 0.0, "{sql}: {text}");
    }
}

/// Filters on columns that lie in no order, which keep few rows or none.
const SEEKING: [&str; 9] = [
    "select * from facts where noise = 40000 * -7046029254386353131",
    "select id, price from facts where noise % 16000 = 0 and name is not null",
    "select * from facts where noise = 1",
    "select sum(id), min(name) from facts where noise in (-7046029254386353131, 40000 * -7046029254386353131)",
    "select f.name, d.noise from facts f join dims d on f.id = d.id where f.noise = 9012 * -7046029254386353131",
    "select name, day from facts where noise = 40000 * -7046029254386353131 or id = 7",
    "select name from facts where id > 30000 and noise = 40000 * -7046029254386353131 limit 1",
    "select noise from facts where name like '%0012345%'",
    "select id from facts where noise = (select max(noise) from facts)",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_few_rows_do_not_need_stays_unread() {
    let (_folder, _server, mut client) = client().await;
    let all = sum(&analysed(&mut client, "select * from facts").await, "bytes_read");
    for force in ["seek", "none"] {
        for option in [&format!("debug_force = '{force}'"), "target_partition_size = 1"] {
            client.update(&format!("set {option}")).await.expect("an option");
        }
        for sql in SEEKING {
            client.rows(sql).await.expect(sql);
            let text = analysed(&mut client, sql).await;
            let left_out = sum(&text, "pages_pruned_by_rows") + sum(&text, "row_groups_pruned_by_rows");
            let is_sought = force == "seek" && !sql.contains("max(noise)");
            assert_eq!(left_out > 0.0, is_sought, "{force}: {sql}: {text}");
            if is_sought && sql.contains("select * from facts where noise = 1") {
                assert_eq!(
                    sum(&text, "row_groups_pruned_by_rows"),
                    ROW_GROUPS as f64,
                    "{sql}: {text}"
                );
                assert!(sum(&text, "bytes_read") * 2.0 < all, "{sql}: {text}");
            }
        }
    }
    // Filters that keep many rows leave nothing out, however they are run.
    client
        .update("set debug_force = 'seek'")
        .await
        .expect("an option");
    for sql in [
        "select * from facts where noise % 2 = 0",
        "select count(*), max(name) from facts where noise <> 5",
    ] {
        client.rows(sql).await.expect(sql);
        let text = analysed(&mut client, sql).await;
        assert_eq!(sum(&text, "pages_pruned_by_rows"), 0.0, "{sql}: {text}");
    }
}
