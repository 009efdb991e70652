//! The client against a server that does what the tests need.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use super::client::{ConnectOptions, Credentials, Target, Trust};
use super::fake::Fake;
use super::output::{Layout, TableStyle};
use super::*;

fn options(url: &str, credentials: Credentials) -> ConnectOptions {
    ConnectOptions {
        target: Target::parse(url).unwrap(),
        trust: Trust::default(),
        credentials,
    }
}

fn ann(password: &str) -> Credentials {
    Credentials::Password {
        user: "ann".into(),
        password: password.into(),
    }
}

async fn connected(fake: &Fake) -> Client {
    Client::connect(options(&fake.start().await, Credentials::None))
        .await
        .unwrap()
}

async fn numbers(client: &mut Client, sql: &str) -> Outcome<Vec<i64>> {
    let info = client.query(sql).await?;
    let mut rows = client.rows(&info).await?;
    let mut found = Vec::new();
    while let Some(batch) = rows.next().await {
        found.extend_from_slice(batch?.column(0).as_primitive::<Int64Type>().values());
    }
    Ok(found)
}

/// Runs `sql` as the command line does, with CSV going to a file. What it wrote, and the outcome.
async fn run_csv(client: &mut Client, sql: &str, interrupt: &mut Interrupt) -> (String, Outcome<Done>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut sink = Sink::open(&Destination::File(path.clone())).unwrap();
    let layout = Layout {
        format: Format::Csv,
        null: None,
        table: TableStyle::default(),
    };
    let outcome = run::statement(client, sql, &layout, &mut sink, interrupt).await;
    match outcome {
        Ok((done, _)) => {
            sink.complete().unwrap();
            (std::fs::read_to_string(path).unwrap(), Ok(done))
        }
        Err(failure) => (String::new(), Err(failure)),
    }
}

#[tokio::test]
async fn rows_and_updates() {
    let mut client = connected(&Fake::default()).await;
    let mut interrupt = Interrupt::listen(false).unwrap();
    let (csv, done) = run_csv(&mut client, "select 7", &mut interrupt).await;
    assert_eq!((csv.as_str(), done.unwrap()), ("n\n70\n71\n", Done::Rows(2)));
    let (csv, done) = run_csv(&mut client, "select empty", &mut interrupt).await;
    assert_eq!(
        (csv.as_str(), done.unwrap()),
        ("n\n", Done::Rows(0)),
        "no header for no rows"
    );
    let (_, done) = run_csv(&mut client, "insert into t values (1)", &mut interrupt).await;
    assert_eq!(done.unwrap(), Done::Changed("INSERT: 3 rows".into()));
    let (_, done) = run_csv(&mut client, "create view v as select 1", &mut interrupt).await;
    assert_eq!(done.unwrap(), Done::Changed("CREATE: done".into()));
}

#[tokio::test]
async fn endpoints_keep_their_order_where_it_matters() {
    let mut client = connected(&Fake::default()).await;
    assert_eq!(
        numbers(&mut client, "select ordered").await.unwrap(),
        [10, 11, 20, 21, 30, 31]
    );
    let mut found = numbers(&mut client, "select unordered").await.unwrap();
    found.sort_unstable();
    assert_eq!(found, [10, 11, 20, 21, 30, 31]);
}

#[tokio::test]
async fn failures_have_their_exit_codes() {
    let mut client = connected(&Fake::default()).await;
    for (sql, code, says) in [
        ("select wrong", 1, "no column wrong"),
        ("select broken", 1, "broke midway"),
        ("select secret", 4, "no right"),
    ] {
        let failure = numbers(&mut client, sql).await.unwrap_err();
        assert_eq!(failure.exit_code(), code, "{sql}");
        assert!(failure.message.contains(says), "{sql}: {failure}");
    }
    assert_eq!(client.update("drop table t").await.unwrap_err().exit_code(), 1);
    let failure = with_excerpt(
        numbers(&mut client, "select wrong").await.unwrap_err(),
        "select wrong",
        None,
    );
    assert!(
        failure.message.ends_with("\n1 | select wrong\n           ^"),
        "{failure}"
    );
}

