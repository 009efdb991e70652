//! Who sees what: grants, paths below the roots, a session's own tables.

use std::os::unix::fs::symlink;

use super::*;
use crate::error::Kind;

const SERVED: &str = "table orders is served by this server: a session cannot make, replace or drop it";

async fn shop(folder: &Folder) -> Server {
    numbers(&folder.path("served/orders.parquet"), "a", &[1]);
    numbers(&folder.path("served/salaries.parquet"), "a", &[2]);
    numbers(&folder.path("open/x.parquet"), "a", &[3]);
    numbers(&folder.path("open/d/y.parquet"), "a", &[4]);
    numbers(&folder.path("open2/z.parquet"), "a", &[5]);
    let mut config = Config::default();
    config.data.data = vec![folder.text("served")];
    config.data.data_roots = vec![folder.text("open")];
    config.data.write_roots = vec![folder.text("out")];
    std::fs::create_dir_all(folder.path("out/x")).unwrap();
    Server::new(&config).await
}

#[tokio::test]
async fn a_table_without_a_grant_does_not_exist() {
    let folder = Folder::new();
    let server = shop(&folder).await;
    let session = server.session(user(&["ord*"], false, false));
    assert_eq!(rows(&session, "select a from orders").await.unwrap(), "1");
    let absent = refusal(&session, "select * from nothing")
        .await
        .message()
        .replace("nothing", "salaries");
    assert_eq!(
        refusal(&session, "select * from salaries").await.message(),
        absent
    );
    let listed = "select table_name from information_schema.tables where table_schema = 'public'";
    assert_eq!(rows(&session, listed).await.unwrap(), "orders");
    // The name is free for the session, and its table is its own.
    rows(&session, "create table salaries as select 9 as mine")
        .await
        .unwrap();
    assert_eq!(rows(&session, "select * from salaries").await.unwrap(), "9");
    let other = server.session(user(&["*"], false, false));
    assert_eq!(rows(&other, "select * from salaries").await.unwrap(), "2");
}

#[tokio::test]
async fn served_tables_are_not_made_dropped_or_replaced() {
    let folder = Folder::new();
    let session = shop(&folder).await.anyone();
    for (sql, words) in [
        ("drop table orders", SERVED),
        ("create or replace table orders as select 1 as a", SERVED),
        ("create view orders as select 1 as a", "exists already"),
        ("create table orders as select 1 as a", "exists already"),
        ("create or replace view orders as select 1 as a", SERVED),
    ] {
        let error = refusal(&session, sql).await;
        let message = error.message().replace("already exists", "exists already");
        assert!(message.contains(words), "{sql}: {error}");
    }
    assert!(
        refusal(&session, "create database d")
            .await
            .message()
            .contains("the server has one")
    );
    assert_eq!(rows(&session, "select a from orders").await.unwrap(), "1");
}

#[tokio::test]
async fn own_tables_views_and_schemas_end_with_the_session() {
    let folder = Folder::new();
    let server = shop(&folder).await;
    let catalogs = server.catalog.session(Arc::new(Rights::anonymous()));
    let session = server.anyone();
    for sql in [
        "create table t as select 1 as a",
        "create view v as select a + 1 as b from t",
        "create schema s",
        "create table s.u as select 5 as c",
        "create or replace table t as select 2 as a",
    ] {
        rows(&session, sql).await.unwrap();
    }
    assert_eq!(rows(&session, "select b, c from v, s.u").await.unwrap(), "2,5");
    let listed = "select table_schema, table_name, table_type from information_schema.tables \
                  where table_schema <> 'information_schema' order by 1, 2";
    assert_eq!(
        rows(&session, listed).await.unwrap(),
        "public,orders,BASE TABLE public,salaries,BASE TABLE public,t,BASE TABLE public,v,VIEW s,u,BASE TABLE"
    );
    assert!(
        refusal(&session, "drop schema s")
            .await
            .message()
            .contains("holds 1 tables")
    );
    assert!(
        refusal(&session, "drop schema public")
            .await
            .message()
            .contains("is the server's")
    );
    rows(&session, "drop schema s cascade").await.unwrap();
    rows(&session, "drop view v").await.unwrap();
    rows(&session, "drop table t").await.unwrap();
    assert!(
        refusal(&session, "select * from t")
            .await
            .message()
            .contains("not found")
    );
    assert_eq!(catalogs.tables().await.unwrap().len(), 2);
}

