//! Joins whose sides change places, on a device, here the emulated one: the answers are those of the CPU, and the metrics say
//! whether it happened.

use std::path::Path;

use arrow::array::{Int32Array, Int64Array, RecordBatch, StringArray};
use warpflight_tests::data::write_parquet;
use warpflight_tests::server::Options;

use crate::both::Both;
use crate::device::plan;
use crate::partitions::{column, some};
use crate::scans::{analysed, sum};

/// Rows of each table, in row groups of 128; keys are null here and there, and not unique.
const TABLES: [(&str, usize); 4] = [("big", 900), ("mid", 150), ("few", 40), ("one", 7)];
const NAMES: [&str; 5] = ["ab", "日本語", "", "twelve bytes and more", "ä"];

/// Each type of join in both directions, and each once more with what pairs must meet beside equal keys. All of these
/// change places.
const SWAPPED: [&str; 34] = [
    "select b.id, f.id, b.s, f.s from big b join few f on b.k = f.k order by 1, 2",
    "select b.id, f.id from big b join few f on b.k = f.k and b.v > f.v order by 1, 2",
    "select f.id, f.s, b.id, b.s from few f left join big b on f.k = b.k order by 1, 3",
    "select f.id, f.s, b.id, b.v from few f left join big b on f.k = b.k and b.v > f.v * 20 order by 1, 3",
    "select b.id, f.id, f.s, b.s from big b left join few f on f.k = b.k order by 1, 2",
    "select b.id, f.id, f.s, b.v from big b left join few f on f.k = b.k and b.v > f.v * 20 order by 1, 2",
    "select b.id, f.id, f.s, b.s from big b full join few f on f.k = b.k order by 1, 2",
    "select b.id, f.id, f.s, b.v from big b full join few f on f.k = b.k and b.v > f.v * 20 order by 1, 2",
    "select id, min(s), count(*) from big b where exists (select 1 from few f where f.k = b.k) group by id order by id",
    "select id, min(s), count(*) from big b where exists (select 1 from few f where f.k = b.k and f.v < b.v % 40) group by id order by id",
    "select id, min(s), count(*) from few f where exists (select 1 from big b where f.k = b.k and b.v % 3 = 0) group by id order by id",
    "select id, s from few f where exists (select 1 from big b where f.k = b.k and f.v < b.v % 40) order by id",
    "select id, min(s), count(*) from big b where not exists (select 1 from few f where f.k = b.k) group by id order by id",
    "select id, min(s), count(*) from big b where not exists (select 1 from few f where f.k = b.k and f.v < b.v % 40) group by id order by id",
    "select id, min(s), count(*) from few f where not exists (select 1 from big b where f.k = b.k and b.v % 300 = 0) group by id order by id",
    "select id, s from few f where not exists (select 1 from big b where f.k = b.k and f.v * 40 < b.v) order by id",
    "select id, s from big b where v > 800 or exists (select 1 from few f where f.k = b.k) order by id",
    "select id, s from big b where v > 800 or exists (select 1 from few f where f.k = b.k and f.v < b.v % 40) order by id",
    "select id, s from few f where v > 30 or exists (select 1 from big b where f.k = b.k and b.v % 300 = 0) order by id",
    "select id, s from few f where v > 30 or exists (select 1 from big b where f.k = b.k and f.v * 40 < b.v) order by id",
    "select count(*), sum(id) from few f where v > 30 or exists (select 1 from big b where f.k = b.k and b.v % 100 = 7)",
    "select count(*), sum(id) from few f where v > 30 or exists (select 1 from big b where f.k = b.k and f.v < b.v and b.v % 100 = 7)",
    // Other keys: several, texts, computed ones, nulls that are equal, none.
    "select b.id, f.id from big b join few f on b.k = f.k and b.s = f.s order by 1, 2",
    "select b.id, f.id from big b left join few f on b.s = f.s and b.v = f.v order by 1, 2",
    "select f.id, b.id, b.s from few f left join big b on f.k + 1 = b.k * 2 order by 1, 2",
    "select f.id, b.id, b.s from big b full join few f on f.k + 1 = b.k * 2 and b.v % 2 = f.v % 2 order by 1, 2",
    "select id from few f where exists (select 1 from big b where f.k + 1 = b.k * 2) order by id",
    "select id from few f where v > 30 or exists (select 1 from big b where f.k + 1 = b.k * 2) order by id",
    "select b.id, f.id from big b full join few f on (b.k is not distinct from f.k) and (b.s is not distinct from f.s) order by 1, 2",
    "select count(*), sum(b.v * f.v) from big b, few f",
    "select b.id, f.id from big b left join few f on b.v + 20 < f.v order by 1, 2",
    // Aggregates and limits behind it, and other joins before it.
    "select f.s, count(*), sum(b.v), min(b.s) from big b join few f on b.k = f.k group by f.s order by 1",
    "select count(*) from (select b.id, f.id from big b join few f on b.k = f.k limit 7)",
    "select o.id, x.id, x.s from one o join (select b.id, b.k, f.s from big b join few f on b.k = f.k) x on o.k = x.k order by 1, 2, 3",
];

