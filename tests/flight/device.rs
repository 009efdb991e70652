//! Queries on a device, here the emulated one: what runs there, what the plan says, what the options do.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use tonic::Code;
use warpflight_tests::client::Client;
use warpflight_tests::server::Server;

use crate::tpch_server;

/// A server whose device is `sim`, shared by the tests that run at the moment.
fn device_server() -> Arc<Server> {
    static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(tpch_server().env("WARPFLIGHT_DEVICE", "sim").start());
        *shared = Arc::downgrade(&server);
        server
    })
}

pub(crate) async fn client() -> (Arc<Server>, Client) {
    let server = device_server();
    let client = Client::connect(&server).await;
    (server, client)
}

pub(crate) async fn plan(client: &mut Client, sql: &str) -> String {
    let plans = client
        .rows(&format!("explain {sql}"))
        .await
        .expect("it is planned");
    warpflight_tests::client::column_text(plans.column(1)).join("\n")
}

const Q1: &str = "select l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)), \
     avg(l_discount), count(*) from lineitem where l_shipdate <= date '1998-09-02' \
     group by l_returnflag, l_linestatus order by l_returnflag, l_linestatus";
const Q6: &str = "select sum(l_extendedprice * l_discount) from lineitem where l_shipdate >= date '1994-01-01' \
     and l_shipdate < date '1995-01-01' and l_discount between 0.05 and 0.07 and l_quantity < 24";

/// Statements over one table, each for another operator or path.
const SINGLE_TABLE: [&str; 14] = [
    Q1,
    Q6,
    "select * from nation where n_name like '%A' order by n_nationkey",
    "select l_orderkey, l_comment from lineitem order by l_extendedprice desc, l_orderkey, l_linenumber limit 20",
    "select distinct o_orderpriority from orders order by 1",
    "select count(distinct o_custkey), min(o_comment), max(o_clerk), stddev(o_totalprice) from orders",
    "select o_orderdate, count(*), min(o_comment) from orders group by o_orderdate order by 1 limit 30",
    "select upper(o_orderstatus) || '-' || o_orderpriority as k, sum(o_totalprice) from orders group by 1 order by 1",
    "select extract(year from o_orderdate) as y, count(*) filter (where o_totalprice > 100000) from orders group by 1 order by 1",
    "select n_name from nation where n_regionkey = 1 union all select r_name from region order by 1",
    "select p_partkey, case when p_size > 25 then 'large' else 'small' end from part order by p_name, p_partkey limit 7 offset 3",
    "select avg(x) from (select l_quantity as x from lineitem order by l_comment limit 100)",
    // 60,000 groups, and more bytes of strings than a table's heap starts with.
    "select l_orderkey, l_linenumber, l_comment, count(*), sum(l_quantity) from lineitem \
     group by l_orderkey, l_linenumber, l_comment order by 1, 2",
    "select o_orderkey, rank() over (partition by o_custkey order by o_totalprice), sum(o_totalprice) over (partition by \
     o_custkey order by o_orderkey rows between 3 preceding and current row) from orders order by 1",
];

