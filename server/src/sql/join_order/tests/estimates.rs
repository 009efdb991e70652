//! Estimated rows against the rows that there are.

use super::super::estimate::profile;
use super::*;
use crate::tpch::{Silent, TpchOptions, generate};

/// Statements, and how far off their estimates may be.
const STATEMENTS: &[(&str, f64)] = &[
    ("select * from lineitem", 1.001),
    // Ranges of numbers, dates and decimals; both ends of one column together.
    ("select * from orders where o_orderkey <= 12000", 1.05),
    (
        "select * from orders where o_orderdate >= date '1994-01-01' and o_orderdate < date '1995-01-01'",
        1.1,
    ),
    (
        "select * from orders where o_orderdate between date '1995-01-01' and date '1996-12-31'",
        1.1,
    ),
    (
        "select * from lineitem where l_quantity > 40 and l_quantity <= 45",
        1.3,
    ),
    (
        "select * from lineitem where l_discount between 0.05 and 0.07",
        1.2,
    ),
    ("select * from orders where o_orderdate > date '2030-01-01'", 1.0),
    // Equality: of few values by the dictionary's size, of keys by their range.
    ("select * from customer where c_mktsegment = 'BUILDING'", 2.0),
    ("select * from lineitem where l_shipmode in ('MAIL', 'SHIP')", 1.5),
    (
        "select * from lineitem where l_shipmode = 'MAIL' or l_shipmode = 'SHIP'",
        1.5,
    ),
    (
        "select * from lineitem where l_shipmode not in ('MAIL', 'SHIP')",
        1.5,
    ),
    ("select * from customer where c_custkey = 77", 1.001),
    ("select * from part where p_size = 15", 1.7),
    ("select * from part where p_container = 'MED BOX'", 2.0),
    (
        "select * from nation where n_name is null or n_name is not null",
        1.001,
    ),
    // Keys: one to many, several columns together, filtered on either side.
    (
        "select 1 from orders, lineitem where o_orderkey = l_orderkey",
        1.2,
    ),
    (
        "select 1 from partsupp, lineitem where ps_partkey = l_partkey and ps_suppkey = l_suppkey",
        1.5,
    ),
    (
        "select 1 from part, partsupp, lineitem, supplier where p_partkey = l_partkey and ps_partkey = l_partkey \
         and ps_suppkey = l_suppkey and s_suppkey = l_suppkey",
        1.5,
    ),
    (
        "select 1 from orders, lineitem where o_orderkey = l_orderkey and o_orderdate < date '1993-01-01'",
        1.3,
    ),
    (
        "select 1 from supplier, nation, region where s_nationkey = n_nationkey and n_regionkey = r_regionkey \
         and r_name = 'ASIA'",
        2.5,
    ),
    // What an OR over two relations leaves of rows that each of its halves has filtered already.
    (
        "select 1 from customer c, nation n1, supplier s, nation n2 where c_nationkey = n1.n_nationkey \
         and s_nationkey = n2.n_nationkey and c_custkey % 100 = s_suppkey and (n1.n_name = 'FRANCE' \
         and n2.n_name = 'GERMANY' or n1.n_name = 'GERMANY' and n2.n_name = 'FRANCE')",
        6.0,
    ),
    // Groups, and conditions on them.
    ("select o_custkey, count(*) from orders group by o_custkey", 1.6),
    (
        "select l_orderkey from lineitem group by l_orderkey having sum(l_quantity) > 250",
        12.0,
    ),
    ("select distinct l_returnflag, l_linestatus from lineitem", 2.0),
    // Semi and anti joins.
    (
        "select 1 from orders where exists (select 1 from lineitem where l_orderkey = o_orderkey \
         and l_commitdate < l_receiptdate)",
        1.4,
    ),
    (
        "select 1 from orders where o_orderkey in (select l_orderkey from lineitem where l_quantity < 5)",
        1.6,
    ),
    (
        "select 1 from part where not exists (select 1 from lineitem where l_partkey = p_partkey and l_quantity < 3)",
        3.0,
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn estimates_are_near_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("tables");
    let options = TpchOptions {
        row_group_bytes: 1 << 20,
        ..TpchOptions::new(0.01, &data)
    };
    generate(&options, &Silent).unwrap();
    let asked = Asked::of(&data).await;
    let mut complaints = Vec::new();
    for (sql, allowed) in STATEMENTS {
        let plan = asked.plan(sql).await;
        let estimated = profile(&plan)
            .unwrap_or_else(|| panic!("{sql}: no estimate"))
            .rows;
        let rows = asked.count(&plan).await.max(1) as f64;
        let factor = (estimated / rows).max(rows / estimated);
        if factor > *allowed {
            complaints.push(format!("{sql}: {estimated:.0} estimated, {rows} found"));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
