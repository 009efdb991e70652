//! Sessions: one a connection, or one a cookie; what belongs to one is not another's.

use arrow_flight::Action;
use tonic::Code;
use warpflight_tests::client::Client;

use crate::shared_server;

const COOKIE: &str = "arrow_flight_session_id";

/// The cookie that the server offers to a client that sends none.
async fn offered_cookie(client: &mut Client) -> String {
    let request = client.request(Action {
        r#type: "GetSessionOptions".into(),
        ..Action::default()
    });
    let response = client.flight.do_action(request).await.expect("the action runs");
    let cookie = response
        .metadata()
        .get("set-cookie")
        .expect("a cookie is offered")
        .to_str()
        .expect("it is text");
    let pair = cookie
        .split(';')
        .next()
        .expect("a cookie begins with its name and value");
    assert!(pair.starts_with(COOKIE), "{cookie}");
    pair.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_a_session() {
    let server = shared_server();
    let (mut mine, mut other) = (Client::connect(&server).await, Client::connect(&server).await);
    mine.update("create table t as select 1 as a")
        .await
        .expect("a table can be made");
    assert_eq!(
        mine.value("select a from t")
            .await
            .expect("it is there for every request"),
        "1"
    );
    let status = other
        .rows("select a from t")
        .await
        .expect_err("it is not there for others");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(
        status.message().contains("'t'") || status.message().contains(".t"),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_a_session_across_connections() {
    let server = shared_server();
    let mut first = Client::connect(&server).await;
    let cookie = offered_cookie(&mut first).await;
    first.set_header("cookie", &cookie);
    first
        .update("create table t as select 1 as a")
        .await
        .expect("a table can be made");
    let mut second = Client::connect(&server).await;
    second.set_header("cookie", &format!("unrelated=1; {cookie}"));
    assert_eq!(
        second
            .value("select a from t")
            .await
            .expect("the cookie names the session"),
        "1"
    );
    drop(first);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(
        second
            .value("select a from t")
            .await
            .expect("it outlives its first connection"),
        "1"
    );
    // A made-up cookie is worth nothing: it gets a new session.
    let mut stranger = Client::connect(&server).await;
    stranger.set_header("cookie", &format!("{COOKIE}=0123456789abcdef"));
    stranger
        .rows("select a from t")
        .await
        .expect_err("a made-up cookie opens no session");
    assert_eq!(stranger.value("select 1").await.expect("it may still ask"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_session_stops_nothing_of_another() {
    let server = shared_server();
    let (mut mine, mut other) = (Client::connect(&server).await, Client::connect(&server).await);
    let mut long = other
        .stream("select value from generate_series(1, 10000000)")
        .await
        .expect("a query runs");
    long.message().await.expect("it has begun");
    mine.update("create table t as select 1 as a")
        .await
        .expect("a table can be made");
    mine.action("CloseSession", Vec::new())
        .await
        .expect("a session can be closed");
    mine.rows("select * from t")
        .await
        .expect_err("its tables went with it");
    let mut messages = 0;
    while long
        .message()
        .await
        .expect("the other session's query goes on")
        .is_some()
    {
        messages += 1;
    }
    assert!(messages > 10, "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_belong_to_their_session() {
    let server = shared_server();
    let (mut mine, mut other) = (Client::connect(&server).await, Client::connect(&server).await);
    let prepared = mine
        .prepare("select 1 as a")
        .await
        .expect("a statement can be prepared");
    let handle = prepared.prepared_statement_handle;
    mine.rows_prepared(&handle, None).await.expect("it runs here");
    let status = other
        .rows_prepared(&handle, None)
        .await
        .expect_err("it does not run elsewhere");
    assert_eq!(status.code(), Code::NotFound, "{status}");
    other
        .action("ClosePreparedStatement", close_request(&handle))
        .await
        .ok();
    mine.rows_prepared(&handle, None)
        .await
        .expect("nobody else can close it");
    mine.action("ClosePreparedStatement", close_request(&handle))
        .await
        .expect("it can be closed");
    mine.rows_prepared(&handle, None).await.expect_err("it is closed");
}

fn close_request(handle: &bytes::Bytes) -> Vec<u8> {
    use arrow_flight::sql::{ActionClosePreparedStatementRequest, ProstMessageExt};
    use prost::Message;
    let request = ActionClosePreparedStatementRequest {
        prepared_statement_handle: handle.clone(),
    };
    request.as_any().encode_to_vec()
}

/// What a JDBC driver does with every statement, plain ones and updates too.
#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_prepared() {
    let server = shared_server();
    let mut client = Client::connect(&server).await;
    let create = client
        .prepare("create table t (a int)")
        .await
        .expect("DDL can be prepared");
    assert!(create.dataset_schema.is_empty(), "DDL has no columns");
    client
        .update_prepared(&create.prepared_statement_handle, None)
        .await
        .expect("it runs");
    let insert = client
        .prepare("insert into t values (1), (2)")
        .await
        .expect("an update can be prepared");
    assert_eq!(
        client
            .update_prepared(&insert.prepared_statement_handle, None)
            .await
            .expect("it runs"),
        2
    );
    let query = client
        .prepare("select sum(a) as s from t")
        .await
        .expect("a query can be prepared");
    assert!(
        !query.dataset_schema.is_empty() && !query.parameter_schema.is_empty(),
        "both schemas are needed"
    );
    for _ in 0..2 {
        let rows = client
            .rows_prepared(&query.prepared_statement_handle, None)
            .await
            .expect("it runs");
        assert_eq!(warpflight_tests::client::column_text(rows.column(0)), ["3"]);
    }
}

/// Some clients send an update as a query, and others a query as an update.
#[tokio::test(flavor = "multi_thread")]
async fn either_way_of_asking_works() {
    let server = shared_server();
    let mut client = Client::connect(&server).await;
    client
        .rows("create table t (a int)")
        .await
        .expect("DDL by GetFlightInfo and DoGet");
    client
        .rows("insert into t values (1), (2)")
        .await
        .expect("an update by GetFlightInfo and DoGet");
    assert_eq!(
        client
            .value("select count(*) from t")
            .await
            .expect("both ran, once"),
        "2"
    );
    client
        .update("select count(*) from t")
        .await
        .expect("a query by DoPut");
    let info = client
        .info("insert into t values (3)")
        .await
        .expect("an update by GetFlightInfo");
    client.rows_of(info).await.expect("and DoGet");
    assert_eq!(
        client
            .value("select count(*) from t")
            .await
            .expect("an insert runs once"),
        "3"
    );
}
