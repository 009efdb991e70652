//! Window functions on a device, here the emulated one, against DataFusion's own operators: every function, every kind
//! of frame, keys of all types, nulls, and random statements, whose seed is printed. `WARPFLIGHT_TEST_SEED` sets it.

use crate::both::assert_same;

/// Rows with keys of few and of many values, all of them null at times.
fn table(rows: usize) -> String {
    format!(
        "(select o_orderkey as id, nullif(o_custkey % 7, 3) as p, nullif(o_orderkey % 50, 11) as k, \
         case when o_orderkey % 5 = 0 then null else o_totalprice end as d, \
         case when o_orderkey % 4 = 1 then null else cast(o_orderkey * 7919 % 1000 as int) end as i, \
         case when o_orderkey % 6 = 1 then null else cast(o_totalprice as double) / 7 end as f, \
         case when o_orderkey % 3 = 1 then null else o_clerk end as s, \
         cast(null as bigint) as n, o_orderpriority as t, o_totalprice as w, o_orderdate as day, \
         cast(o_orderdate as timestamp) as moment, cast(o_custkey as double) as x, o_custkey % 2 = 0 as b, \
         arrow_cast(o_custkey % 100, 'UInt16') as u, \
         cast(o_totalprice as decimal(30, 4)) * 1000000000000 as wide \
         from (select * from orders order by o_orderkey limit {rows}))"
    )
}

/// Frames that any order takes, and those that only one key does, under `{key}`.
const FRAMES: [&str; 12] = [
    "",
    "rows unbounded preceding",
    "rows between unbounded preceding and unbounded following",
    "rows between current row and unbounded following",
    "rows between 3 preceding and 2 following",
    "rows between 40 preceding and 7 preceding",
    "rows between 2 following and 90 following",
    "rows between 700 preceding and unbounded following",
    "range between current row and unbounded following",
    "groups between 1 preceding and 2 following",
    "groups between unbounded preceding and 3 preceding",
    "groups between 1 following and unbounded following",
];

/// Keys with a distance that a RANGE has.
const RANGES: [(&str, &str); 6] = [
    ("k", "5"),
    ("i", "30"),
    ("u", "10"),
    ("x", "12.5"),
    ("w", "1000.00"),
    ("day", "interval '1 month 3 days'"),
];

const AGGREGATES: [&str; 22] = [
    "count(*)",
    "count(d)",
    "sum(d)",
    "sum(i)",
    "sum(f)",
    "sum(n)",
    "avg(d)",
    "avg(f)",
    "avg(i)",
    "min(i)",
    "max(f)",
    "min(d)",
    "max(wide)",
    "sum(wide)",
    "min(s)",
    "max(s)",
    "min(day)",
    "stddev(f)",
    "var_pop(x)",
    "first_value(s)",
    "last_value(d)",
    "nth_value(i, 3)",
];

const PLACES: [&str; 20] = [
    "row_number()",
    "rank()",
    "dense_rank()",
    "percent_rank()",
    "cume_dist()",
    "ntile(4)",
    "ntile(1000)",
    "lag(s)",
    "lead(d)",
    "lag(i, 3, -1)",
    "lead(s, 20, 'none')",
    "lag(f, -2)",
    "lag(b, 2)",
    "lead(i, 0)",
    "lag(i) ignore nulls",
    // DataFusion's CPU loses values further ahead than the next: DuckDB has those that the GPU has.
    "lead(s, 1, 'none') ignore nulls",
    "lag(d, 5) ignore nulls",
    "lead(n, 2) ignore nulls",
    "lag(wide)",
    "lead(moment)",
];

const IGNORING: [&str; 6] = [
    "first_value(i) ignore nulls",
    "last_value(s) ignore nulls",
    "nth_value(d, 2) ignore nulls",
    "nth_value(i, -2)",
    "first_value(n) ignore nulls",
    "nth_value(f, -1) ignore nulls",
];

