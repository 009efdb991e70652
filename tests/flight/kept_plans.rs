//! Statements that come again, on a device, here the emulated one: planned once, run as often as they are asked, with the
//! answers of the CPU and the files of now.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow_flight::sql::CommandPreparedStatementQuery;
use futures::future::try_join_all;
use warpflight_tests::client::{Client, column_text};
use warpflight_tests::data::write_parquet;
use warpflight_tests::server::{Options, Server};

use crate::both::differ;
use crate::tpch_server;

const REUSED: &str = "warpflight_plans_reused_total";
/// What the log says when a physical plan is run again.
const RUN_AGAIN: &str = "plan kept from before";

/// A join, a mark, a scalar subquery, a limit behind a sort: what operators of the CPU would hand down to scans.
const STATEMENTS: [&str; 4] = [
    "select o_orderdate, sum(l_extendedprice * (1 - l_discount)) as revenue from customer, orders, lineitem \
     where c_mktsegment = 'BUILDING' and c_custkey = o_custkey and l_orderkey = o_orderkey \
     group by o_orderdate order by revenue desc, o_orderdate limit 10",
    "select l_orderkey, l_linenumber from lineitem order by l_shipdate, l_orderkey, l_linenumber limit 7",
    "select count(*), min(c_acctbal) from customer where c_acctbal > (select avg(c_acctbal) from customer) \
     and c_custkey in (select o_custkey from orders where o_totalprice > 100000)",
    "select n_name, r_name from nation left join region on n_regionkey = r_regionkey and r_name > 'B' order by 1",
];

fn sim(options: Options) -> Server {
    options
        .env("WARPFLIGHT_DEVICE", "sim")
        .env("WARPFLIGHT_LOG", "info,warpflight::query=debug")
        .start()
}

async fn session(server: &Server, options: &[(&str, &str)]) -> Client {
    let mut client = Client::connect(server).await;
    for (option, value) in options {
        let set = format!("set {option} = '{value}'");
        client.update(&set).await.expect("an option");
    }
    client
}

fn ran_again(server: &Server) -> usize {
    server.log().matches(RUN_AGAIN).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_run_again_and_again() {
    let server = sim(tpch_server());
    let mut cpu = session(&server, &[("device", "cpu")]).await;
    let mut device = session(&server, &[("fallback_mode", "raise")]).await;
    for sql in STATEMENTS {
        let expected = cpu.rows(sql).await.expect("it runs on the CPU");
        let (reused, again) = (server.metric(REUSED), ran_again(&server));
        for _ in 0..3 {
            let found = device.rows(sql).await.expect("it runs on the device");
            assert_eq!(differ(&found, &expected, 1e-9), None, "{sql}");
        }
        assert_eq!(
            (server.metric(REUSED) - reused, ran_again(&server) - again),
            (2.0, 2),
            "{sql}"
        );
        // Where the CPU runs what the device ran, its operators share what they learn with the scans.
        let mut verified = session(&server, &[("verify", "true")]).await;
        for _ in 0..3 {
            let found = verified.rows(sql).await.expect("both agree");
            assert_eq!(differ(&found, &expected, 1e-9), None, "{sql}");
        }
    }
    // Plans of the CPU are made anew from what was planned.
    let (reused, again) = (server.metric(REUSED), ran_again(&server));
    let expected = cpu.rows(STATEMENTS[0]).await.expect("it runs");
    assert_eq!(
        (server.metric(REUSED) - reused, ran_again(&server) - again),
        (1.0, 0)
    );

    // Several sessions at once.
    let mut sessions = Vec::new();
    for _ in 0..6 {
        sessions.push(session(&server, &[("fallback_mode", "raise")]).await);
    }
    let runs = sessions.iter_mut().map(|session| session.rows(STATEMENTS[0]));
    for found in try_join_all(runs).await.expect("all run") {
        assert_eq!(differ(&found, &expected, 1e-9), None);
    }
    assert_eq!(ran_again(&server) - again, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_those_of_now() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("t.parquet");
    let write = |values: Vec<i64>| {
        let column: ArrayRef = Arc::new(Int64Array::from(values));
        let batch = RecordBatch::try_from_iter([("n", column)]).expect("one column");
        write_parquet(&file, &batch, 64);
    };
    write((0..100).collect());
    let server = sim(Options::new().data(folder.path()));
    let mut client = session(&server, &[("fallback_mode", "raise")]).await;
    let sql = "select count(*), sum(n) from t where n >= 10";
    let mut sums = Vec::new();
    for values in [None, Some(0..50), Some(20..21), None] {
        if let Some(values) = values {
            write(values.collect());
        }
        let rows = client.rows(sql).await.expect("it runs");
        sums.push(column_text(rows.column(1))[0].clone());
    }
    assert_eq!(sums, ["4905", "1180", "20", "20"]);
    assert_eq!((server.metric(REUSED), ran_again(&server)), (1.0, 1));
    let prepared = client.prepare(sql).await.expect("it can be prepared");
    write((0..30).collect());
    // Within a second a listing counts as the present.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let query = CommandPreparedStatementQuery {
        prepared_statement_handle: prepared.prepared_statement_handle,
    };
    let info = client.info_of(&query).await.expect("it is known");
    let rows = client.rows_of(info).await.expect("it runs");
    assert_eq!(column_text(rows.column(1)), ["390"]);
}
