//! Scans on a device, here the emulated one, whose rows are looked for by the tables of their joins before the other
//! columns are read: what stays unread where the range of a key says nothing, and that the answers are those of the CPU.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use tempfile::TempDir;
use warpflight_tests::client::Client;
use warpflight_tests::server::Server;

use crate::scans::{ROW_GROUPS, ROWS, analysed, served, sum, write};

/// Rows of which the keys have something in common that no range of them shows.
const BLOCK_ROWS: i64 = 500;
/// The blocks whose keys the small tables have: of the first and the third row group.
const BLOCKS: [i64; 3] = [7, 41, 42];

/// The key of a row: those of each page lie in the whole range.
fn key(id: i64) -> i64 {
    (id % BLOCK_ROWS) * 1000 + (id / BLOCK_ROWS) * 379 % 997
}

/// Keys of each type, and columns that are only read where their rows are wanted.
fn rows(ids: &[i64], keys: &[Option<i64>]) -> RecordBatch {
    let (id, key): (Int64Array, Int64Array) = (ids.iter().copied().collect(), keys.iter().copied().collect());
    let keys = || keys.iter().copied();
    let high: Int32Array = keys().map(|key| key.map(|key| (key / 7) as i32)).collect();
    let low: Int32Array = keys().map(|key| key.map(|key| (key % 7) as i32)).collect();
    let name: StringArray = keys()
        .map(|key| key.map(|key| format!("ключ {key:07}")))
        .collect();
    let price: Decimal128Array = keys().map(|key| key.map(|key| i128::from(key) * 3)).collect();
    let real: Float64Array = keys().map(|key| key.map(|key| key as f64 / 4.0)).collect();
    let noise = ids
        .iter()
        .map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15u64.cast_signed()));
    let noise: Int64Array = noise.collect();
    let text: StringArray = ids
        .iter()
        .map(|id| Some(format!("what is said of row {id}")))
        .collect();
    let price = price.with_precision_and_scale(12, 2).expect("a decimal");
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(id) as ArrayRef, false),
        ("key", Arc::new(key), true),
        ("high", Arc::new(high), true),
        ("low", Arc::new(low), true),
        ("name", Arc::new(name), true),
        ("price", Arc::new(price), true),
        ("real", Arc::new(real), true),
        ("noise", Arc::new(noise), false),
        ("text", Arc::new(text), false),
    ])
    .expect("the columns are equally long")
}

fn of_blocks(blocks: &[i64]) -> Vec<i64> {
    let rows = |&block: &i64| block * BLOCK_ROWS..(block + 1) * BLOCK_ROWS;
    blocks.iter().flat_map(rows).collect()
}

/// A large table, `facts`; `dims`, with the keys of three blocks of it, with null and with some that it lacks; `twice`, which
/// has each of these again; `few`, with those of one of the blocks; `thirds`, with every third of all.
async fn client() -> (TempDir, Server, Client) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let write = |name: &str, ids: &[i64], keys: &[Option<i64>]| {
        write(&folder.path().join(format!("{name}.parquet")), &rows(ids, keys));
    };
    let all: Vec<i64> = (0..ROWS).collect();
    let keys: Vec<Option<i64>> = all.iter().map(|&id| (id % 89 > 0).then(|| key(id))).collect();
    write("facts", &all, &keys);
    let there = of_blocks(&BLOCKS).into_iter().map(key);
    // No block has the rest 998.
    let keys: Vec<Option<i64>> = there
        .chain((0..400).map(|row| row * 1000 + 998))
        .map(Some)
        .chain([None])
        .collect();
    let ids: Vec<i64> = (0..).take(keys.len()).collect();
    write("dims", &ids, &keys);
    write("twice", &[&ids[..], &ids].concat(), &[&keys[..], &keys].concat());
    let ids = of_blocks(&BLOCKS[..1]);
    let keys: Vec<Option<i64>> = ids.iter().map(|&id| Some(key(id))).collect();
    write("few", &ids, &keys);
    let ids: Vec<i64> = all.into_iter().filter(|id| id % 3 == 0).collect();
    let keys: Vec<Option<i64>> = ids.iter().map(|&id| Some(key(id))).collect();
    write("thirds", &ids, &keys);
    let (server, mut client) = served(folder.path()).await;
    for option in ["debug_force = 'seek'", "target_partition_size = 1"] {
        client.update(&format!("set {option}")).await.expect("an option");
    }
    (folder, server, client)
}

/// How many row groups and pages of the statement's scans were left out because of single rows.
async fn left_out(client: &mut Client, sql: &str) -> (f64, f64) {
    // Compared with the CPU's answer.
    client.rows(sql).await.expect(sql);
    let text = analysed(client, sql).await;
    (
        sum(&text, "row_groups_pruned_by_rows"),
        sum(&text, "pages_pruned_by_rows"),
    )
}