/// Each type of join with nothing to look up, if the left side is the build side.
const EMPTY: [&str; 6] = [
    "select count(*) from few f join (select * from big where v % 1000 = 950) b on f.k = b.k",
    "select f.id, f.s, b.s from few f left join (select * from big where v % 1000 = 950) b on f.k = b.k order by 1",
    "select f.id, f.s, b.s from few f right join (select * from big where v % 1000 = 950) b on f.k = b.k and f.v < b.v order by 1",
    "select f.id, f.s, b.s from few f full join (select * from big where v % 1000 = 950) b on f.k = b.k order by 1",
    "select id from few f where exists (select 1 from big b where f.k = b.k and b.v % 1000 = 950) order by id",
    "select id from few f where not exists (select 1 from big b where f.k = b.k and b.v % 1000 = 950) order by id",
];

/// What leaves the sides of joins as statements have them.
const AS_WRITTEN: [(&str, &str); 3] = [
    ("join_order", "written"),
    ("datafusion.optimizer.join_reordering", "false"),
    ("target_partition_size", "1"),
];

/// Joins that stay as they are: NOT IN, and those whose rows somebody expects in order.
const KEPT: [&str; 2] = [
    "select id from big where k not in (select k from few where k is not null and v < 9) order by id",
    "select f.id, b.id from few f join (select id, k from big order by id limit 100) b on f.k = b.k order by b.id, f.id",
];

/// The types of joins that statements must have, besides right mark joins, which come as written.
const TYPES: [&str; 9] = [
    "inner",
    "left",
    "right",
    "full",
    "leftsemi",
    "rightsemi",
    "leftanti",
    "rightanti",
    "leftmark",
];

