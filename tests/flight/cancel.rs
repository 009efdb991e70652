//! Stopping queries: by action, by hanging up, by a killed client; each within a second.

use std::process::Command;
use std::time::Duration;

use arrow_flight::sql::{ActionCancelQueryRequest, Any, ProstMessageExt};
use arrow_flight::{CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo};
use prost::Message;
use tonic::Code;
use warpflight_tests::client::{Client, only_ticket};
use warpflight_tests::python::python_env;
use warpflight_tests::server::Server;

use crate::tpch_server;

/// Streams for hours.
const ENDLESS_STREAM: &str = "select value from generate_series(1, 1000000000000)";
/// Computes for hours before its first row.
const ENDLESS_SUM: &str =
    "select sum(a.value * b.value % 7) from generate_series(1, 1000000) a, generate_series(1, 1000000) b";

const SECOND: Duration = Duration::from_secs(1);

fn stops_within_a_second(server: &Server) {
    let took = server.wait_metric("warpflight_queries_running", 3 * SECOND, |running| running == 0.0);
    assert!(took <= SECOND, "the query ran on for {took:?}");
}

fn runs(server: &Server) {
    server.wait_metric("warpflight_queries_running", 10 * SECOND, |running| {
        running == 1.0
    });
}

/// Starts a query and cancels it; what its reader sees.
async fn cancelled(
    server: &Server,
    sql: &str,
    cancel: impl AsyncFn(&mut Client, FlightInfo),
) -> tonic::Status {
    let mut client = Client::connect(server).await;
    let info = client.info(sql).await.expect("a query can be planned");
    let ticket = only_ticket(&info);
    let mut reader = client.clone();
    let reading = tokio::spawn(async move {
        let mut stream = reader.get(ticket).await?;
        while stream.message().await?.is_some() {}
        Ok::<_, tonic::Status>(())
    });
    runs(server);
    cancel(&mut client, info).await;
    stops_within_a_second(server);
    reading
        .await
        .expect("the reader does not panic")
        .expect_err("the stream ends with an error")
}

#[tokio::test(flavor = "multi_thread")]
async fn by_cancel_flight_info() {
    let server = tpch_server().start();
    for sql in [ENDLESS_STREAM, ENDLESS_SUM] {
        let status = cancelled(&server, sql, async |client: &mut Client, info| {
            let request = CancelFlightInfoRequest::new(info);
            let results = client
                .action("CancelFlightInfo", request.encode_to_vec())
                .await
                .expect("it can be cancelled");
            let result = CancelFlightInfoResult::decode(&results[0][..]).expect("the result is one");
            assert!(
                matches!(
                    result.status(),
                    CancelStatus::Cancelled | CancelStatus::Cancelling
                ),
                "{result:?}"
            );
        })
        .await;
        assert_eq!(status.code(), Code::Cancelled, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_cancel_query() {
    let server = tpch_server().start();
    let status = cancelled(
        &server,
        ENDLESS_STREAM,
        async |client: &mut Client, info: FlightInfo| {
            let request = ActionCancelQueryRequest {
                info: info.encode_to_vec().into(),
            };
            let results = client
                .action("CancelQuery", request.as_any().encode_to_vec())
                .await
                .expect("it can be cancelled");
            Any::decode(&results[0][..]).expect("the result is packed");
        },
    )
    .await;
    assert_eq!(status.code(), Code::Cancelled, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses() {
    let server = tpch_server().start();
    let (mut mine, mut other) = (Client::connect(&server).await, Client::connect(&server).await);
    let info = mine.info(ENDLESS_STREAM).await.expect("a query can be planned");
    let mut stream = mine.get(only_ticket(&info)).await.expect("it runs");
    stream.message().await.expect("it has begun");
    let request = CancelFlightInfoRequest::new(info);
    let status = other
        .action("CancelFlightInfo", request.encode_to_vec())
        .await
        .expect_err("it is not theirs");
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    for _ in 0..20 {
        stream.message().await.expect("it runs on").expect("it runs on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_dropping_the_stream() {
    let server = tpch_server().start();
    let mut client = Client::connect(&server).await;
    let mut stream = client.stream(ENDLESS_STREAM).await.expect("it runs");
    stream.message().await.expect("it has begun");
    runs(&server);
    drop(stream);
    stops_within_a_second(&server);
    assert_eq!(client.value("select 1").await.expect("the session goes on"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_closing_the_connection_while_it_computes() {
    let server = tpch_server().start();
    let mut client = Client::connect(&server).await;
    let reading = tokio::spawn(async move {
        let mut stream = client.stream(ENDLESS_SUM).await?;
        while stream.message().await?.is_some() {}
        Ok::<_, tonic::Status>(())
    });
    runs(&server);
    reading.abort();
    stops_within_a_second(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_killing_the_client() {
    let server = tpch_server().start();
    for sql in [ENDLESS_STREAM, ENDLESS_SUM] {
        let script = format!(
            "import adbc_driver_flightsql.dbapi as adbc\n\
             cursor = adbc.connect('{}', autocommit=True).cursor()\n\
             cursor.execute('{sql}')\n\
             import time; time.sleep(600)",
            server.url()
        );
        let mut client = Command::new(python_env())
            .args(["-c", &script])
            .spawn()
            .expect("Python can be started");
        runs(&server);
        client.kill().expect("the client runs");
        stops_within_a_second(&server);
        client.wait().expect("the client is our child");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_closing_the_session() {
    let server = tpch_server().start();
    let status = cancelled(&server, ENDLESS_STREAM, async |client: &mut Client, _| {
        client
            .action("CloseSession", Vec::new())
            .await
            .expect("the session can be closed");
    })
    .await;
    assert_eq!(status.code(), Code::Cancelled, "{status}");
}
