//! Looking at a running server: metrics, health, the status page, logs.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use warpflight_tests::client::Client;
use warpflight_tests::http;

use crate::tpch_server;

const SERIES: &[&str] = &[
    "warpflight_build_info",
    "warpflight_start_time_seconds",
    "warpflight_queries_started_total",
    "warpflight_queries_finished_total",
    "warpflight_queries_running",
    "warpflight_queries_queued",
    "warpflight_sessions",
    "warpflight_connections",
    "warpflight_result_rows_total",
    "warpflight_result_bytes_total",
    "warpflight_result_buffer_bytes",
    "warpflight_query_planning_seconds_count",
    "warpflight_query_queue_wait_seconds_count",
    "warpflight_query_first_batch_seconds_count",
    "warpflight_query_duration_seconds_bucket",
    "warpflight_memory_reserved_bytes",
    "warpflight_memory_limit_bytes",
    "warpflight_resident_memory_bytes",
    "warpflight_spill_bytes",
    "warpflight_store_requests_total",
    "warpflight_store_errors_total",
    "warpflight_store_read_bytes_total",
    "warpflight_store_written_bytes_total",
];

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_there_and_move() {
    let server = tpch_server().start();
    let answer = http::get(server.http_address(), "/metrics");
    assert_eq!(answer.status, 200);
    assert!(
        answer.head.to_lowercase().contains("text/plain"),
        "{}",
        answer.head
    );
    for series in SERIES {
        server.metric(series);
    }
    let moving = [
        ("warpflight_queries_started_total", 2.0),
        ("warpflight_queries_finished_total", 2.0),
        ("warpflight_result_rows_total", 25.0),
        ("warpflight_query_duration_seconds_count", 2.0),
        ("warpflight_query_planning_seconds_count", 1.0),
        ("warpflight_query_first_batch_seconds_count", 1.0),
    ];
    let before = moving.map(|(series, _)| server.metric(series));
    let bytes_before = server.metric("warpflight_result_bytes_total");
    let mut client = Client::connect(&server).await;
    client.rows("select * from nation").await.expect("it runs");
    client
        .rows("select cast(n_name as int) from nation")
        .await
        .expect_err("a name is not a number");
    assert_eq!(server.metric("warpflight_sessions"), 1.0);
    for ((series, expected), before) in moving.into_iter().zip(before) {
        let moved = server.metric(series) - before;
        assert!(
            moved >= expected,
            "{series} moved by {moved}, expected {expected}"
        );
    }
    assert_eq!(server.metric("warpflight_result_rows_total") - before[2], 25.0);
    assert!(server.metric("warpflight_result_bytes_total") > bytes_before);
    let failed = r#"warpflight_queries_finished_total{kind="query",outcome="sql"}"#;
    let data = r#"warpflight_queries_finished_total{kind="query",outcome="data"}"#;
    let text = http::get(server.http_address(), "/metrics").body;
    assert!(text.contains(failed) || text.contains(data), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health() {
    let server = tpch_server().args(["--drain-timeout", "5s"]).start();
    let endpoint =
        Endpoint::from_shared(format!("http://{}", server.address())).expect("the address is a URL");
    let mut health = HealthClient::new(endpoint.connect().await.expect("it accepts"));
    for service in ["", "arrow.flight.protocol.FlightService"] {
        let request = HealthCheckRequest {
            service: service.into(),
        };
        let answer = health
            .check(request)
            .await
            .expect("the service is known")
            .into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    health
        .check(HealthCheckRequest {
            service: "no.such.Service".into(),
        })
        .await
        .expect_err("it is unknown");
    assert_eq!(http::get(server.http_address(), "/health").status, 200);
    assert_eq!(http::get(server.http_address(), "/ready").status, 200);
    assert_eq!(http::get(server.http_address(), "/nowhere").status, 404);

    let watched = HealthCheckRequest::default();
    let mut watch = health
        .watch(watched)
        .await
        .expect("it can be watched")
        .into_inner();
    assert_eq!(
        watch
            .message()
            .await
            .expect("an answer")
            .expect("an answer")
            .status(),
        ServingStatus::Serving
    );
    let mut client = Client::connect(&server).await;
    let mut busy = client
        .stream("select value from generate_series(1, 1000000000)")
        .await
        .expect("it runs");
    busy.message().await.expect("it has begun");
    server.signal("TERM");
    let next = tokio::time::timeout(Duration::from_secs(5), watch.message())
        .await
        .expect("it changes");
    assert_eq!(
        next.expect("an answer").expect("an answer").status(),
        ServingStatus::NotServing
    );
    assert_eq!(http::get(server.http_address(), "/ready").status, 503);
    assert_eq!(http::get(server.http_address(), "/health").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_page() {
    let server = tpch_server().start();
    let mut client = Client::connect(&server).await;
    client
        .value("select count(*) as visible_on_the_page from nation")
        .await
        .expect("it runs");
    let page = http::get(server.http_address(), "/");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("visible_on_the_page"), "{}", page.body);
    client
        .value("select '<script>alert(1)</script>'")
        .await
        .expect("it runs");
    let page = http::get(server.http_address(), "/").body;
    assert!(!page.contains("<script>alert(1)"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_line_of_a_query_has_its_id() {
    let server = tpch_server()
        .args(["--log", "debug", "--log-format", "json"])
        .start();
    let mut client = Client::connect(&server).await;
    client
        .value("select count(*) as first_one from lineitem")
        .await
        .expect("it runs");
    client
        .rows("select cast(n_name as int) from nation")
        .await
        .expect_err("a name is not a number");
    let log = server.log();
    let (mut ids, mut ended) = (BTreeSet::new(), 0);
    for line in log.lines() {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?} is not JSON: {error}"));
        let message = find(&line, "message")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        for field in ["level", "target"] {
            assert!(find(&line, field).is_some(), "{line} has no {field}");
        }
        let id = find(&line, "query_id").and_then(Value::as_str);
        if message.starts_with("query") {
            ids.insert(id.unwrap_or_else(|| panic!("{line} has no query_id")).to_owned());
            ended += usize::from(message.starts_with("query f"));
        }
    }
    assert_eq!((ids.len(), ended), (2, 2), "{log}");
}

/// A field of a line, at the top or one level below.
fn find<'a>(line: &'a Value, name: &str) -> Option<&'a Value> {
    let object = line.as_object()?;
    object
        .get(name)
        .or_else(|| object.values().find_map(|inner| inner.as_object()?.get(name)))
}
