//! Limits: of memory, time, size and number; each error names the option that sets it.

use std::time::{Duration, Instant};

use tonic::{Code, Status};
use warpflight_tests::client::{Client, only_ticket};
use warpflight_tests::server::{Options, Server};

use crate::tpch_server;

const ENDLESS: &str = "select value from generate_series(1, 1000000000000)";

fn assert_limit(status: &Status, code: Code, option: &str) {
    assert_eq!(status.code(), code, "{status}");
    assert!(status.message().contains(option), "expected {option} in {status}");
}

async fn outcome(client: &mut Client, sql: &str) -> Result<u64, Status> {
    let mut stream = client.stream(sql).await?;
    let mut bytes = 0;
    while let Some(message) = stream.message().await? {
        bytes += message.data_body.len() as u64;
    }
    Ok(bytes)
}

/// Neither the sort nor the join fits in memory or in the room for spilling.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_larger_than_memory() {
    let server = tpch_server()
        .args(["--memory-limit", "64MiB", "--spill-limit", "16MiB"])
        .start();
    let before = server.resident_bytes();
    let mut client = Client::connect(&server).await;
    for sql in [
        "select a.l_comment, b.l_comment from lineitem a cross join lineitem b order by a.l_comment, b.l_partkey",
        "select a.l_comment, count(*) from lineitem a cross join orders b group by a.l_comment, b.o_comment, b.o_orderkey",
        "select count(*) from lineitem a join lineitem b on a.l_linenumber = b.l_linenumber \
         join lineitem c on b.l_linenumber = c.l_linenumber group by a.l_comment, c.l_comment",
        "select array_agg(l_comment || value) from lineitem cross join generate_series(1, 10000)",
    ] {
        let status = outcome(&mut client, sql).await.expect_err(sql);
        assert_eq!(status.code(), Code::ResourceExhausted, "{sql}: {status}");
        assert!(
            status.message().contains("memory") || status.message().contains("spill"),
            "{sql}: {status}"
        );
        Client::assert_answers(&server).await;
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 512 << 20, "the server grew by {} MiB", grown >> 20);
    let reserved = server.wait_metric(
        "warpflight_memory_reserved_bytes",
        Duration::from_secs(5),
        |bytes| bytes == 0.0,
    );
    assert!(reserved < Duration::from_secs(5));
}

