//! The same rows in 1, 2 and 7 partitions give the same answers, whichever way joins and aggregates are forced to go.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray,
};
use warpflight_tests::data::write_parquet;
use warpflight_tests::server::Options;

use crate::both::{Both, differ};

const FACTS: usize = 1400;
const DIMENSIONS: usize = 70;
const PARTITIONS: [usize; 3] = [1, 2, 7];
const FORCED: [&str; 6] = ["none", "groups", "lists", "small_tables", "seek", "swap"];

/// Under `FACTS` and `DIMS`, each in so many row groups.
const STATEMENTS: [&str; 34] = [
    "select count(*), sum(v), min(name), max(g) from FACTS f join DIMS d on f.k = d.k",
    "select d.name, count(f.id), sum(f.v) from DIMS d left join FACTS f on f.k = d.k and f.v > 20 group by 1 order by 1, 2, 3",
    "select count(*), count(d.k), sum(f.id) from FACTS f left join DIMS d on f.k = d.k and d.w < 3",
    "select count(*), count(f.id), count(d.k), sum(f.id), sum(d.w) from FACTS f full join DIMS d on f.k = d.k and f.id % 2 = 0",
    "select f.id, d.name from FACTS f right join DIMS d on f.id = d.w * 100 order by 1, 2",
    "select id, g from FACTS f where exists (select 1 from DIMS d where d.k = f.k and d.w > f.k % 5) order by id",
    "select count(*), sum(id) from FACTS f where not exists (select 1 from DIMS d where d.k = f.k)",
    "select count(*), sum(id) from FACTS where k not in (select k from DIMS where w > 4 and k is not null)",
    "select count(*) from FACTS where k not in (select k from DIMS where w > 4)",
    "select g, count(*) from FACTS f where b or exists (select 1 from DIMS d where d.k = f.k and w < 2) group by g order by g",
    "select count(*), sum(f.id * d.w) from FACTS f join DIMS d on f.k < d.k and f.id % 10 = 0",
    "select count(*) from FACTS a join FACTS b on (a.k is not distinct from b.k) and a.id < b.id and b.id < 200",
    "select count(*), sum(a.id) from FACTS a join FACTS b on a.g = b.g and a.d = b.d",
    "select count(*), sum(w) from DIMS, (values (1), (2), (3)) t(x) where w > x",
    "select count(*), count(v), sum(v), avg(v), min(g), max(d), stddev(f), bool_or(b) from FACTS",
    "select b, count(*), sum(v), avg(f), max(g), var_pop(f) from FACTS group by b order by b",
    "select g, d, count(*), sum(v), min(f) from FACTS group by g, d order by g, d",
    "select id, k, sum(v), max(g) from FACTS group by id, k order by id",
    "select g, b, count(*), sum(v), grouping(g) from FACTS group by cube (g, b) order by 1, 2, 3, 5",
    "select b, count(distinct k), sum(distinct k), count(distinct g) from FACTS group by b order by b",
    "select g, median(k), first_value(f order by d, id), last_value(g order by id) from FACTS group by g order by g",
    "select id, rank() over (partition by g order by k), sum(v) over (partition by g order by id rows between 3 preceding and 2 following), \
     lag(g, 2) over (order by id), ntile(7) over (order by k, id) from FACTS order by id",
    "select id, sum(v) filter (where b) over (partition by k order by d, id), count(*) over (partition by b order by k range between 3 preceding and 1 following) \
     from FACTS order by id",
    "select id, g, v from FACTS order by g desc nulls last, v, id",
    "select id, g from FACTS order by k nulls first, f desc, id limit 25 offset 10",
    "select k from FACTS union select k from DIMS order by 1",
    "select k, g from FACTS intersect all select k, name from DIMS order by 1, 2",
    "select k from FACTS except select k from DIMS where w > 2 order by 1",
    "select id, (select max(w) from DIMS d where d.k = f.k) as m from FACTS f where v > (select avg(v) from FACTS) order by id",
    "select d.name, e.name, sum(f.v * (1 - f.f / 100)) as revenue from FACTS f join DIMS d on f.k = d.k join DIMS e on d.w = e.k \
     where f.d >= date '1970-02-01' and d.name like '%a%' group by 1, 2 order by revenue desc, 1, 2 limit 10",
    "with r as (select k, sum(v) as total, max(g) as top from FACTS group by k) select a.k, a.top, b.total, d.name from r a join r b on a.k = b.k \
     join DIMS d on a.k = d.k where a.total < (select max(total) from r) and b.total > (select avg(v) from FACTS where v < (select max(v) from FACTS)) \
     order by 1, 2, 3, 4",
    "with r as (select g, count(*) as n from FACTS group by g) select g, n from r union all select upper(g), n + 1 from r union all \
     select a.g, b.n from r a full join r b on a.n < b.n order by 1, 2",
    "with r as (select id, k, rank() over (partition by k order by d, id) as p from FACTS) select count(*), sum(a.id) from r a join r b on a.k = b.k and a.p = b.p + 1",
    "select count(*) from FACTS a join FACTS b on a.id = b.id join DIMS d on a.k = d.k join DIMS e on b.k = e.k where d.w = 3 and e.w = 3",
];

