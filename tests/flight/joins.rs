//! Joins on a device, here the emulated one: each statement wholly there, with the answer of the CPU's operators.

use crate::device::{client, plan};

/// Statements that join, each in another way: by one key or several, of one type or another, dense or not, once or many
/// times on either side, with nulls, with more conditions than equal keys, or with none.
const JOINS: [&str; 40] = [
    "select count(*), sum(o_totalprice), count(c_custkey) from customer left join orders on c_custkey = o_custkey",
    "select count(*), sum(o_totalprice), count(c_custkey) from customer right join orders on c_custkey = o_custkey and c_acctbal > 0",
    "select count(*), sum(c_acctbal), sum(o_totalprice), count(c_custkey), count(o_custkey) from customer full join orders on c_custkey = o_custkey and c_acctbal > 0 and o_totalprice < 100000",
    "select count(*), sum(c_acctbal), sum(o_totalprice) from (select * from customer where c_acctbal < 0) c full join (select * from orders where o_totalprice > 200000) o on c_custkey = o_custkey",
    "select n_name, count(o_orderkey) from nation left join customer on n_nationkey=c_nationkey left join orders on o_custkey=c_custkey group by n_name order by 1",
    "select count(*) from nation a, nation b, region",
    "select count(*), sum(a.n_nationkey) from nation a join nation b on a.n_nationkey < b.n_nationkey",
    "select a.n_name, b.n_name from nation a left join nation b on a.n_nationkey + 20 < b.n_nationkey order by 1, 2",
    "select a.n_name, b.n_name from nation a full join nation b on a.n_nationkey + 20 < b.n_nationkey order by 1, 2",
    "select count(*) from orders where o_custkey not in (select c_custkey from customer where c_acctbal > 0)",
    "select count(*) from orders where o_custkey not in (select case when c_acctbal > 0 then c_custkey end from customer)",
    "select count(*) from customer where c_custkey not in (select o_custkey from orders where o_totalprice > 1e12)",
    "select count(*) from customer where c_custkey not in (select o_custkey from orders)",
    "select count(*) from (select case when c_custkey % 7 = 0 then null else c_custkey end k from customer) x where k not in (select o_custkey from orders where o_orderkey < 1000)",
    "select count(*), sum(l_quantity) from lineitem join partsupp on l_partkey=ps_partkey and l_suppkey=ps_suppkey",
    "select count(*) from lineitem a join lineitem b on a.l_orderkey = b.l_orderkey and a.l_linenumber < b.l_linenumber",
    "select l_shipmode, count(*) from lineitem join (select distinct o_orderpriority p, o_orderkey k from orders) o on l_orderkey = k group by 1 order by 1",
    "select count(*) from supplier a join supplier b on a.s_name = b.s_name and a.s_nationkey = b.s_nationkey",
    "select count(*) from customer a join customer b on a.c_phone = b.c_phone",
    "select c_mktsegment, count(*) from customer where exists (select 1 from orders where o_custkey = c_custkey) or c_acctbal > 9000 group by 1 order by 1",
    "select c_mktsegment, count(*) from customer where exists (select 1 from orders where o_custkey = c_custkey and o_totalprice > c_acctbal * 20) or c_acctbal > 9000 group by 1 order by 1",
    "select n_name from nation intersect select n_name from nation where n_regionkey < 3 order by 1",
    "select n_regionkey from nation except select r_regionkey from region where r_regionkey > 2 order by 1",
    "select l_shipmode from lineitem intersect all select l_shipmode from lineitem where l_quantity = 1 order by 1 limit 5",
    "select count(*) from orders o join customer c on o.o_custkey = c.c_custkey join nation n on c.c_nationkey = n.n_nationkey join region r on n.n_regionkey = r.r_regionkey where r_name = 'ASIA'",
    "select o_orderkey, (select count(*) from lineitem where l_orderkey = o_orderkey) c from orders order by 1 limit 10",
    "select count(*), sum(x) from (select coalesce(o_totalprice, 1) x, o_custkey k from orders) o right join customer on k = c_custkey",
    "select count(*), sum(x) from customer left join (select coalesce(o_totalprice, 1) x, o_custkey k from orders where o_orderkey % 5 = 0) o on k = c_custkey",
    "select count(*) from customer c1 left join customer c2 on c1.c_custkey = c2.c_custkey + 1 left join customer c3 on c2.c_custkey = c3.c_custkey + 1 where c3.c_custkey is null",
    "select count(*), max(o_totalprice) from orders where o_totalprice > (select avg(o_totalprice) from orders)",
    "select count(*) from nation a join nation b on a.n_nationkey is not distinct from nullif(b.n_nationkey, 3)",
    "select count(*) from (select nullif(n_nationkey, 3) k from nation) a full join (select nullif(n_nationkey, 4) k from nation) b on a.k is not distinct from b.k",
    "select count(*) from (select nullif(n_nationkey, 3) k from nation) a left join (select nullif(n_nationkey, 4) k from nation) b on a.k = b.k where b.k is null",
    "select r_name, n_name from region left join nation on r_regionkey = n_regionkey and n_name like 'A%' order by 1, 2",
    "select upper(n_name) || r_name x, count(*) from region join nation on r_regionkey = n_regionkey and upper(n_name) < r_name || 'z' group by 1 order by 1",
    "select count(*) from lineitem where l_orderkey in (select o_orderkey from orders where o_orderpriority = '1-URGENT') and l_partkey in (select p_partkey from part where p_size < 10)",
    "select count(*) from orders join (values (1, 'a'), (2, 'b'), (7, 'c')) v(k, t) on o_orderkey = k",
    "select sum(l_extendedprice) from lineitem, part where p_partkey = l_partkey and p_brand like 'Brand#1%' and l_quantity < (select 0.2 * avg(l_quantity) from lineitem where l_partkey = p_partkey)",
    "select c_custkey, o_orderkey from customer left join orders on c_custkey = o_custkey where c_custkey < 10 order by c_custkey desc, o_orderkey limit 20",
    "select * from nation join region on n_regionkey = r_regionkey order by n_nationkey limit 3 offset 2",
];