#[tokio::test]
async fn lists_say_what_a_table_is() {
    let folder = Folder::new();
    let server = shop(&folder).await;
    let catalogs = server.catalog.session(Arc::new(Rights::anonymous()));
    let session = SessionContext::new();
    let view = session.sql("select 1 as a").await.unwrap().into_view();
    let public = catalogs.public();
    use datafusion::catalog::SchemaProvider;
    public.register_table("v".into(), view).unwrap();
    let kinds: Vec<_> = public
        .tables()
        .into_iter()
        .map(|table| (table.name, table.kind.name()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("orders".into(), "TABLE"),
            ("salaries".into(), "TABLE"),
            ("v".into(), "VIEW")
        ]
    );
}

#[tokio::test]
async fn paths_are_read_below_the_roots_only() {
    let folder = Folder::new();
    let server = shop(&folder).await;
    let session = server.anyone();
    let root = folder.text("");
    for path in [
        "open/x.parquet",
        "open/./d//../x.parquet",
        "open/*.parquet",
        "open/[x]*",
    ] {
        assert_eq!(
            rows(&session, &format!("select a from '{root}{path}'"))
                .await
                .unwrap(),
            "3",
            "{path}"
        );
    }
    assert_eq!(
        rows(&session, &format!("select sum(a) from 'file://{root}open'"))
            .await
            .unwrap(),
        "7"
    );
    assert_eq!(
        rows(
            &session,
            &format!("select sum(a) from 'FILE:{root}open/d/%79.parquet'")
        )
        .await
        .unwrap(),
        "4"
    );
    for path in [
        format!("{root}open2/z.parquet"),
        format!("{root}open2"),
        format!("{root}open/../open2/z.parquet"),
        format!("file://{root}open/%2e%2e/open2/z.parquet"),
        format!("file://localhost{root}open/..%2Fopen2/z.parquet"),
        format!("{root}open/../served/orders.parquet"),
        format!("{root}*/z.parquet"),
        "/etc/passwd".into(),
        "s3://open/x.parquet".into(),
        "http://169.254.169.254/latest/x.parquet".into(),
    ] {
        let error = refusal(&session, &format!("select * from '{path}'")).await;
        assert_eq!(error.kind(), Kind::Denied, "{path}: {error}");
        assert!(error.message().contains("data_roots"), "{path}: {error}");
    }
    for (path, words) in [
        ("~/x.parquet", "~ is not expanded"),
        ("..\\x.parquet", "backslash"),
        ("file://elsewhere/x.parquet", "found host"),
        ("https://u:p@h/x.parquet", "found a user"),
        ("https://h/x.parquet?versionId=1", "query"),
        ("ftp://h/x.parquet", "found scheme"),
        ("/../x.parquet", "leads out"),
    ] {
        let error = refusal(&session, &format!("select * from '{path}'")).await;
        assert_eq!(error.kind(), Kind::Sql, "{path}: {error}");
        assert!(error.message().contains(words), "{path}: {error}");
    }
}

#[tokio::test]
async fn without_the_right_or_without_roots_paths_are_refused() {
    let folder = Folder::new();
    let server = shop(&folder).await;
    let path = folder.text("open/x.parquet");
    let session = server.session(user(&["*"], false, false));
    let error = refusal(&session, &format!("select * from '{path}'")).await;
    assert_eq!(error.kind(), Kind::Denied);
    assert_eq!(
        error.message(),
        format!("{path}: user ana may not read files by path")
    );
    let session = Server::new(&Config::default()).await.anyone();
    let error = refusal(&session, &format!("select * from '{path}'")).await;
    assert_eq!(error.kind(), Kind::Denied);
    assert!(
        error.message().contains("option data_roots names no folder"),
        "{error}"
    );
}

