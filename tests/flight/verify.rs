//! `verify = true`, where scans rightly leave out other rows than the CPU does.

use crate::device::{client, plan};

/// The CPU reads the pages that it needs, the device whole row groups: the filter above, which is the CPU's, drops
/// what either has too many of.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_filter_above_drops_do_not_count() {
    let (_server, mut client) = client().await;
    let sql = "select count(*), sum(l_quantity) from lineitem \
               where l_orderkey < 100 and md5(l_comment) <> l_comment and l_orderkey % 3 = 1";
    let plan = plan(&mut client, sql).await;
    assert!(plan.contains("CpuFallbackExec: FilterExec"), "{plan}");
    client.update("set device = 'cpu'").await.expect("an option");
    let expected = client.rows(sql).await.expect("the CPU answers");
    for option in ["device = 'sim'", "verify = true"] {
        client.update(&format!("set {option}")).await.expect("an option");
    }
    assert_eq!(client.rows(sql).await.expect("both agree"), expected);
}