/// Runs all of them with what `options` set, on both, and compares.
async fn check(options: &[(&str, &str)]) {
    let (_server, mut client) = client().await;
    let always = [("fallback_mode", "raise"), ("verify", "true")];
    for (option, value) in always.iter().chain(options) {
        let set = format!("set {option} = '{value}'");
        client.update(&set).await.expect("an option");
    }
    for sql in JOINS {
        client.rows(sql).await.expect(sql);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_run_wholly_there() {
    check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_of_small_partitions_run_wholly_there() {
    check(&[
        ("target_partition_size", "64KiB"),
        ("max_rows_per_partition", "7"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_its_joins() {
    let (_server, mut client) = client().await;
    let sql = "select n_name, count(*) from region join nation on r_regionkey = n_regionkey and r_name < n_name \
               left join customer on c_nationkey = n_nationkey group by n_name";
    let plan = plan(&mut client, sql).await;
    assert!(!plan.contains("JoinExec"), "{plan}");
    for part in ["build by [r_regionkey]", "inner join p0 on [n_regionkey]"] {
        assert!(plan.contains(part), "{part} in {plan}");
    }
}

/// What the CPU alone runs feeds what the device runs.
#[tokio::test(flavor = "multi_thread")]
async fn operators_above_a_fallback_run_there() {
    let (_server, mut client) = client().await;
    let sql = "select k, sum(v) from (select unnest([n_nationkey, n_regionkey]) as k, n_nationkey as v from nation) u \
               group by k order by k";
    let plan = plan(&mut client, sql).await;
    assert!(plan.contains("upload of child 0"), "{plan}");
    assert!(plan.contains("CpuFallbackExec: UnnestExec"), "{plan}");
    client.update("set verify = true").await.expect("an option");
    client.rows(sql).await.expect(sql);
}