#[tokio::test]
async fn links_do_not_lead_out() {
    let folder = Folder::new();
    let server = shop(&folder).await;
    let session = server.anyone();
    symlink(folder.path("open2"), folder.path("open/out")).unwrap();
    symlink(folder.path("open2/z.parquet"), folder.path("open/link.parquet")).unwrap();
    symlink(folder.path("open/d"), folder.path("open/within")).unwrap();
    symlink(folder.path("open/nowhere"), folder.path("open/dangling.parquet")).unwrap();
    for path in [
        "open/out/z.parquet",
        "open/link.parquet",
        "open/out",
        "open",
        "open/*",
        "open/dangling.parquet",
    ] {
        let error = refusal(&session, &format!("select * from '{}'", folder.text(path))).await;
        assert_eq!(error.kind(), Kind::Denied, "{path}: {error}");
    }
    let within = format!("select a from '{}'", folder.text("open/within/y.parquet"));
    assert_eq!(rows(&session, &within).await.unwrap(), "4");
}

#[tokio::test]
async fn a_link_put_in_place_after_planning_is_refused_when_it_is_opened() {
    let folder = Folder::new();
    let session = shop(&folder).await.anyone();
    let path = folder.path("open/x.parquet");
    // Of one value only, the footer would say it and the file would not be opened.
    numbers(&path, "a", &[1, 2]);
    let frame = session
        .sql(&format!("select a + 1 from '{}'", path.display()))
        .await
        .unwrap();
    let plan = frame.create_physical_plan().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    symlink(folder.path("served/salaries.parquet"), &path).unwrap();
    let error = datafusion::physical_plan::collect(plan, session.task_ctx())
        .await
        .unwrap_err();
    assert_eq!(from_datafusion(error).kind(), Kind::Denied);
}

#[tokio::test]
async fn copies_go_below_the_write_roots_only() {
    let folder = Folder::new();
    let server = shop(&folder).await;
    let writer = user(&["*"], false, true);
    let target = server
        .catalog
        .write_target(&writer, &folder.text("out/r.parquet"))
        .unwrap();
    assert_eq!(
        target,
        format!("data://write/file{}", folder.text("out/r.parquet"))
    );
    let session = server.session(writer.clone());
    rows(
        &session,
        &format!("copy (select 7 as a) to '{target}' stored as parquet"),
    )
    .await
    .unwrap();
    assert!(folder.path("out/r.parquet").exists());
    for path in ["open/r.parquet", "out2/r.parquet", "out/../open/r.parquet"] {
        let error = server
            .catalog
            .write_target(&writer, &folder.text(path))
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Denied);
        assert!(error.message().contains("write_roots"), "{error}");
    }
    // A target that was not checked finds no store, or one that refuses it.
    for target in [
        folder.text("open/r.parquet"),
        format!("data://write/file{}", folder.text("open/r.parquet")),
        format!("data://user/file{}", folder.text("open/r.parquet")),
        format!("data://served/file{}", folder.text("open/r.parquet")),
    ] {
        let error = refusal(
            &session,
            &format!("copy (select 7 as a) to '{target}' stored as parquet"),
        )
        .await;
        assert_eq!(error.kind(), Kind::Denied, "{target}: {error}");
    }
    assert!(!folder.path("open/r.parquet").exists());
    let error = server
        .catalog
        .write_target(&user(&["*"], true, false), &folder.text("out/r.parquet"))
        .unwrap_err();
    assert_eq!(error.message(), "user ana may not write files with COPY TO");
    symlink(folder.path("open"), folder.path("out/link")).unwrap();
    assert!(
        server
            .catalog
            .write_target(&writer, &folder.text("out/link/r.parquet"))
            .is_err()
    );
}
