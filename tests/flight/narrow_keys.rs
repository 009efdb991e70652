//! Keys of few bits, several of which share a word, on a device, here the emulated one, and on the CPU: groups, joins and
//! different values over all narrow types, with the least and the most of each, and nulls.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float32Array, Int8Array, Int16Array, Int32Array, Int64Array,
    RecordBatch, Time32SecondArray, UInt8Array, UInt16Array, UInt32Array,
};
use warpflight_tests::client::column_text;
use warpflight_tests::data::write_parquet;
use warpflight_tests::server::Options;

use crate::both::{Both, assert_same};
use crate::files::{Random, seed};

/// The columns of each table, but for its rows' numbers.
const KEYS: [&str; 10] = ["b", "i8", "i16", "i32", "u8", "u16", "u32", "f", "day", "time"];

/// A table of `rows`, of which one in `null_in` is null in each column; none if that is 0.
fn table(random: &mut Random, rows: usize, null_in: usize) -> RecordBatch {
    macro_rules! column {
        ($array:ty, $values:expr) => {{
            let values = $values;
            let one = |_| {
                let is_null = null_in > 0 && random.below(null_in) == 0;
                (!is_null).then(|| values[random.below(values.len())])
            };
            Arc::new((0..rows).map(one).collect::<$array>()) as ArrayRef
        }};
    }
    let columns = [
        (
            "id",
            Arc::new(Int64Array::from_iter_values(0..rows as i64)) as ArrayRef,
        ),
        ("b", column!(BooleanArray, [true, false])),
        ("i8", column!(Int8Array, [i8::MIN, -1, 0, 1, i8::MAX])),
        ("i16", column!(Int16Array, [i16::MIN, -256, -1, 0, 255, i16::MAX])),
        (
            "i32",
            column!(Int32Array, [i32::MIN, -65_536, -1, 0, 1, 65_535, i32::MAX]),
        ),
        ("u8", column!(UInt8Array, [0, 1, 127, 128, u8::MAX])),
        ("u16", column!(UInt16Array, [0, 1, 255, 32_768, u16::MAX])),
        ("u32", column!(UInt32Array, [0, 1, 65_535, 1 << 31, u32::MAX])),
        (
            "f",
            column!(
                Float32Array,
                [
                    0.0,
                    -0.0,
                    1.5,
                    -1.5,
                    f32::MIN,
                    f32::MIN_POSITIVE,
                    f32::INFINITY,
                    f32::NAN
                ]
            ),
        ),
        ("day", column!(Date32Array, [-719_162, -1, 0, 1, 20_000])),
        ("time", column!(Time32SecondArray, [0, 1, 43_200, 86_399])),
        // Whole numbers of `i32`, and some that are those in their lower half only.
        (
            "i64",
            column!(
                Int64Array,
                [-65_536, -1, 0, 1, 65_535, 1 << 32, (1 << 32) + 1, 0xffff_ffff]
            ),
        ),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// A server with the tables `t` and `s`, whose columns have nulls, and `n` without any.
async fn both(random: &mut Random, folder: &Path) -> Both {
    for (name, rows, null_in) in [("t", 900, 8), ("s", 250, 5), ("n", 700, 0)] {
        let table = table(random, rows, null_in);
        write_parquet(&folder.join(name).with_extension("parquet"), &table, 256);
    }
    Both::start(Options::new().data(folder)).await
}

/// Fails unless all statements run wholly on the device and answer as on the CPU, over tables of a new seed.
async fn assert_all(statements: impl FnOnce(&mut Random) -> Vec<String>) {
    let seed = seed();
    println!("seed {seed}: WARPFLIGHT_TEST_SEED={seed} repeats this run");
    let mut random = Random(seed);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut both = both(&mut random, folder.path()).await;
    let mut wrong = Vec::new();
    for sql in statements(&mut random) {
        if let Some(difference) = both.difference(&sql, 1e-9).await {
            wrong.push(format!("{difference}\n    {sql}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// So many of the columns, each once.
fn pick(random: &mut Random, count: usize) -> Vec<&'static str> {
    let mut left = KEYS.to_vec();
    (0..count)
        .map(|_| left.swap_remove(random.below(left.len())))
        .collect()
}

/// The first so many columns of a result.
fn first(count: usize) -> String {
    let numbers: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    numbers.join(", ")
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_narrow_keys() {
    assert_all(|random| {
        let mut statements = Vec::new();
        // Each type is a key at least once, alone and beside others.
        let packs = [
            "b, i8, i16, i32", "u8, u16, u32", "f, day", "time, b, i8, u8", "i32", "f", "i64, i8, b",
        ];
        let mut packs: Vec<String> = packs.map(str::to_owned).to_vec();
        packs.extend((2..=6).map(|count| pick(random, count).join(", ")));
        for keys in packs {
            let count = keys.split(',').count();
            for table in ["t", "n"] {
                statements.push(format!(
                    "select {keys}, count(*), sum(id) from {table} group by {keys} order by {}",
                    first(count)
                ));
            }
        }
        statements.push(
            "select cast(i16 as varchar) as text, i8, b, day, count(*) from t group by 1, 2, 3, 4 order by 1, 2, 3, 4"
                .into(),
        );
        statements
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grouping_sets_of_narrow_keys() {
    assert_all(|random| {
        let mut statements = Vec::new();
        for table in ["t", "n"] {
            let (two, three) = (pick(random, 2), pick(random, 3));
            let [a, b, c] = three[..] else { unreachable!("three were asked for") };
            for (keys, sets) in [
                (two.join(", "), format!("rollup ({})", two.join(", "))),
                (three.join(", "), format!("cube ({})", three.join(", "))),
                (three.join(", "), format!("grouping sets (({a}, {b}), ({c}), ({c}), ())")),
            ] {
                let count = keys.split(',').count();
                statements.push(format!(
                    "select {keys}, grouping({keys}), count(*), sum(id) from {table} group by {sets} order by {}",
                    first(count + 3)
                ));
            }
        }
        statements
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_on_narrow_keys() {
    assert_all(|random| {
        let mut statements = Vec::new();
        let aggregates = "count(*), count(l.id), count(r.id), sum(l.id * 3 + r.id), sum(l.id), sum(r.id)";
        let mut packs = vec![vec!["i8", "u8"], vec!["b", "i32", "f"], vec!["day", "i16"]];
        packs.extend([pick(random, 2), pick(random, 3)]);
        for keys in packs {
            let equal = |is: &str| {
                let pairs: Vec<String> = keys.iter().map(|key| format!("(l.{key} {is} r.{key})")).collect();
                pairs.join(" and ")
            };
            let (equal, same) = (equal("="), equal("is not distinct from"));
            for (join, on, left) in [
                ("join", &equal, "t"),
                ("full join", &equal, "t"),
                ("join", &same, "t"),
                ("left join", &same, "n"),
                ("full join", &same, "t"),
            ] {
                statements.push(format!("select {aggregates} from {left} l {join} s r on {on}"));
            }
            statements.push(format!(
                "select count(*), sum(id) from t l where not exists (select 1 from s r where {equal})"
            ));
        }
        // Integers of two widths.
        for join in ["join", "full join"] {
            for (left, right) in [("t", "s"), ("s", "t")] {
                statements.push(format!(
                    "select {aggregates} from {left} l {join} {right} r on l.i32 = r.i64 and l.i8 = r.i16"
                ));
            }
        }
        statements
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn different_values_of_narrow_types() {
    assert_all(|_| {
        let counts = |columns: &[&str]| {
            let counts: Vec<String> = columns.iter().map(|key| format!("count(distinct {key})")).collect();
            counts.join(", ")
        };
        let sums = "sum(distinct i8), sum(distinct i16), sum(distinct i32), sum(distinct u8), sum(distinct u32), \
                    sum(distinct i64)";
        // Of the two zeros, which the CPU counts as two here, one is left.
        let all = counts(&KEYS).replace("distinct f", "distinct abs(f)");
        vec![
            format!("select {all} from t"),
            format!("select i8, b, {all} from t group by i8, b order by 1, 2"),
            format!("select {sums} from t where f > 0"),
            format!("select u8, {sums}, count(distinct i64) from t group by u8 order by 1"),
            "select b, count(distinct i32) filter (where i32 < 0), sum(distinct i16) from n group by rollup (b) order by 1, 2"
                .into(),
        ]
    })
    .await;
}

/// The two zeros are one key, beside others too, and one of the different values.
#[tokio::test(flavor = "multi_thread")]
async fn zero_is_one_key_whatever_its_sign() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let columns: [(&str, ArrayRef); 2] = [
        (
            "f",
            Arc::new(Float32Array::from(vec![0.0, -0.0, 1.0, -1.0, f32::NAN, -0.0])),
        ),
        ("k", Arc::new(Int16Array::from(vec![-1, -1, -1, 7, 7, 7]))),
    ];
    let table = RecordBatch::try_from_iter(columns).expect("columns of one length");
    write_parquet(&folder.path().join("z.parquet"), &table, 256);
    let mut both = Both::start(Options::new().data(folder.path())).await;
    for (sql, expected) in [
        (
            "select k, f, count(*) from z group by k, f order by 1, 2",
            [
                "-1", "-1", "7", "7", "7", "0.0", "1.0", "-1.0", "0.0", "NaN", "2", "1", "1", "1", "1",
            ]
            .as_slice(),
        ),
        (
            "select count(*) from z a join z b on a.f = b.f and a.k = b.k",
            &["8"],
        ),
        ("select count(distinct f), sum(distinct k) from z", &["4", "6"]),
    ] {
        let rows = both.device.rows(sql).await.expect(sql);
        let found: Vec<String> = rows
            .columns()
            .iter()
            .flat_map(|column| column_text(column))
            .collect();
        assert_eq!(found, expected, "{sql}");
    }
}

/// More groups and different values than their tables start with.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_narrow_keys_grow() {
    let lines = "(select cast(l_orderkey as int) as k, cast(l_linenumber as smallint) as n, l_shipdate as day, \
                 cast(l_orderkey * 10 + l_linenumber as int) as v, l_quantity from lineitem)";
    assert_same(
        &[
            "select k, n, count(*), sum(l_quantity) from LINES group by k, n order by 1, 2".to_owned(),
            "select day, n, count(*), count(distinct v) from LINES group by grouping sets ((day), (n), ()) order by 1, 2"
                .to_owned(),
            "select count(*), sum(a.v) from LINES a join LINES b on a.k = b.k and a.n = b.n and a.day = b.day"
                .to_owned(),
        ]
        .map(|sql| sql.replace("LINES", lines)),
    )
    .await;
}
