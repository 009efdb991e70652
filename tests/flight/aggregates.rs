//! Aggregates on a device, here the emulated one, against DataFusion's own: grouping sets, values of rows in order,
//! different values, statistics of pairs.

use crate::both::{assert_near, assert_same};

/// Rows with nulls in keys and values.
const ROWS: &str = "(select o_orderkey as id, nullif(o_custkey % 5, 3) as k, nullif(o_orderpriority, '5-LOW') as t, \
     o_orderstatus as st, case when o_orderkey % 4 = 1 then null else cast(o_orderkey * 7919 % 211 as int) end as i, \
     case when o_orderkey % 5 = 0 then null else o_totalprice end as d, \
     case when o_orderkey % 6 = 1 then null else cast(o_totalprice as double) end as f, \
     cast(o_custkey as double) as x, case when o_orderkey % 3 = 1 then null else o_clerk end as s, \
     cast(o_totalprice as decimal(30, 4)) * 1000000000000 as wide, cast(null as int) as n, o_orderdate as day, \
     o_custkey % 2 = 0 as b, arrow_cast(o_custkey % 100, 'UInt16') as u from orders where o_orderkey < 6000)";

fn with(statements: &[&str]) -> Vec<String> {
    statements.iter().map(|sql| sql.replace("ROWS", ROWS)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn grouping_sets() {
    let aggregates = "count(*), sum(d), min(s), avg(f), grouping(k), max(i)";
    let mut statements = Vec::new();
    for sets in [
        "rollup (k, t)",
        "cube (k, t, st)",
        "grouping sets ((k, st), (t), ())",
        "grouping sets ((k), (k), ())",
        "grouping sets (())",
        "st, rollup (k, t)",
    ] {
        let aggregates = match sets.contains("(k") {
            true => aggregates.to_owned(),
            false => aggregates.replace(", grouping(k)", ""),
        };
        for filter in ["true", "false", "i > 100"] {
            statements.push(format!(
                "select {aggregates} from ROWS where {filter} group by {sets} order by 1, 2, 3"
            ));
        }
    }
    statements.push(
        "select k, t, grouping(k, t), count(*), count(distinct i), median(f) from ROWS group by cube (k, t) order by 1, 2, 3"
            .into(),
    );
    statements.push(
        "select upper(st) || t, k, count(*) from ROWS group by rollup (upper(st) || t, k) order by 1, 2, 3"
            .into(),
    );
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    assert_same(&with(&statements)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_rows_in_order() {
    assert_same(&with(&[
        "select median(i), median(d), median(f), median(wide), median(n), median(u) from ROWS",
        "select k, median(i), median(d), median(f) filter (where id % 2 = 0), median(wide) from ROWS group by k order by k",
        "select t, percentile_cont(0.25) within group (order by f), percentile_cont(0.9) within group (order by x desc) \
         from ROWS group by t order by t",
        "select percentile_cont(0.0) within group (order by f), percentile_cont(1.0) within group (order by f) from ROWS",
        "select k, first_value(s order by d desc, id), last_value(i order by t, id) from ROWS group by k order by k",
        "select first_value(b order by id), last_value(day order by s nulls first, id), first_value(n order by id) from ROWS",
        "select k, first_value(s order by id) ignore nulls, last_value(wide order by f desc, id) ignore nulls \
         from ROWS group by k order by k",
        "select k, first_value(s order by id) filter (where i > 200) from ROWS group by k order by k",
        "select median(i), first_value(s order by id) from ROWS where false",
        "select id % 700 as g, median(f), last_value(t order by id) from ROWS group by 1 order by 1",
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn different_values() {
    assert_same(&with(&[
        "select sum(distinct i), count(distinct i), avg(distinct i), sum(i) from ROWS",
        "select k, sum(distinct i), sum(distinct d), sum(distinct wide), count(distinct s), sum(i) from ROWS group by k order by k",
        "select t, avg(distinct d), avg(distinct f), avg(distinct i) filter (where id % 3 > 0), count(*) from ROWS group by t order by t",
        "select sum(distinct n), sum(distinct i) filter (where i < 0), max(i) from ROWS",
        "select count(k, t), count(k, t, i), count(s, d) filter (where id % 2 = 0), count(i) from ROWS",
        "select st, count(k, i, s) from ROWS group by st order by st",
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_of_pairs() {
    let all = "corr(f, x), covar_pop(f, x), covar_samp(x, f), regr_slope(f, x), regr_intercept(f, x), regr_r2(f, x), \
               regr_count(f, x), regr_avgx(f, x), regr_avgy(f, x), regr_sxx(f, x), regr_syy(f, x), regr_sxy(f, x)";
    // The CPU subtracts sums of squares where it groups: fewer digits are its own.
    assert_near(
        &with(&[
            &format!("select {all} from ROWS"),
            &format!("select k, {all} from ROWS group by k order by k"),
            &format!("select id % 900 as g, {all} from ROWS group by 1 order by 1"),
            &format!("select {all} from ROWS where id < 2"),
            &format!("select {all} from ROWS where false"),
        ]),
        1e-5,
    )
    .await;
}

/// What the CPU estimates is exact on the device: within the CPU's error of what is counted.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_cpu_estimates() {
    let close = |estimate: &str, exact: &str, within: f64| {
        format!("select abs({estimate} - {exact}) <= {within} * {exact} from ROWS")
    };
    assert_same(&with(&[
        &close("approx_distinct(id)", "count(distinct id)", 0.05),
        &close("approx_distinct(s)", "count(distinct s)", 0.05),
        &close("approx_median(x)", "median(x)", 0.05),
        &close(
            "approx_percentile_cont(0.3) within group (order by x)",
            "percentile_cont(0.3) within group (order by x)",
            0.05,
        ),
    ]))
    .await;
}

/// More groups than a table starts with, and more bytes of their strings than its heap does.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_groups_grow() {
    assert_same(&[
        "select sum(c), count(*), sum(n) from (select l_orderkey, l_linenumber, l_comment, count(*) as c, \
         max(length(l_comment)) as n from lineitem group by l_orderkey, l_linenumber, l_comment)"
            .to_owned(),
        "select l_orderkey, l_linenumber, l_comment, count(*), sum(l_quantity) from lineitem \
         group by l_orderkey, l_linenumber, l_comment order by 1, 2 limit 1000"
            .to_owned(),
        "select o_orderkey, min(o_comment) from orders group by o_orderkey order by 1".to_owned(),
    ])
    .await;
}
