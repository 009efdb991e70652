//! Strings that come from files as codes of dictionaries, on a device, here the emulated one: groups, joins and orders by
//! them are the CPU's, whichever of several dictionaries a row's is in, and also where other files have none.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use tempfile::TempDir;
use warpflight_tests::client::Client;
use warpflight_tests::data::write_parquet_as;
use warpflight_tests::server::Server;

use crate::scans::{analysed, served, sum};

const ROWS: i64 = 3000;

/// Strings of which a key has room, longer ones with a beginning in common, none, and the empty one.
const COLOURS: [Option<&str>; 8] = [
    Some("red"),
    Some("seven b"),
    Some("eight by"),
    Some("a colour that has a long name, no. 1"),
    Some("a colour that has a long name, no. 2"),
    Some(""),
    None,
    Some("grün"),
];

fn town(id: i64) -> Option<String> {
    (id % 13 > 0).then(|| format!("town of number {}", id * 7919 % 90))
}

/// `colour` and `town` are named by dictionaries in all files; `late` and `early` hold what `town` does, in the first file or in
/// the second one without.
fn rows(ids: std::ops::Range<i64>) -> RecordBatch {
    let colour: StringArray = ids
        .clone()
        .map(|id| COLOURS[(id * 31 % 97) as usize % 8])
        .collect();
    let towns = || -> ArrayRef { Arc::new(ids.clone().map(town).collect::<StringArray>()) };
    let number: Int64Array = ids.clone().map(|id| Some(id * 104_729 % 1009)).collect();
    RecordBatch::try_from_iter_with_nullable([
        (
            "id",
            Arc::new(ids.clone().map(Some).collect::<Int64Array>()) as ArrayRef,
            false,
        ),
        ("colour", Arc::new(colour), true),
        ("town", towns(), true),
        ("late", towns(), true),
        ("early", towns(), true),
        ("number", Arc::new(number), false),
    ])
    .expect("the columns are equally long")
}

/// A file of row groups of 500 rows, of which one column's strings lie as they are.
fn write(path: &Path, rows: &RecordBatch, plain: &str) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(500))
        .set_column_dictionary_enabled(ColumnPath::from(plain), false)
        .build();
    write_parquet_as(path, rows, properties);
}

/// `facts`, of two files; `towns`, every third town of them, null, and some that they lack, all twice.
async fn client() -> (TempDir, Server, Client) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let facts = folder.path().join("facts");
    std::fs::create_dir(&facts).expect("a folder can be made");
    write(&facts.join("1.parquet"), &rows(0..ROWS / 2), "late");
    write(&facts.join("2.parquet"), &rows(ROWS / 2..ROWS), "early");
    let ids = (0..120).filter(|id| id % 3 == 0).chain([13, 1]);
    let names = ids.map(|number| (number != 13).then(|| format!("town of number {number}")));
    let names: Vec<Option<String>> = names.collect();
    let names = [names.clone(), names].concat();
    let ids: Int64Array = (0..names.len() as i64).map(Some).collect();
    let notes = (0..names.len()).map(|at| Some(format!("what is said of {}", at % 7)));
    let notes: StringArray = notes.collect();
    let towns = RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids) as ArrayRef, false),
        ("name", Arc::new(StringArray::from(names)), true),
        ("note", Arc::new(notes), true),
    ]);
    let towns = towns.expect("the columns are equally long");
    write(&folder.path().join("towns.parquet"), &towns, "none");
    let (server, client) = served(folder.path()).await;
    (folder, server, client)
}

const GROUPS: [&str; 18] = [
    "select colour, count(*), sum(number) from facts group by colour order by colour",
    "select town, count(*), min(id) from facts group by town order by town nulls first",
    "select colour, town, count(*), max(number) from facts group by colour, town order by colour, town",
    "select colour, number % 3 as k, town, count(*) from facts where id % 2 = 0 group by colour, k, town order by 1, 2, 3",
    "select late, count(*) from facts group by late order by late",
    "select early, count(*) from facts group by early order by early",
    "select late, colour, early, count(*) from facts group by late, colour, early order by 1, 2, 3",
    "select colour, town, count(*) from facts group by cube (colour, town) order by 1, 2, 3",
    "select colour, late, grouping(late), count(*) from facts group by grouping sets ((colour, late), (colour), ()) order by 1, 2, 3, 4",
    "select distinct colour, early from facts order by 1, 2",
    "select colour, count(distinct town), min(town), max(late) from facts group by colour order by colour",
    "select upper(colour) as u, town, count(*) from facts group by u, town order by 1, 2",
    "select colour from facts where id < 0 group by colour",
    "select colour, first_value(town order by number, id), count(*) from facts group by colour order by 1",
    "select t.note, f.colour, count(*) from facts f join towns t on f.id = t.id group by t.note, f.colour order by 1, 2",
    "select count(distinct town), count(distinct colour), count(distinct late) from facts where id % 7 > 1",
    "select number % 5 as k, count(distinct colour), count(distinct town) filter (where id % 3 = 0), count(distinct number) from facts group by k order by k",
    "select number % 5 as k, count(distinct early), min(early), count(early) from facts group by k order by k",
];