/// With room on disk the same kind of query finishes.
#[tokio::test(flavor = "multi_thread")]
async fn a_sort_larger_than_memory_spills() {
    let server = tpch_server().args(["--memory-limit", "48MiB"]).start();
    let mut client = Client::connect(&server).await;
    let sql = "select value, repeat('x', 100) as x from generate_series(1, 1000000) order by value % 1000, value desc";
    let bytes = outcome(&mut client, sql).await.expect("it spills");
    assert!(bytes > 100_000_000, "{bytes}");
    server.wait_metric("warpflight_spill_bytes", Duration::from_secs(5), |bytes| {
        bytes == 0.0
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn query_timeout() {
    let server = tpch_server().args(["--query-timeout", "700ms"]).start();
    let mut client = Client::connect(&server).await;
    for sql in [
        ENDLESS,
        "select sum(a.value * b.value) from generate_series(1, 1000000) a, generate_series(1, 1000000) b",
    ] {
        let started = Instant::now();
        let status = outcome(&mut client, sql).await.expect_err("it runs too long");
        assert_limit(&status, Code::DeadlineExceeded, "query_timeout");
        assert!(
            started.elapsed() < Duration::from_secs(3),
            "{:?}",
            started.elapsed()
        );
    }
    assert_eq!(
        client.value("select 1").await.expect("short queries are fine"),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn query_timeout_of_a_session() {
    let server = tpch_server().start();
    let mut client = Client::connect(&server).await;
    client
        .update("set query_timeout = '300ms'")
        .await
        .expect("a session may set it");
    let status = outcome(&mut client, ENDLESS).await.expect_err("it runs too long");
    assert_limit(&status, Code::DeadlineExceeded, "query_timeout");
    let mut other = Client::connect(&server).await;
    let mut stream = other.stream(ENDLESS).await.expect("it runs");
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(800) {
        stream
            .message()
            .await
            .expect("another session's runs on")
            .expect("it has no end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn result_size() {
    let server = tpch_server().args(["--result-size-max", "1MiB"]).start();
    let mut client = Client::connect(&server).await;
    let status = outcome(&mut client, "select * from lineitem")
        .await
        .expect_err("it is larger");
    assert_limit(&status, Code::ResourceExhausted, "result_size_max");
    assert_eq!(
        client
            .value("select count(*) from lineitem")
            .await
            .expect("a count is small"),
        "60175"
    );
}

/// A query that holds a place until its stream is dropped.
async fn running(client: &mut Client) -> tonic::Streaming<arrow_flight::FlightData> {
    let mut stream = client.stream(ENDLESS).await.expect("it runs");
    stream.message().await.expect("it has begun");
    stream.message().await.expect("it has begun");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn queue() {
    let server = tpch_server()
        .args(["--concurrent-queries-max", "1", "--queue-length-max", "1"])
        .start();
    let mut first = Client::connect(&server).await;
    let stream = running(&mut first).await;
    let mut second = Client::connect(&server).await;
    let waiting = tokio::spawn(async move { second.value("select 2").await });
    server.wait_metric("warpflight_queries_queued", Duration::from_secs(5), |queued| {
        queued == 1.0
    });
    let mut third = Client::connect(&server).await;
    let status = outcome(&mut third, "select 3")
        .await
        .expect_err("the queue is full");
    assert_limit(&status, Code::ResourceExhausted, "queue_length_max");
    assert!(!waiting.is_finished());
    drop(stream);
    assert_eq!(
        waiting.await.expect("it does not panic").expect("its turn comes"),
        "2"
    );
    assert_eq!(third.value("select 3").await.expect("its turn comes"), "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn queue_timeout() {
    let server = tpch_server()
        .args(["--concurrent-queries-max", "1", "--queue-timeout", "300ms"])
        .start();
    let mut first = Client::connect(&server).await;
    let _stream = running(&mut first).await;
    let mut second = Client::connect(&server).await;
    let status = outcome(&mut second, "select 2")
        .await
        .expect_err("it waits too long");
    assert_limit(&status, Code::ResourceExhausted, "queue_timeout");
    // Metadata and settings need no place.
    second
        .update("set batch_rows = 100")
        .await
        .expect("it needs no turn");
}

/// A client that leaves while it waits leaves its place in the queue too.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_the_queue() {
    let server = tpch_server().args(["--concurrent-queries-max", "1"]).start();
    let mut first = Client::connect(&server).await;
    let _stream = running(&mut first).await;
    let mut second = Client::connect(&server).await;
    let waiting = tokio::spawn(async move { second.value("select 2").await });
    server.wait_metric("warpflight_queries_queued", Duration::from_secs(5), |queued| {
        queued == 1.0
    });
    waiting.abort();
    server.wait_metric("warpflight_queries_queued", Duration::from_secs(1), |queued| {
        queued == 0.0
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_handles() {
    let server = tpch_server()
        .args(["--sessions-max", "2", "--handles-max", "3"])
        .start();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(&server).await;
        client.value("select 1").await.expect("there is room");
        clients.push(client);
    }
    let mut third = Client::connect(&server).await;
    assert_limit(
        &third.rows("select 1").await.expect_err("there is none"),
        Code::ResourceExhausted,
        "sessions_max",
    );
    for _ in 0..3 {
        clients[0].prepare("select 1").await.expect("there is room");
    }
    let status = clients[0].prepare("select 1").await.expect_err("there is none");
    assert_limit(&status, Code::ResourceExhausted, "handles_max");
    clients.pop();
    server.wait_metric("warpflight_sessions", Duration::from_secs(5), |sessions| {
        sessions <= 1.0
    });
    third.value("select 1").await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn session_tables() {
    let server = tpch_server().args(["--session-table-memory", "4MiB"]).start();
    let mut client = Client::connect(&server).await;
    client
        .update("create table small as select * from nation")
        .await
        .expect("it is small");
    let status = client
        .update("create table large as select * from lineitem")
        .await
        .expect_err("it is large");
    assert_limit(&status, Code::ResourceExhausted, "session_table_memory");
    for _ in 0..50 {
        // Given back each time: what failed or was dropped does not count.
        client
            .update("create table again as select * from orders limit 5000")
            .await
            .expect("there is room");
        client
            .update("drop table again")
            .await
            .expect("it can be dropped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_end() {
    let server = tpch_server().args(["--session-timeout", "1s"]).start();
    let mut client = Client::connect(&server).await;
    client
        .update("create table t as select 1 as a")
        .await
        .expect("a table can be made");
    let ended = server.wait_metric("warpflight_sessions", Duration::from_secs(15), |sessions| {
        sessions == 0.0
    });
    assert!(ended > Duration::from_millis(500), "{ended:?}");
    client
        .rows("select * from t")
        .await
        .expect_err("it went with its session");
    assert_eq!(client.value("select 1").await.expect("a new session begins"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections() {
    let server: Server = Options::new().args(["--connections-max", "3"]).start();
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(&server).await);
        clients
            .last_mut()
            .expect("it was just put there")
            .value("select 1")
            .await
            .expect("there is room");
    }
    let endpoint =
        tonic::transport::Endpoint::from_shared(format!("http://{}", server.address())).expect("a URL");
    let refused = async {
        Client::connect_endpoint(endpoint)
            .await
            .ok()?
            .value("select 1")
            .await
            .ok()
    };
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(10), refused)
            .await
            .expect("it is told at once"),
        None
    );
    clients.pop();
    server.wait_metric("warpflight_connections", Duration::from_secs(5), |open| {
        open <= 2.0
    });
    Client::assert_answers(&server).await;
}

/// A result that nobody fetches holds no place.
#[tokio::test(flavor = "multi_thread")]
async fn planned_and_never_fetched() {
    let server = tpch_server().args(["--concurrent-queries-max", "1"]).start();
    let mut client = Client::connect(&server).await;
    let mut infos = Vec::new();
    for _ in 0..20 {
        infos.push(
            client
                .info("select count(*) from nation")
                .await
                .expect("it can be planned"),
        );
    }
    assert_eq!(server.metric("warpflight_queries_running"), 0.0);
    for info in infos {
        only_ticket(&info);
        client.rows_of(info).await.expect("it can still be fetched");
    }
}