/// Joins by which rows of `facts` are dropped unless they match, in ways that ranges of keys do not show. In the last one, the
/// second join must not be asked: rows of `dims` would seem to have no match.
const ASKED: [&str; 21] = [
    "select count(*), min(f.text), sum(f.noise % 1000) from facts f join dims d on f.key = d.key",
    "select count(*), min(f.text), sum(f.noise % 1000) from facts f join dims d on f.name = d.name",
    "select count(*), min(f.text), sum(f.noise % 1000) from facts f join dims d on f.high = d.high and f.low = d.low",
    "select count(*), min(f.text), sum(f.noise % 1000) from facts f join dims d on f.price = d.price",
    "select count(*), min(f.text), sum(f.noise % 1000) from facts f join dims d on f.real = d.real",
    "select count(*), min(f.text), sum(f.noise % 1000) from facts f join dims d on f.high = d.high and f.name = d.name",
    "select count(*), min(f.text), sum(f.noise % 1000) from facts f join dims d on f.high * 7 + f.low = d.key",
    "select count(*), min(f.text), sum(f.noise % 1000) from facts f join twice d on f.key = d.key",
    "select count(*), min(f.text), sum(d.noise % 1000) from facts f join twice d on f.name = d.name",
    "select count(*), min(text), sum(noise % 1000) from facts where key in (select key from dims)",
    "select d.id, count(f.noise), min(f.text) from dims d left join facts f on f.key = d.key group by d.id order by 1",
    "select d.id, count(f.noise), min(f.text) from twice d left join facts f on f.name = d.name group by d.id order by 1",
    "select id from dims d where exists (select 1 from facts f where f.key = d.key and f.noise % 1000 > d.noise % 1000 and f.text > d.text) order by 1",
    "select id from dims d where exists (select 1 from facts f where f.key = d.key and f.noise > 0 and f.text > d.text) order by 1",
    "select id from dims d where not exists (select 1 from facts f where f.key = d.key and f.noise > 0 and f.text > d.text) order by 1",
    "select id from dims d where not exists (select 1 from facts f where f.name = d.name and f.text > d.text) order by 1",
    "select count(*), min(f.text), sum(a.noise % 7 + b.noise % 7) from facts f join dims a on f.key = a.key join few b on f.name = b.name",
    "select count(*), min(f.text), sum(a.noise % 7) from facts f join dims a on f.key = a.key left join few b on f.name = b.name where b.id is null or b.id % 2 = 0",
    "select count(*), min(f.text), sum(a.noise % 7) from facts f join dims a on f.key = a.key where f.noise % 2 = 0 and f.id <> 3700",
    "select count(*), min(f.text), sum(a.noise % 7) from facts f join dims a on f.key = a.key where f.noise >= (select min(noise) from few)",
    "select count(*), min(f.text), max(d.id) from dims d left join facts f on f.key = d.key join few b on coalesce(f.name, 'ключ 0000659') = b.name",
];

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_match_stay_unread() {
    let (_folder, _server, mut client) = client().await;
    for sql in ASKED {
        let (row_groups, pages) = left_out(&mut client, sql).await;
        // Row groups of 8000 rows, three or more of them with no key that is asked for.
        assert!(
            row_groups >= ROW_GROUPS as f64 - 2.0,
            "{sql}: {row_groups} row groups"
        );
        assert!(pages > 0.0, "{sql}: {pages} pages");
        client
            .update("set runtime_filters = off")
            .await
            .expect("an option");
        let off = left_out(&mut client, sql).await;
        client.update("reset runtime_filters").await.expect("an option");
        // What filters keep lies on all pages.
        assert_eq!(off, (0.0, 0.0), "{sql}: without the tables of joins");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_way_a_scan_is_cut() {
    let (_folder, _server, mut client) = client().await;
    let sql = "select count(*), min(f.text) from facts f join dims a on f.key = a.key join few b on f.name = b.name";
    for option in ["target_partition_size = 0", "executor = 'in-memory'"] {
        client.update(&format!("set {option}")).await.expect("an option");
        let (row_groups, pages) = left_out(&mut client, sql).await;
        // Only the first row group is left, and of that the block's pages.
        assert_eq!(row_groups, ROW_GROUPS as f64 - 1.0, "{option}");
        assert!(pages > 0.0, "{option}");
    }
}

/// Joins of which rows of `facts` leave without a match, or decide by what is in no table, or whose table does not say which keys it
/// has.
const NOT_ASKED: [&str; 9] = [
    "select count(*), count(d.id), min(f.text) from facts f left join dims d on f.key = d.key",
    "select count(*), count(d.id), min(f.text) from facts f full join dims d on f.key = d.key",
    "select count(*), min(text) from facts f where not exists (select 1 from dims d where d.key = f.key)",
    "select count(*), min(text) from facts where key not in (select key from dims where key is not null)",
    "select count(*) from dims where key not in (select key from facts where length(text) > 3)",
    "select count(*) from dims where name not in (select name from facts f where not exists (select 1 from few e where e.text = f.text))",
    "select count(*), min(f.text) from facts f join dims d on f.key is not distinct from d.key",
    "select count(*), min(f.text) from facts f where f.key in (select key from dims) or f.noise % 2 = 0",
    "select count(*) from dims d where exists (select 1 from facts f where f.key = d.key and not exists (select 1 from few e where e.text = f.text))",
];

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_leave_without_a_match_are_read() {
    let (_folder, _server, mut client) = client().await;
    for sql in NOT_ASKED {
        assert_eq!(left_out(&mut client, sql).await, (0.0, 0.0), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_with_keys_of_all_pages_leave_nothing_out() {
    let (_folder, _server, mut client) = client().await;
    for sql in [
        "select count(*), min(f.text), sum(f.noise % 7) from facts f join thirds t on f.key = t.key",
        "select count(*), min(f.text), sum(f.noise % 7) from facts f join thirds t on f.name = t.name",
    ] {
        assert_eq!(left_out(&mut client, sql).await, (0.0, 0.0), "{sql}");
    }
    // Nor does what computing the key of a row raises end the search: the join does that.
    let sql = "select count(*), min(f.text) from facts f join dims d on 1000 / (f.low - 3) = d.key";
    let refused = client.rows(sql).await.expect_err(sql);
    assert!(
        refused.message().to_lowercase().contains("division by zero"),
        "{refused}"
    );
}