const JOINS: [&str; 14] = [
    "select count(*), sum(f.id), min(t.note) from facts f join towns t on f.town = t.name",
    "select count(*), sum(f.id), min(t.note) from facts f join towns t on f.late = t.name",
    "select count(*), sum(f.id), min(t.note) from facts f join towns t on f.early = t.name where f.number % 3 = 0",
    "select count(*), sum(f.id) from facts f where f.town in (select name from towns)",
    "select count(*), sum(f.id) from facts f where f.town not in (select name from towns where name is not null)",
    "select count(*), sum(f.id) from facts f where not exists (select 1 from towns t where t.name = f.early)",
    "select count(*), sum(f.id), count(t.id) from facts f left join towns t on f.town = t.name",
    "select count(*), sum(f.id), count(t.id) from facts f right join towns t on f.town = t.name",
    "select count(*), sum(f.id), count(t.id), count(f.id) from facts f full join towns t on f.town = t.name",
    "select count(*), sum(f.id) from facts f join towns t on f.town is not distinct from t.name",
    "select count(*), sum(f.id) from facts f join towns t on f.town = t.name and f.number > t.id",
    "select count(*), sum(f.id) from facts f join towns t on f.town = t.name and f.number % 80 = t.id",
    "select t.note, count(*), sum(f.id) from facts f join towns t on f.town = t.name group by t.note order by 1",
    "select count(*), sum(f.id) from facts f join towns t on f.number = t.id join (select distinct name from towns) n on t.name = n.name",
];

const ORDERS: [&str; 9] = [
    "select id, colour from facts order by colour, id",
    "select id, town, colour from facts order by town desc nulls first, colour nulls last, id desc",
    "select late, id from facts where id % 3 > 0 order by late desc, id",
    "select early, town, id from facts order by early, id",
    "select id, town from facts order by number, id",
    "select id, colour, town from facts order by colour desc, town, id limit 17",
    "select id, late from facts order by late nulls first, id desc limit 300",
    "select id, colour, row_number() over (partition by colour order by town, id) as n from facts order by id",
    "select id, rank() over (order by late, number), lag(town) over (partition by colour order by id) from facts order by id",
];

/// Runs the statements, each compared with the CPU's answer, and returns how many entries of dictionaries each worked on in
/// place of rows.
async fn entries(client: &mut Client, statements: &[&str]) -> Vec<f64> {
    let mut found = Vec::new();
    for sql in statements {
        client.rows(sql).await.expect(sql);
        found.push(sum(&analysed(client, sql).await, "dictionary_entries"));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_those_of_numbers() {
    let (_folder, _server, mut client) = client().await;
    let found = entries(&mut client, &GROUPS).await;
    // The second statement: 90 towns at most in each of six row groups, read as one partition.
    assert!((80.0..=540.0).contains(&found[1]), "{found:?}");
    // All but where a file of the one partition has no dictionary, where strings are made first, and where there is no row.
    let without: Vec<usize> = (0..found.len()).filter(|&at| found[at] == 0.0).collect();
    assert_eq!(without, [4, 5, 11, 12, 17], "{found:?}");
    client
        .update("set target_partition_size = 1")
        .await
        .expect("an option");
    let found = entries(&mut client, &GROUPS).await;
    // A partition a row group: the first ones of `late` have none, those of `early` do.
    assert!(found[1] > 0.0 && found[4] == 0.0 && found[5] > 0.0, "{found:?}");
    for option in ["debug_force = 'small_tables'", "target_partition_size = 0"] {
        client.update(&format!("set {option}")).await.expect("an option");
    }
    entries(&mut client, &GROUPS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_look_up_entries() {
    let (_folder, _server, mut client) = client().await;
    for size in [0, 1] {
        let sql = format!("set target_partition_size = {size}");
        client.update(&sql).await.expect("an option");
        let found = entries(&mut client, &JOINS).await;
        // A null equals a null there, and there is another key beside the string there.
        for at in [9, 11] {
            assert!(found[at] == 0.0, "{}: {found:?}", JOINS[at]);
        }
        assert!(found[0] > 0.0 && found[3] > 0.0 && found[6] > 0.0, "{found:?}");
    }
    for force in ["lists", "swap", "seek"] {
        let sql = format!("set debug_force = '{force}'");
        client.update(&sql).await.expect("an option");
        entries(&mut client, &JOINS).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_those_of_ranks() {
    let (_folder, _server, mut client) = client().await;
    for size in [0, 1] {
        let sql = format!("set target_partition_size = {size}");
        client.update(&sql).await.expect("an option");
        let found = entries(&mut client, &ORDERS).await;
        assert!(found[0] > 0.0 && found[1] > 0.0 && found[5] > 0.0, "{found:?}");
    }
}
