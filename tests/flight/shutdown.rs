//! How the server ends: it drains, refuses new work, keeps its deadline, and obeys a second signal.

use std::time::{Duration, Instant};

use tonic::Code;
use warpflight_tests::client::Client;
use warpflight_tests::server::Server;

use crate::tpch_server;

/// Two seconds' work or more, and it ends.
const LONG: &str = "select value, value + 1, value + 2, value + 3 from generate_series(1, 6000000)";
const ENDLESS: &str = "select value from generate_series(1, 1000000000000)";

/// How it ended, and how long that took from now.
fn end(mut server: Server, within: Duration) -> (i32, Duration) {
    let started = Instant::now();
    let status = server
        .wait_exit(within)
        .unwrap_or_else(|| panic!("it still runs after {within:?}"));
    (status.code().expect("it exited by itself"), started.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_it_stops_at_once() {
    for signal in ["TERM", "INT"] {
        let server = tpch_server().start();
        // Connections that do nothing hold nothing up.
        let mut client = Client::connect(&server).await;
        client.value("select 1").await.expect("it answers");
        let _silent = std::net::TcpStream::connect(server.address()).expect("it accepts");
        server.signal(signal);
        let (code, took) = end(server, Duration::from_secs(10));
        assert_eq!(code, 0, "{signal}");
        assert!(took < Duration::from_secs(3), "{signal}: {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_finished_and_new_work_refused() {
    let server = tpch_server().start();
    let mut client = Client::connect(&server).await;
    let mut stream = client.stream(LONG).await.expect("it runs");
    stream.message().await.expect("it has begun");
    let planned = client.info("select 1").await.expect("it can be planned");
    server.signal("TERM");
    server_refuses(&server, &mut client).await;
    let status = client.rows_of(planned).await.expect_err("it is draining");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let mut messages = 0;
    while stream.message().await.expect("what ran goes on").is_some() {
        messages += 1;
    }
    assert!(messages > 20, "{messages}");
    let (code, took) = end(server, Duration::from_secs(10));
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

/// The signal takes effect within a moment.
async fn server_refuses(server: &Server, client: &mut Client) {
    let started = Instant::now();
    loop {
        match client.value("select 1").await {
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status}");
                assert!(status.message().contains("shutting down"), "{status}");
                return;
            }
            Ok(_) => assert!(
                started.elapsed() < Duration::from_secs(2),
                "{} takes new work",
                server.url()
            ),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_is_kept() {
    let server = tpch_server().args(["--drain-timeout", "700ms"]).start();
    let mut client = Client::connect(&server).await;
    let mut stream = client.stream(ENDLESS).await.expect("it runs");
    stream.message().await.expect("it has begun");
    server.signal("TERM");
    let reading = tokio::spawn(async move {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a broken result looks whole"),
                Err(status) => break status,
            }
        }
    });
    let (_, took) = end(server, Duration::from_secs(15));
    assert!(
        took > Duration::from_millis(500) && took < Duration::from_secs(5),
        "{took:?}"
    );
    let status = reading.await.expect("the reader does not panic");
    assert!(
        matches!(status.code(), Code::Cancelled | Code::Unavailable),
        "{status}"
    );
}

/// Not even a reader that takes nothing keeps it alive.
#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_is_kept_with_a_stalled_reader() {
    let server = tpch_server().args(["--drain-timeout", "500ms"]).start();
    let mut client = Client::connect(&server).await;
    let mut stream = client.stream(ENDLESS).await.expect("it runs");
    stream.message().await.expect("it has begun");
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.signal("TERM");
    let (_, took) = end(server, Duration::from_secs(15));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let server = tpch_server().start();
    let mut client = Client::connect(&server).await;
    let mut stream = client.stream(ENDLESS).await.expect("it runs");
    stream.message().await.expect("it has begun");
    server.signal("TERM");
    server_refuses(&server, &mut client).await;
    server.signal("TERM");
    let (code, took) = end(server, Duration::from_secs(10));
    assert_eq!(code, 130);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn those_in_the_queue_are_told() {
    let server = tpch_server()
        .args(["--concurrent-queries-max", "1", "--drain-timeout", "700ms"])
        .start();
    let mut client = Client::connect(&server).await;
    let mut stream = client.stream(ENDLESS).await.expect("it runs");
    stream.message().await.expect("it has begun");
    let mut second = Client::connect(&server).await;
    let waiting = tokio::spawn(async move { second.value("select 2").await });
    server.wait_metric("warpflight_queries_queued", Duration::from_secs(5), |queued| {
        queued == 1.0
    });
    server.signal("TERM");
    let status = waiting
        .await
        .expect("it does not panic")
        .expect_err("its turn does not come");
    assert!(
        matches!(status.code(), Code::Cancelled | Code::Unavailable),
        "{status}"
    );
    end(server, Duration::from_secs(15));
}

#[test]
fn a_port_that_is_taken() {
    let first = tpch_server().start();
    let refusal = warpflight_tests::server::Options::new()
        .args(["--listen", first.address()])
        .refused();
    assert!(refusal.stderr.contains(first.address()), "{}", refusal.stderr);
    assert!(
        refusal.status.is_some_and(|status| !status.success()),
        "{refusal:?}"
    );
}