#[tokio::test(flavor = "multi_thread")]
async fn single_table_queries_run_wholly_there() {
    let (_server, mut client) = client().await;
    client
        .update("set fallback_mode = 'raise'")
        .await
        .expect("an option");
    for sql in SINGLE_TABLE {
        let plan = plan(&mut client, sql).await;
        assert!(plan.contains("GpuExec: device=sim"), "{sql}: {plan}");
        assert!(
            !plan.contains("AggregateExec") && !plan.contains("SortExec"),
            "{sql}: {plan}"
        );
        let there = client.rows(sql).await.expect(sql);
        client.update("set device = 'cpu'").await.expect("an option");
        let here = client.rows(sql).await.expect(sql);
        client.update("reset device").await.expect("an option");
        for (there, here) in there.columns().iter().zip(here.columns()) {
            // The deviation is a floating-point number, made in another order.
            if !here.data_type().is_floating() {
                assert_eq!(there, here, "{sql}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_small_the_rows_are_the_same() {
    let (_server, mut client) = client().await;
    let sql = "select l_shipmode, count(*), sum(l_tax), min(l_comment) from lineitem where l_quantity > 10 \
               group by l_shipmode order by l_shipmode";
    let whole = client.rows(sql).await.expect("rows");
    for (option, value) in [
        ("target_partition_size", "64KiB"),
        ("partitions_in_flight", "1"),
        ("executor", "in-memory"),
    ] {
        client
            .update(&format!("set {option} = '{value}'"))
            .await
            .expect("an option");
        assert_eq!(client.rows(sql).await.expect("rows"), whole, "{option} = {value}");
    }
    client
        .update("set max_rows_per_partition = 2")
        .await
        .expect("an option");
    let values =
        "select sum(a), max(b) from (values (1, 'x'), (2, 'y'), (3, 'z'), (4, 'w'), (5, 'v')) t(a, b)";
    let row = client.rows(values).await.expect("rows");
    assert_eq!(warpflight_tests::client::column_text(row.column(0)), ["15"]);
    assert_eq!(warpflight_tests::client::column_text(row.column(1)), ["z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_device_does_not_run_is_named() {
    let (_server, mut client) = client().await;
    let matched =
        "select n_name, count(*) from nation where md5(n_name) <> n_name and n_name < 'F' group by n_name";
    let plan = plan(&mut client, matched).await;
    assert!(plan.contains("CpuFallbackExec: "), "{plan}");
    assert!(plan.contains("function md5"), "{plan}");
    assert!(plan.contains("GpuExec"), "what stands above and below: {plan}");
    assert_eq!(client.rows(matched).await.expect("rows").num_rows(), 7);
    client
        .update("set fallback_mode = 'raise'")
        .await
        .expect("an option");
    let refused = client.rows(matched).await.expect_err("raise refuses it");
    assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
    assert!(refused.message().contains("function md5"), "{refused}");
    client.update("set executor = 'cpu'").await.expect("an option");
    assert_eq!(client.rows(matched).await.expect("rows").num_rows(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_those_of_the_cpu() {
    let (_server, mut client) = client().await;
    for sql in [
        "select 1 / (n_nationkey - 3) from nation",
        "select cast(n_nationkey * 1000 as tinyint) from nation",
        "select sum(cast(99999999999999999999999999999999999999 as decimal(38, 0)) * n_nationkey) from nation",
    ] {
        let there = client.rows(sql).await.expect_err(sql);
        client.update("set device = 'cpu'").await.expect("an option");
        let here = client.rows(sql).await.expect_err(sql);
        client.update("reset device").await.expect("an option");
        assert_eq!(there.code(), here.code(), "{there} against {here}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verified_and_measured() {
    let (_server, mut client) = client().await;
    client.update("set verify = true").await.expect("an option");
    for sql in SINGLE_TABLE {
        client.rows(sql).await.expect(sql);
    }
    client.update("set verify = false").await.expect("an option");
    let analysed = client.rows(&format!("explain analyze {Q6}")).await.expect("rows");
    let analysed = warpflight_tests::client::column_text(analysed.column(1)).join("\n");
    for metric in [
        "p0_rows=1",
        "p0_bytes_read",
        "p0_bytes_copied",
        "p0_bytes_decoded",
        "p0_read_time",
        "p0_decode_time",
        "p0_kernel_time",
        "p0_join_time",
        "p0_wait_time",
        "p0_compile_time",
    ] {
        assert!(analysed.contains(metric), "{metric} in {analysed}");
    }
}

/// A device by name that this machine lacks is refused by name; here no GPU is expected.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_gpu_is_named() {
    if std::path::Path::new("/dev/nvidia0").exists() {
        return;
    }
    let (_server, mut client) = client().await;
    client.update("set device = 'cuda'").await.expect("an option");
    let refused = client.rows(Q6).await.expect_err("there is no GPU");
    assert!(refused.message().contains("option device"), "{refused}");
    client.update("set device = 'auto'").await.expect("an option");
    let plan = plan(&mut client, Q6).await;
    assert!(!plan.contains("GpuExec"), "auto is the CPU here: {plan}");
}

/// Whoever hangs up gets the device's memory back to others: the next query runs.
#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_stops_the_work() {
    let server = tpch_server().env("WARPFLIGHT_DEVICE", "sim").start();
    let mut client = Client::connect(&server).await;
    client
        .update("set target_partition_size = '64KiB'")
        .await
        .expect("an option");
    let stream = client
        .stream("select * from lineitem order by l_comment")
        .await
        .expect("a stream");
    drop(stream);
    let begun = Instant::now();
    let running = server.wait_metric(
        "warpflight_queries_running",
        std::time::Duration::from_secs(20),
        |running| running == 0.0,
    );
    assert!(
        running.as_secs() < 20,
        "still running after {:?}",
        begun.elapsed()
    );
    Client::assert_answers(&server).await;
}
