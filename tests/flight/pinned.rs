//! Little memory for copies, on the host and on the device: queries wait for it, or read smaller pieces, and do not fail.

use warpflight_tests::client::Client;

use crate::both::Both;
use crate::tpch_server;

/// One reads many columns of many partitions, one sends many rows, one keeps them, one uploads what the CPU makes.
const STATEMENTS: [&str; 5] = [
    "select count(*), sum(l_quantity), max(l_comment), min(l_shipdate), sum(l_extendedprice) from lineitem",
    "select l_orderkey, l_linenumber, l_comment, l_shipinstruct from lineitem where l_linenumber < 3 order by 1, 2",
    "select o_orderpriority, count(*), max(o_comment) from orders join customer on o_custkey = c_custkey group by 1 order by 1",
    "select k, count(*), max(l_comment) from lineitem join (values (1, 2), (3, 4), (7, 8)) v(k, n) on l_orderkey = k group by 1 order by 1",
    "select l_orderkey, sum(l_quantity) from lineitem group by 1 order by 2 desc, 1 limit 10",
];

/// Runs all of them with these limits, several times over and in small partitions too.
async fn check(pinned: &str, device: &str) {
    let options = tpch_server()
        .env("WARPFLIGHT_PINNED_MEMORY_LIMIT", pinned)
        .env("WARPFLIGHT_DEVICE_MEMORY_LIMIT", device);
    let mut both = Both::start(options).await;
    let mut wrong = Vec::new();
    for size in ["0", "256KiB"] {
        let set = format!("set target_partition_size = '{size}'");
        both.device.update(&set).await.expect("an option");
        for sql in STATEMENTS {
            let difference = both.difference(sql, 0.0).await;
            wrong.extend(difference.map(|difference| format!("{size}: {difference}\n    {sql}")));
        }
    }
    assert!(wrong.is_empty(), "{pinned} and {device}: {}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn little_pinned_memory() {
    for pinned in ["1MiB", "24MiB"] {
        check(pinned, "1GiB").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn little_of_both() {
    check("4MiB", "160MiB").await;
}

/// Where nothing can be copied at all, the option is named, with what there is and what it takes.
#[tokio::test(flavor = "multi_thread")]
async fn no_pinned_memory_names_the_option() {
    let server = tpch_server()
        .env("WARPFLIGHT_DEVICE", "sim")
        .env("WARPFLIGHT_PINNED_MEMORY_LIMIT", "1KiB")
        .start();
    let mut client = Client::connect(&server).await;
    let refused = client
        .rows(STATEMENTS[0])
        .await
        .expect_err("nothing can be copied");
    for part in ["pinned_memory_limit", "4096 bytes wanted", "1024 available"] {
        assert!(refused.message().contains(part), "{part} in {refused}");
    }
}