fn statement(rows: usize, functions: &[String]) -> String {
    let columns: Vec<String> = functions
        .iter()
        .enumerate()
        .map(|(at, function)| format!("{function} as f{at}"))
        .collect();
    format!(
        "select id, {} from {} order by id",
        columns.join(", "),
        table(rows)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_places() {
    let mut statements = Vec::new();
    for window in [
        "order by id",
        "partition by p order by id desc",
        "partition by t, p order by k nulls first, id",
    ] {
        let functions: Vec<String> = PLACES
            .iter()
            .map(|function| format!("{function} over ({window})"))
            .collect();
        statements.push(statement(2000, &functions));
    }
    // Peers.
    for window in ["order by k", "partition by p order by t desc", "partition by s"] {
        let functions: Vec<String> = ["rank()", "dense_rank()", "percent_rank()", "cume_dist()"]
            .iter()
            .map(|function| format!("{function} over ({window})"))
            .collect();
        statements.push(statement(1500, &functions));
    }
    assert_same(&statements).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_frames() {
    let mut statements = Vec::new();
    for (at, frame) in FRAMES.iter().enumerate() {
        let window = [
            "order by id",
            "partition by p order by k, id",
            "partition by t order by id desc",
        ][at % 3];
        let ignoring = IGNORING.iter().filter(|_| frame.starts_with("rows"));
        let functions: Vec<String> = AGGREGATES
            .iter()
            .chain(ignoring)
            .map(|function| format!("{function} over ({window} {frame})"))
            .collect();
        statements.push(statement(1100, &functions));
    }
    assert_same(&statements).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_of_aggregates() {
    let mut statements = Vec::new();
    for (at, frame) in ["", FRAMES[2], FRAMES[4], FRAMES[9]].into_iter().enumerate() {
        let filter = [
            "i > 300",
            "s is not null and b",
            "i > 5000",
            "t like '1%' or k is null",
        ][at];
        let aggregates = AGGREGATES
            .iter()
            .take_while(|name| !name.starts_with("first_value"));
        let functions: Vec<String> = aggregates
            .map(|function| {
                format!("{function} filter (where {filter}) over (partition by p order by k, id {frame})")
            })
            .collect();
        statements.push(statement(700, &functions));
    }
    assert_same(&statements).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_keys() {
    let mut statements = Vec::new();
    for (key, distance) in RANGES {
        let mut functions = Vec::new();
        for direction in ["", "desc", "nulls first", "desc nulls last"] {
            for frame in [
                format!("between {distance} preceding and {distance} following"),
                format!("between {distance} preceding and current row"),
                format!("between unbounded preceding and {distance} preceding"),
                format!("between {distance} following and unbounded following"),
            ] {
                functions.push(format!(
                    "count(*) over (order by {key} {direction} range {frame})"
                ));
                functions.push(format!(
                    "sum(i) over (partition by p order by {key} {direction} range {frame})"
                ));
            }
        }
        for functions in functions.chunks(8) {
            statements.push(statement(600, functions));
        }
    }
    assert_same(&statements).await;
}

/// A small generator of numbers, whose seed is enough to repeat them.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// The frame, or none for a variance: from those that leave a frame DataFusion's CPU takes their part away again, and of
/// what stays when most have left only few digits are right.
fn framed<'a>(function: &str, frame: &'a str) -> &'a str {
    let is_variance = ["stddev", "var"].iter().any(|name| function.starts_with(name));
    if is_variance { "" } else { frame }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_statements() {
    let seed = match std::env::var("WARPFLIGHT_TEST_SEED") {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |since| since.subsec_nanos().into()),
    };
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut statements = Vec::new();
    for size in [0, 1, 31, 32, 33, 255, 256, 1023, 1024, 1025, 8193, 15000] {
        let mut functions = Vec::new();
        for _ in 0..5 {
            let partition = random.one(&[
                "",
                "partition by p",
                "partition by t, p",
                "partition by s",
                "partition by b",
            ]);
            let order = random.one(&[
                "order by id",
                "order by k desc, id",
                "order by f nulls first, id",
                "order by s, id",
            ]);
            let function = match random.below(3) {
                0 => format!("{} over ({partition} {order})", random.one(&PLACES)),
                1 => {
                    let function = random.one(&AGGREGATES);
                    let frame = framed(function, random.one(&FRAMES));
                    format!("{function} over ({partition} {order} {frame})")
                }
                _ => {
                    let low = random.below(70);
                    let high = random.below(70);
                    let function = match random.below(4) {
                        0 => random.one(&IGNORING),
                        _ => random.one(&AGGREGATES),
                    };
                    let frame = format!("rows between {low} preceding and {high} following");
                    format!(
                        "{function} over ({partition} {order} {})",
                        framed(function, &frame)
                    )
                }
            };
            functions.push(function);
        }
        statements.push(statement(size, &functions));
    }
    assert_same(&statements).await;
}
