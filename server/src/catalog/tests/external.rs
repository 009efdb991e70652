//! `CREATE EXTERNAL TABLE` below the roots.

use super::*;
use crate::error::Kind;

async fn with_root(folder: &Folder) -> SessionContext {
    let mut config = Config::default();
    config.data.data_roots = vec![folder.text("open")];
    Server::new(&config).await.anyone()
}

#[tokio::test]
async fn columns_options_and_partitions() {
    let folder = Folder::new();
    std::fs::write(folder.path("open/c/y=2024/1.csv"), "1;x\n").unwrap();
    std::fs::write(folder.path("open/c/y=2025/1.csv"), "2;y\n").unwrap();
    let session = with_root(&folder).await;
    let create = format!(
        "create external table c (n int, t varchar, y int) stored as csv partitioned by (y) \
         location '{}' options ('format.has_header' 'false', 'format.delimiter' ';')",
        folder.text("open/c/")
    );
    rows(&session, &create).await.unwrap();
    assert_eq!(
        rows(&session, "select * from c order by n").await.unwrap(),
        "1,x,2024 2,y,2025"
    );
    assert_eq!(
        rows(&session, "select t from c where y = 2025").await.unwrap(),
        "y"
    );
    std::fs::write(folder.path("open/c/y=2026/1.csv"), "3;z\n").unwrap();
    assert_eq!(rows(&session, "select count(*) from c").await.unwrap(), "3");
    let types = rows(
        &session,
        "select arrow_typeof(n), arrow_typeof(t), arrow_typeof(y) from c limit 1",
    )
    .await;
    assert_eq!(types.unwrap(), "Int32,Utf8,Int32");
    rows(&session, "drop table c").await.unwrap();
}

#[tokio::test]
async fn every_type_and_several_places() {
    let folder = Folder::new();
    numbers(&folder.path("open/p/1.parquet"), "a", &[1]);
    numbers(&folder.path("open/p/2.parquet"), "a", &[2]);
    numbers(&folder.path("open/p/3.parquet"), "a", &[4]);
    std::fs::write(folder.path("open/j/1.json"), "{\"a\": 8}\n").unwrap();
    let session = with_root(&folder).await;
    let create = |name: &str, kind: &str, place: String| {
        format!("create external table {name} stored as {kind} location {place}")
    };
    let (one, two) = (folder.text("open/p/1.parquet"), folder.text("open/p/2.parquet"));
    rows(&session, &create("p", "parquet", format!("('{one}', '{two}')")))
        .await
        .unwrap();
    assert_eq!(rows(&session, "select sum(a) from p").await.unwrap(), "3");
    rows(
        &session,
        &create("j", "ndjson", format!("'{}'", folder.text("open/j"))),
    )
    .await
    .unwrap();
    assert_eq!(rows(&session, "select a from j").await.unwrap(), "8");
    let again = refusal(
        &session,
        &create("j", "json", format!("'{}'", folder.text("open/j"))),
    )
    .await;
    assert!(again.message().contains("already exists"), "{again}");
}

#[tokio::test]
async fn places_outside_and_wrong_ones_are_refused_at_once() {
    let folder = Folder::new();
    numbers(&folder.path("other/1.parquet"), "a", &[1]);
    std::fs::create_dir_all(folder.path("open/x")).unwrap();
    let session = with_root(&folder).await;
    let create = |place: &str| {
        format!(
            "create external table t stored as parquet location '{}'",
            folder.text(place)
        )
    };
    let error = refusal(&session, &create("other/1.parquet")).await;
    assert_eq!(error.kind(), Kind::Denied);
    let error = refusal(&session, &create("open/missing.parquet")).await;
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.message().starts_with("table t: "), "{error}");
    let error = refusal(
        &session,
        &create("open/x").replace("parquet location", "avro location"),
    )
    .await;
    assert!(error.message().to_lowercase().contains("avro"), "{error}");
}
