//! Rights: users see and read what their grants name, in data and in metadata; paths only below the roots.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables};
use tempfile::TempDir;
use tonic::Code;
use warpflight_tests::client::{Client, column_text};
use warpflight_tests::data::write_parquet;
use warpflight_tests::server::{Options, Server};

use crate::signing_in::{PASSWORD, user};
use crate::tpch_server;

async fn signed_in(server: &Server, name: &str) -> Client {
    let mut client = Client::connect(server).await;
    client
        .sign_in(name, PASSWORD)
        .await
        .expect("the password is right");
    client
}

fn two_users() -> Server {
    tpch_server()
        .config(&user("geographer", "read = [\"nation\", \"region\"]"))
        .config(&user("seller", "read = [\"orders\", \"line*\", \"cust*\"]"))
        .start()
}

/// Denied or as if it were not there: both are right, as long as the rows stay unseen.
fn assert_hidden(outcome: Result<RecordBatch, tonic::Status>, what: &str) {
    match outcome {
        Ok(rows) => panic!("{what}: {} rows", rows.num_rows()),
        Err(status) => assert!(
            matches!(
                status.code(),
                Code::PermissionDenied | Code::InvalidArgument | Code::NotFound
            ),
            "{what}: {status}"
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_reads_what_is_granted() {
    let server = two_users();
    let (mut geographer, mut seller) = (
        signed_in(&server, "geographer").await,
        signed_in(&server, "seller").await,
    );
    assert_eq!(
        geographer
            .value("select count(*) from nation")
            .await
            .expect("it is granted"),
        "25"
    );
    assert_eq!(
        seller
            .value("select count(*) from customer")
            .await
            .expect("it is granted"),
        "1500"
    );
    for sql in [
        "select count(*) from orders",
        "select count(*) from warpflight.public.orders",
        "select count(*) from nation, orders",
        "select (select count(*) from \"orders\")",
        "with o as (select * from orders) select count(*) from o",
        "explain select * from orders",
        "describe orders",
        "show columns from orders",
    ] {
        assert_hidden(geographer.rows(sql).await, sql);
    }
    for sql in [
        "create view v as select * from orders",
        "create table t as select * from orders",
    ] {
        geographer.update(sql).await.expect_err(sql);
    }
    assert_hidden(seller.rows("select * from nation").await, "nation");
    geographer
        .prepare("select * from orders")
        .await
        .expect_err("preparing reads the schema");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_sees_what_is_granted() {
    let server = two_users();
    let (mut geographer, mut seller) = (
        signed_in(&server, "geographer").await,
        signed_in(&server, "seller").await,
    );
    for (client, expected) in [
        (&mut geographer, vec!["nation", "region"]),
        (&mut seller, vec!["customer", "lineitem", "orders"]),
    ] {
        let in_schema =
            "select table_name from information_schema.tables where table_schema = 'public' order by 1";
        assert_eq!(client.column(in_schema).await.expect("it may look"), expected);
        let columns = "select distinct table_name from information_schema.columns where table_schema = 'public' order by 1";
        assert_eq!(client.column(columns).await.expect("it may look"), expected);
        let command = CommandGetTables {
            db_schema_filter_pattern: Some("public".into()),
            ..CommandGetTables::default()
        };
        let info = client.info_of(&command).await.expect("it may look");
        let tables = client.rows_of(info).await.expect("it may look");
        let names = tables.column_by_name("table_name").expect("the column is there");
        assert_eq!(column_text(names.as_ref()), expected);
        let info = client
            .info_of(&CommandGetDbSchemas::default())
            .await
            .expect("it may look");
        client.rows_of(info).await.expect("it may look");
        let shown = client.rows("show tables").await.expect("it may look");
        let shown = shown
            .columns()
            .iter()
            .flat_map(|column| column_text(column.as_ref()))
            .collect::<Vec<_>>();
        for hidden in ["nation", "orders"]
            .iter()
            .filter(|name| !expected.contains(*name))
        {
            assert!(!shown.iter().any(|text| text == hidden), "{shown:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_stops_the_queries_of_others() {
    let server = two_users();
    let mut geographer = signed_in(&server, "geographer").await;
    let info = geographer
        .info("select value from generate_series(1, 1000000000)")
        .await
        .expect("it may ask");
    let mut stream = geographer
        .get(warpflight_tests::client::only_ticket(&info))
        .await
        .expect("it runs");
    stream.message().await.expect("it has begun");
    let mut seller = signed_in(&server, "seller").await;
    let request = prost::Message::encode_to_vec(&arrow_flight::CancelFlightInfoRequest::new(info));
    seller
        .action("CancelFlightInfo", request)
        .await
        .expect_err("it is not theirs");
    // The status page names statements only where nobody has to sign in.
    let page = warpflight_tests::http::get(server.http_address(), "/").body;
    assert!(
        !page.contains("generate_series") && !page.contains("geographer"),
        "{page}"
    );
    stream.message().await.expect("it runs on");
}

/// `inside/data.parquet` below the root and `outside/secret.parquet` beside it, with links from one to the other.
fn folders() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let number = |n: i32| {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![n]));
        RecordBatch::try_from_iter([("n", column)]).expect("one column is a batch")
    };
    for (name, n) in [
        ("inside/data.parquet", 1),
        ("inside/deep/more.parquet", 2),
        ("outside/secret.parquet", 666),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder can be made");
        write_parquet(&path, &number(n), 1);
    }
    fs::write(folder.path().join("outside/secret.csv"), "n\n666\n").expect("a file can be written");
    symlink(
        folder.path().join("outside/secret.parquet"),
        folder.path().join("inside/link.parquet"),
    )
    .expect("a link");
    symlink(folder.path().join("outside"), folder.path().join("inside/linked")).expect("a link");
    symlink(
        "../outside/secret.parquet",
        folder.path().join("inside/relative.parquet"),
    )
    .expect("a link");
    folder
}

fn served(folder: &Path) -> Options {
    let inside = folder.join("inside").display().to_string();
    Options::new().args(["--data-roots", &inside])
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_below_the_roots_only() {
    let folder = folders();
    let server = served(folder.path()).start();
    let mut client = Client::connect(&server).await;
    let root = folder.path().display();
    for path in [
        format!("{root}/inside/data.parquet"),
        format!("{root}/inside/deep/../data.parquet"),
    ] {
        // The second may be refused for its dots, but must not be something else.
        if let Ok(value) = client.value(&format!("select n from '{path}'")).await {
            assert_eq!(value, "1", "{path}");
        }
    }
    let first = format!("select n from '{root}/inside/data.parquet'");
    assert_eq!(client.value(&first).await.expect("it lies below the root"), "1");
    let as_url = format!("select n from 'file://{root}/inside/data.parquet'");
    assert_eq!(client.value(&as_url).await.expect("it lies below the root"), "1");

    let outside = [
        format!("{root}/outside/secret.parquet"),
        format!("{root}/inside/../outside/secret.parquet"),
        format!("{root}/inside/deep/../../outside/secret.parquet"),
        format!("{root}/inside/./../outside/secret.parquet"),
        format!("{root}/inside/link.parquet"),
        format!("{root}/inside/relative.parquet"),
        format!("{root}/inside/linked/secret.parquet"),
        format!("{root}/inside/linked/"),
        format!("{root}/inside/linked/*.parquet"),
        format!("{root}/inside/*/secret.parquet"),
        format!("{root}/inside/l*.parquet"),
        format!("{root}/inside%2f..%2foutside/secret.parquet"),
        format!("{root}/outside/*.parquet"),
        format!("{root}/inside/../outside/*.csv"),
        format!("{root}"),
        format!("file://{root}/outside/secret.parquet"),
        format!("file://{root}/inside/../outside/secret.parquet"),
        format!("file://{root}/inside/%2e%2e/outside/secret.parquet"),
        format!("file://{root}/inside/%2E%2E%2Foutside/secret.parquet"),
        format!("file://localhost{root}/outside/secret.parquet"),
        format!("FILE://{root}/outside/secret.parquet"),
        format!("file:{root}/outside/secret.parquet"),
        format!("//{root}/outside/secret.parquet"),
        format!("{root}/insideother/../outside/secret.parquet"),
        "../outside/secret.parquet".to_owned(),
        "/etc/passwd".to_owned(),
        "file:///etc/passwd".to_owned(),
        "/proc/self/environ".to_owned(),
        "http://127.0.0.1:1/x.parquet".to_owned(),
        "s3://bucket/x.parquet".to_owned(),
    ];
    for path in outside {
        let sql = format!("select * from '{path}'");
        match client.rows(&sql).await {
            Ok(rows) => {
                let secret = rows
                    .columns()
                    .iter()
                    .any(|column| column_text(column.as_ref()).iter().any(|n| n == "666"));
                assert!(!secret, "{path} shows what lies outside");
                // A pattern may well match what is inside, and nothing else.
                assert!(
                    path.contains('*') && path.contains("inside"),
                    "{path}: {} rows",
                    rows.num_rows()
                );
            }
            Err(status) => assert!(
                matches!(
                    status.code(),
                    Code::PermissionDenied | Code::InvalidArgument | Code::FailedPrecondition
                ),
                "{path}: {status}"
            ),
        }
        let external = format!("create external table stolen stored as parquet location '{path}'");
        if client.update(&external).await.is_ok() {
            if let Ok(rows) = client.rows("select * from stolen").await {
                let secret = rows
                    .columns()
                    .iter()
                    .any(|column| column_text(column.as_ref()).iter().any(|n| n == "666"));
                assert!(!secret, "{path} as an external table shows what lies outside");
            }
            client
                .update("drop table stolen")
                .await
                .expect("it can be dropped");
        }
    }
}

/// A file that turns into a link after its table was made.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_made_later_is_not_followed() {
    let folder = folders();
    let server = served(folder.path()).start();
    let mut client = Client::connect(&server).await;
    let data = folder.path().join("inside/data.parquet");
    let table = format!(
        "create external table t stored as parquet location '{}'",
        data.display()
    );
    client.update(&table).await.expect("it lies below the root");
    assert_eq!(
        client.value("select n from t").await.expect("it can be read"),
        "1"
    );
    fs::remove_file(&data).expect("it can be removed");
    symlink(folder.path().join("outside/secret.parquet"), &data).expect("a link can be made");
    assert_hidden_or_gone(client.column("select n from t").await);
}

fn assert_hidden_or_gone(outcome: Result<Vec<String>, tonic::Status>) {
    if let Ok(values) = outcome {
        assert!(
            !values.contains(&"666".to_owned()),
            "the link was followed: {values:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_for_users_who_may() {
    let folder = folders();
    let server = served(folder.path())
        .config(&user("ana", "read = [\"*\"]\nfiles = true"))
        .config(&user("ben", "read = [\"*\"]"))
        .start();
    let sql = format!("select n from '{}/inside/data.parquet'", folder.path().display());
    assert_eq!(
        signed_in(&server, "ana")
            .await
            .value(&sql)
            .await
            .expect("she may"),
        "1"
    );
    let mut ben = signed_in(&server, "ben").await;
    let status = ben.rows(&sql).await.expect_err("he may not");
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    let table = format!(
        "create external table t stored as parquet location '{}/inside/'",
        folder.path().display()
    );
    assert_eq!(
        ben.update(&table).await.expect_err("he may not").code(),
        Code::PermissionDenied
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_below_the_write_roots_only() {
    let folder = folders();
    let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
    let server = served(folder.path())
        .args(["--write-roots", &inside.display().to_string()])
        .start();
    let mut client = Client::connect(&server).await;
    let copy = |path: &Path| format!("copy (select 7 as n) to '{}' stored as parquet", path.display());
    client
        .update(&copy(&inside.join("new.parquet")))
        .await
        .expect("it lies below the root");
    let read = format!("select n from '{}'", inside.join("new.parquet").display());
    assert_eq!(client.value(&read).await.expect("it was written"), "7");
    for target in [
        outside.join("new.parquet"),
        inside.join("../outside/new.parquet"),
        inside.join("linked/new.parquet"),
        inside.join("link.parquet"),
    ] {
        let status = client.update(&copy(&target)).await.expect_err("it lies outside");
        assert_eq!(
            status.code(),
            Code::PermissionDenied,
            "{}: {status}",
            target.display()
        );
    }
    assert!(!outside.join("new.parquet").exists());
    let unwritable = served(folder.path()).start();
    let mut client = Client::connect(&unwritable).await;
    let status = client
        .update(&copy(&inside.join("other.parquet")))
        .await
        .expect_err("there is no root to write below");
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
}
