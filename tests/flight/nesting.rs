//! Statements that nest deeply or are very long: an answer or an error, and a server that lives.

use std::time::Duration;

use tonic::Status;
use warpflight_tests::client::Client;

use crate::shared_server;

/// Runs a statement that may be refused but must neither hang nor end the server.
async fn survives(name: &str, sql: String) -> Result<Vec<String>, Status> {
    let server = shared_server();
    let mut client = Client::connect(&server).await;
    let outcome = tokio::time::timeout(Duration::from_secs(120), client.column(&sql)).await;
    let outcome = outcome.unwrap_or_else(|_| panic!("{name}: no answer within two minutes"));
    if let Err(status) = &outcome {
        assert!(status.code() != tonic::Code::Unavailable, "{name}: {status}");
        assert!(
            status.message().len() < 10_000,
            "{name}: a message of {} bytes",
            status.message().len()
        );
    }
    Client::assert_answers(&server).await;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn parentheses() {
    let nested = |depth: usize| format!("select {}1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(survives("20", nested(20)).await.expect("a few are fine"), ["1"]);
    survives("10,000", nested(10_000))
        .await
        .expect_err("10,000 are refused");
    survives("500,000", nested(500_000))
        .await
        .expect_err("500,000 are refused");
    survives("unclosed", format!("select {}", "(".repeat(100_000)))
        .await
        .expect_err("they are not closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn subqueries() {
    let nested = |depth: usize| {
        format!(
            "{}select 1 as a{}",
            "select a from (".repeat(depth),
            ")".repeat(depth)
        )
    };
    assert_eq!(survives("10", nested(10)).await.expect("a few are fine"), ["1"]);
    survives("2,000", nested(2_000)).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn ors() {
    let ors: Vec<String> = (0..5_000).map(|n| format!("n_nationkey = {n}")).collect();
    let sql = format!("select count(*) from nation where {}", ors.join(" or "));
    match survives("5,000 ORs", sql).await {
        Ok(count) => assert_eq!(count, ["25"]),
        Err(status) => assert!(!status.message().is_empty()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums() {
    let sql = |terms: usize| format!("select {}", vec!["1"; terms].join(" + "));
    assert_eq!(
        survives("100 terms", sql(100)).await.expect("100 are fine"),
        ["100"]
    );
    for terms in [5_000, 250_000] {
        if let Ok(sum) = survives("terms", sql(terms)).await {
            assert_eq!(sum, [terms.to_string()]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unions() {
    let sql = vec!["select 1 as a"; 3_000].join(" union all ");
    if let Ok(rows) = survives("3,000 branches", format!("select count(*) from ({sql})")).await {
        assert_eq!(rows, ["3000"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_recursions() {
    survives("NOT", format!("select {} true", "not ".repeat(50_000)))
        .await
        .ok();
    survives("minus", format!("select {} 1", "- ".repeat(50_000)))
        .await
        .ok();
    survives(
        "CASE",
        format!(
            "select {}1{}",
            "case when true then ".repeat(3_000),
            " end".repeat(3_000)
        ),
    )
    .await
    .ok();
    survives(
        "calls",
        format!("select {}1{}", "abs(".repeat(5_000), ")".repeat(5_000)),
    )
    .await
    .ok();
    survives(
        "arrays",
        format!("select {}1{}", "[".repeat(5_000), "]".repeat(5_000)),
    )
    .await
    .ok();
    survives("casts", format!("select 1{}", "::int".repeat(20_000)))
        .await
        .ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte() {
    let text = "x".repeat(1 << 20);
    let length = survives("a long text", format!("select length('{text}')"))
        .await
        .expect("1 MB is fine");
    assert_eq!(length, [text.len().to_string()]);
    let list: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let sql = format!(
        "select count(*) from nation where n_nationkey in ({})",
        list.join(", ")
    );
    if let Ok(count) = survives("a long list", sql).await {
        assert_eq!(count, ["25"]);
    }
    survives("noise", "%".repeat(1 << 20))
        .await
        .expect_err("it is not SQL");
    survives("an unclosed text", format!("select '{text}"))
        .await
        .expect_err("it is not closed");
}