fn table(number: usize, rows: usize) -> RecordBatch {
    let key = |at: usize| some(at, 11, ((at + number) * 7919 % 61 % (rows / 2 + 1)) as i32);
    let columns = [
        ("id", column::<Int64Array, _>(rows, |at| Some(at as i64))),
        ("k", column::<Int32Array, _>(rows, key)),
        (
            "s",
            column::<StringArray, _>(rows, |at| some(at, 13, NAMES[at * 31 % NAMES.len()])),
        ),
        (
            "v",
            column::<Int64Array, _>(rows, |at| Some((at * 37 % rows) as i64)),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("columns of one length")
}

fn write_tables(folder: &Path) {
    for (number, (name, rows)) in TABLES.into_iter().enumerate() {
        write_parquet(&folder.join(format!("{name}.parquet")), &table(number, rows), 128);
    }
}

async fn both(folder: &Path, options: &[(&str, &str)]) -> Both {
    write_tables(folder);
    let mut both = Both::start(Options::new().data(folder)).await;
    for (option, value) in options {
        let set = format!("set {option} = '{value}'");
        both.device.update(&set).await.expect("an option");
    }
    both
}

/// How many joins of a statement changed places, after its answer was seen to be right.
async fn swaps(both: &mut Both, sql: &str, wrong: &mut Vec<String>) -> f64 {
    let difference = both.difference(sql, 1e-9).await;
    wrong.extend(difference.map(|difference| format!("{difference}\n    {sql}")));
    sum(&analysed(&mut both.device, sql).await, "sides_swapped")
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

async fn forced(options: &[(&str, &str)]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut both = both(folder.path(), options).await;
    both.device
        .update("set debug_force = 'swap'")
        .await
        .expect("an option");
    let (mut wrong, mut plans) = (Vec::new(), String::new());
    for sql in SWAPPED {
        if swaps(&mut both, sql, &mut wrong).await == 0.0 {
            wrong.push(format!("nothing changed places\n    {sql}"));
        }
        plans += &plan(&mut both.device, sql).await;
    }
    for sql in KEPT {
        if swaps(&mut both, sql, &mut wrong).await > 0.0 {
            wrong.push(format!("sides changed places\n    {sql}"));
        }
    }
    assert_none(&wrong);
    for join_type in TYPES {
        assert!(plans.contains(&format!("| {join_type} join p")), "{join_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_join() {
    forced(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_of_join_in_small_partitions() {
    forced(&[("target_partition_size", "1"), ("max_rows_per_partition", "7")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sides_as_written_and_sides_without_rows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut both = both(folder.path(), &AS_WRITTEN).await;
    let (mut wrong, mut plans) = (Vec::new(), String::new());
    for (force, statements) in [
        ("swap", &SWAPPED[..]),
        ("swap", &EMPTY[..]),
        ("small_tables", &EMPTY[..]),
    ] {
        let set = format!("set debug_force = '{force}'");
        both.device.update(&set).await.expect("an option");
        for sql in statements {
            if swaps(&mut both, sql, &mut wrong).await == 0.0 {
                wrong.push(format!("{force}: nothing changed places\n    {sql}"));
            }
            plans += &plan(&mut both.device, sql).await;
        }
    }
    assert_none(&wrong);
    assert!(plans.contains("| rightmark join p"));
}

/// Three joins of one pipeline, whose rows come from `mid`: in each place `big` once, and each kind of them.
#[tokio::test(flavor = "multi_thread")]
async fn any_join_of_several() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = [("join_order", "written"), ("target_partition_size", "1")];
    let mut both = both(folder.path(), &options).await;
    let mut wrong = Vec::new();
    let shapes = [
        "select count(*), sum(A.v), sum(B.v), sum(C.v), sum(m.id), count(A.s), min(B.s), max(C.s) from mid m left join A on m.k = A.k and A.v % 5 < 3 \
         left join B on m.v = B.v left join C on B.k = C.k and C.id < m.id + 30",
        "select m.id, m.s from mid m where exists (select 1 from A where A.k = m.k) or m.v % 4 = 0 or \
         exists (select 1 from B where B.k = m.k and B.v < m.v) or exists (select 1 from C where C.v = m.v) order by 1",
        "select count(*), sum(m.v), min(m.s) from mid m where exists (select 1 from A where A.k = m.k) and \
         not exists (select 1 from B where B.v = m.v * 3) and exists (select 1 from C where C.k = m.k and C.v <> m.v)",
        "select A.id, A.s, B.s, C.v, m.id from A full join (B full join (C full join mid m on C.k = m.k) on B.v = m.v) on A.v = m.id and A.k > 3 \
         order by 1, 5, 2, 3, 4",
    ];
    for force in ["swap", "small_tables"] {
        both.device
            .update(&format!("set debug_force = '{force}'"))
            .await
            .expect("an option");
        for shape in shapes {
            for [a, b, c] in [
                ["big", "few", "one"],
                ["few", "big", "one"],
                ["one", "few", "big"],
            ] {
                // Aliases, so that no name is also a part of another.
                let sql =
                    ["A", "B", "C"]
                        .iter()
                        .zip([a, b, c])
                        .fold(shape.to_owned(), |sql, (letter, table)| {
                            let sql = sql
                                .replace(&format!("join {letter} "), &format!("join {table} as {letter} "));
                            let sql = sql
                                .replace(&format!("from {letter} "), &format!("from {table} as {letter} "));
                            sql.replace(&format!("({letter} "), &format!("({table} as {letter} "))
                        });
                let count = swaps(&mut both, &sql, &mut wrong).await;
                if force == "swap" && count == 0.0 {
                    wrong.push(format!("nothing changed places\n    {sql}"));
                }
            }
        }
    }
    assert_none(&wrong);
}

/// Without being forced, but for how few rows are enough: one part of four and more stays, with what was gathered of it.
#[tokio::test(flavor = "multi_thread")]
async fn many_rows_do_not_change_places() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut both = both(folder.path(), &AS_WRITTEN).await;
    let mut wrong = Vec::new();
    let set = "set debug_force = 'small_tables'";
    both.device.update(set).await.expect("an option");
    for (joined, is_swapped) in [
        // Of 40 rows ten may be gathered, of 150 rows 37: more come at once, little by little, or after another join.
        ("few f JOIN big b on f.k = b.k", false),
        (
            "few f JOIN (select * from big where id % 90 = 0) b on f.k = b.k",
            true,
        ),
        (
            "few f JOIN (select * from big where id % 80 = 0) b on f.k = b.k",
            false,
        ),
        (
            "mid m JOIN (select * from big where v % 25 = 0) b on m.k = b.k",
            true,
        ),
        (
            "mid m JOIN (select * from big where v % 24 = 0) b on m.k = b.k",
            false,
        ),
        (
            "mid m JOIN (select b.* from big b left join one o on o.k = b.k and o.v > 5 where b.v % 4 = 0) b on m.k = b.k",
            false,
        ),
    ] {
        for kind in ["join", "left join", "full join"] {
            let from = joined.replace("JOIN", kind);
            let sql = format!("select count(*), count(b.id), sum(b.v), min(b.s), max(b.k) from {from}");
            let count = swaps(&mut both, &sql, &mut wrong).await;
            if (count > 0.0) != is_swapped {
                wrong.push(format!("{count} joins changed places\n    {sql}"));
            }
        }
    }
    // Without the option, tables of tests have too few rows.
    both.device.update("reset debug_force").await.expect("an option");
    for sql in SWAPPED {
        if swaps(&mut both, sql, &mut wrong).await > 0.0 {
            wrong.push(format!("sides changed places\n    {sql}"));
        }
    }
    assert_none(&wrong);
}