const NAMES: [&str; 6] = ["ab", "日本語", "", "twelve bytes and more", "ä", "zab"];

/// None for a share of the numbers.
pub(crate) fn some<T>(number: usize, every: usize, value: T) -> Option<T> {
    (number % every != 1).then_some(value)
}

pub(crate) fn column<A: FromIterator<T> + arrow::array::Array + 'static, T>(
    rows: usize,
    value: impl Fn(usize) -> T,
) -> ArrayRef {
    Arc::new((0..rows).map(value).collect::<A>())
}

fn decimals(rows: usize) -> ArrayRef {
    let values: Decimal128Array = (0..rows)
        .map(|at| some(at, 9, (at * 37 % 10_000) as i128))
        .collect();
    Arc::new(values.with_precision_and_scale(12, 2).expect("twelve digits"))
}

fn facts() -> RecordBatch {
    let columns: [(&str, ArrayRef); 7] = [
        ("id", column::<Int64Array, _>(FACTS, |at| Some(at as i64))),
        (
            "k",
            column::<Int32Array, _>(FACTS, |at| some(at, 11, (at * 7919 % 83) as i32)),
        ),
        (
            "g",
            column::<StringArray, _>(FACTS, |at| some(at, 13, NAMES[at * 31 % NAMES.len()])),
        ),
        ("v", decimals(FACTS)),
        (
            "f",
            column::<Float64Array, _>(FACTS, |at| some(at, 7, (at % 97) as f64 / 4.0)),
        ),
        (
            "d",
            column::<Date32Array, _>(FACTS, |at| Some((at * 13 % 60) as i32)),
        ),
        (
            "b",
            column::<BooleanArray, _>(FACTS, |at| some(at, 17, at % 3 == 0)),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("columns of one length")
}

fn dimensions() -> RecordBatch {
    let columns: [(&str, ArrayRef); 3] = [
        (
            "k",
            column::<Int32Array, _>(DIMENSIONS, |at| some(at, 19, (at + at / 40) as i32)),
        ),
        (
            "name",
            column::<StringArray, _>(DIMENSIONS, |at| some(at, 23, NAMES[at % NAMES.len()])),
        ),
        (
            "w",
            column::<Int32Array, _>(DIMENSIONS, |at| Some((at % 7) as i32)),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("columns of one length")
}

fn write_tables(folder: &Path) {
    for partitions in PARTITIONS {
        for (name, batch) in [("facts", facts()), ("dims", dimensions())] {
            let path = folder.join(format!("{name}_{partitions}.parquet"));
            write_parquet(&path, &batch, batch.num_rows() / partitions);
        }
    }
}

fn over(partitions: usize, sql: &str) -> String {
    sql.replace("FACTS", &format!("facts_{partitions}"))
        .replace("DIMS", &format!("dims_{partitions}"))
}

async fn check(forced: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_tables(folder.path());
    let mut both = Both::start(Options::new().data(folder.path())).await;
    for (option, value) in [
        // A row group a partition.
        ("target_partition_size", "1"),
        ("max_rows_per_partition", "1"),
        ("debug_force", forced),
    ] {
        let set = format!("set {option} = '{value}'");
        both.device.update(&set).await.expect("an option");
    }
    let mut wrong = Vec::new();
    for sql in STATEMENTS {
        let expected = both.cpu.rows(&over(1, sql)).await.expect(sql);
        for partitions in PARTITIONS {
            let found = both.device.rows(&over(partitions, sql)).await;
            let difference = match found {
                Ok(found) => differ(&found, &expected, 1e-9),
                Err(error) => Some(error.message().to_owned()),
            };
            wrong.extend(difference.map(|difference| format!("{partitions}: {difference}\n    {sql}")));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_the_engine_chooses() {
    check(FORCED[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_in_their_table() {
    check(FORCED[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_matches() {
    check(FORCED[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_grow() {
    check(FORCED[3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_looked_for_before_they_are_read() {
    check(FORCED[4]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sides_that_change_places() {
    check(FORCED[5]).await;
}