#[tokio::test]
async fn no_server_is_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    drop(listener);
    let failure = Client::connect(options(&url, Credentials::None))
        .await
        .err()
        .unwrap();
    assert_eq!(failure.exit_code(), 3);
    assert!(
        failure.message.contains(&url) && failure.message.contains("refused"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_server_that_goes_away_midway_is_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(socket);
        }
    });
    let failure = match Client::connect(options(&url, Credentials::None)).await {
        Ok(mut client) => client.query("select 1").await.unwrap_err(),
        Err(failure) => failure,
    };
    assert_eq!(failure.exit_code(), 3, "{failure}");
}

#[tokio::test]
async fn passwords_become_tokens_and_are_presented_again() {
    let fake = Fake::default();
    fake.0.protected.store(true, Ordering::Relaxed);
    let url = fake.start().await;
    let refused = Client::connect(options(&url, ann("wrong"))).await.err().unwrap();
    assert_eq!(
        (refused.exit_code(), refused.message.as_str()),
        (4, "wrong user or password")
    );
    let mut nobody = Client::connect(options(&url, Credentials::None)).await.unwrap();
    let refused = nobody.query("select 1").await.unwrap_err();
    assert_eq!(refused.exit_code(), 4);
    assert!(refused.message.contains("--user"), "{refused}");

    let mut client = Client::connect(options(&url, ann("secret"))).await.unwrap();
    assert_eq!(numbers(&mut client, "1").await.unwrap(), [10, 11]);
    // The server forgets every token.
    fake.0.handshakes.fetch_add(1, Ordering::Relaxed);
    assert_eq!(numbers(&mut client, "1").await.unwrap(), [10, 11]);
    fake.0.handshakes.fetch_add(1, Ordering::Relaxed);
    assert_eq!(client.update("insert").await.unwrap(), Some(3));
    let token = format!("{}", fake.0.handshakes.load(Ordering::Relaxed));
    let mut other = Client::connect(options(&url, Credentials::Token(token)))
        .await
        .unwrap();
    assert_eq!(numbers(&mut other, "1").await.unwrap(), [10, 11]);
}

#[tokio::test]
async fn cookies_come_back() {
    let fake = Fake::default();
    let mut client = connected(&fake).await;
    numbers(&mut client, "1").await.unwrap();
    assert_eq!(fake.0.cookie.lock().unwrap().as_deref(), Some("session=s1"));
    client.close().await;
    assert_eq!(*fake.0.actions.lock().unwrap(), ["CloseSession"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_the_client_and_the_server() {
    let fake = Fake::default();
    let mut client = connected(&fake).await;
    for sql in ["select forever", "select planning"] {
        let (mut interrupt, raise) = Interrupt::manual();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            raise();
        });
        let start = Instant::now();
        let (_, outcome) = run_csv(&mut client, sql, &mut interrupt).await;
        assert_eq!(outcome.unwrap_err().exit_code(), 130, "{sql}");
        assert!(start.elapsed() < Duration::from_secs(5), "{sql}");
    }
    assert!(
        fake.0
            .actions
            .lock()
            .unwrap()
            .contains(&"CancelFlightInfo".to_owned())
    );
    let deadline = Instant::now() + Duration::from_secs(5);
    while fake.0.dropped.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < deadline, "the server still streams");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        numbers(&mut client, "1").await.unwrap(),
        [10, 11],
        "the session ended with its query"
    );
}

#[tokio::test]
async fn metadata() {
    let mut client = connected(&Fake::default()).await;
    assert_eq!(client.server_name().await.unwrap(), "fake 0.0.1");
    let tables = client.relations(true).await.unwrap();
    assert_eq!(
        tables.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(),
        ["t", "v"]
    );
    let column = &tables[0].columns[0];
    assert_eq!(
        (column.name.as_str(), column.data_type.as_str(), column.nullable),
        ("n", "Int64", false)
    );
}

#[tokio::test]
async fn a_location_without_tls_is_refused_in_a_session_with_it() {
    // The check stands before any connection: no TLS server is needed to see it.
    let mut client = connected(&Fake::default()).await;
    let mut info = client.query("select 1").await.unwrap();
    info.endpoint[0].location.push(arrow_flight::Location {
        uri: "grpc://127.0.0.1:1".into(),
    });
    let failure = client.rows(&info).await.err().unwrap();
    assert_eq!(failure.exit_code(), 3, "{failure}");
    client.pretend_tls();
    let failure = client.rows(&info).await.err().unwrap();
    assert!(failure.message.contains("without TLS"), "{failure}");
}
