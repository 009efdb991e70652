//! Files that are missing, damaged or not alike: the table and the file are named, the rest works.

use super::*;
use crate::error::Kind;

async fn tables(tables: Vec<TableEntry>) -> SessionContext {
    Server::new(&Config {
        tables,
        ..Config::default()
    })
    .await
    .anyone()
}

#[tokio::test]
async fn a_broken_table_breaks_itself_only_and_mends() {
    let folder = Folder::new();
    numbers(&folder.path("good.parquet"), "a", &[1]);
    let missing = folder.text("missing.parquet");
    let config = Config {
        tables: vec![
            entry("good", folder.text("good.parquet")),
            entry("bad", missing.clone()),
        ],
        ..Config::default()
    };
    let server = Server::new(&config).await;
    let session = server.anyone();
    let tried = server.catalog.try_tables().await;
    assert!(tried[0].1.is_err() && tried[1].1.is_ok());
    let error = refusal(&session, "select * from bad").await;
    assert_eq!(error.kind(), Kind::Data);
    assert_eq!(
        error.message(),
        format!(
            "table bad: {missing}: no such file, and no folder with files of parquet, csv, json or arrow"
        )
    );
    assert_eq!(rows(&session, "select a from good").await.unwrap(), "1");
    let columns =
        "select table_name, column_name from information_schema.columns where table_schema = 'public'";
    assert_eq!(rows(&session, columns).await.unwrap(), "good,a");
    let names = "select table_name from information_schema.tables where table_schema = 'public' order by 1";
    assert_eq!(rows(&session, names).await.unwrap(), "bad good");
    numbers(Path::new(&missing), "b", &[2]);
    assert_eq!(rows(&session, "select b from bad").await.unwrap(), "2");
    assert!(
        rows(&session, "show tables")
            .await
            .unwrap()
            .contains("warpflight,public,bad,BASE TABLE")
    );
}

#[tokio::test]
async fn damaged_footers_are_named() {
    let folder = Folder::new();
    let whole = folder.path("whole.parquet");
    numbers(&whole, "a", &(0..1000).collect::<Vec<_>>());
    let bytes = std::fs::read(&whole).unwrap();
    let damage: [(&str, Vec<u8>); 4] = [
        ("short.parquet", bytes[..bytes.len() / 2].to_vec()),
        ("tiny.parquet", b"PAR1".to_vec()),
        ("text.parquet", b"a,b\n1,2\n3,4\n".to_vec()),
        ("flipped.parquet", {
            let mut flipped = bytes.clone();
            let footer = bytes.len() - 8 - 40;
            flipped[footer..footer + 20]
                .iter_mut()
                .for_each(|byte| *byte ^= 0xff);
            flipped
        }),
    ];
    for (name, bytes) in damage {
        std::fs::write(folder.path(name), &bytes).unwrap();
        let session = tables(vec![entry("t", folder.text(name))]).await;
        let error = refusal(&session, "select * from t").await;
        assert_eq!(error.kind(), Kind::Data, "{error}");
        let start = format!(
            "table t: {}: {} bytes that are no readable parquet file: ",
            folder.text(name),
            bytes.len()
        );
        assert!(error.message().starts_with(&start), "{error}");
        assert!(!error.message().contains('\n'), "{error}");
    }
    std::fs::write(folder.path("empty.parquet"), "").unwrap();
    let session = tables(vec![entry("t", folder.text("empty.parquet"))]).await;
    let error = refusal(&session, "select * from t").await;
    assert_eq!(
        error.message(),
        format!("table t: {}: the file is empty", folder.text("empty.parquet"))
    );
}

#[tokio::test]
async fn damaged_pages_are_an_error_of_the_data() {
    let folder = Folder::new();
    let path = folder.path("t.parquet");
    numbers(
        &path,
        "a",
        &(0..100_000)
            .map(|value| value * 7919 % 100_003)
            .collect::<Vec<_>>(),
    );
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[4..middle].iter_mut().for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&path, bytes).unwrap();
    let session = tables(vec![entry("t", folder.text("t.parquet"))]).await;
    let frame = session.sql("select sum(a) from t").await.unwrap();
    let plan = frame.create_physical_plan().await.unwrap();
    let outcome = datafusion::physical_plan::collect(Arc::clone(&plan), session.task_ctx()).await;
    let error = with_files(from_datafusion(outcome.unwrap_err()), plan.as_ref());
    assert_eq!(error.kind(), Kind::Data, "{error}");
    assert!(
        error
            .message()
            .starts_with(&format!("{}: damaged Parquet data: ", path.display())),
        "{error}"
    );
}

#[tokio::test]
async fn files_that_disagree_are_both_named() {
    let folder = Folder::new();
    numbers(&folder.path("t/1.parquet"), "a", &[1]);
    texts(&folder.path("t/2.parquet"), "a", &["x"]);
    let session = tables(vec![entry("t", folder.text("t"))]).await;
    let error = refusal(&session, "select * from t").await;
    assert_eq!(error.kind(), Kind::Data);
    assert_eq!(
        error.message(),
        format!(
            "table t: column a: Int64 in {}, but Utf8 in {}; expected one type in all files",
            folder.text("t/1.parquet"),
            folder.text("t/2.parquet")
        )
    );
    numbers(&folder.path("t/2.parquet"), "b", &[2]);
    assert_eq!(
        rows(
            &session,
            "select coalesce(a, 0), coalesce(b, 0) from t order by 1"
        )
        .await
        .unwrap(),
        "0,2 1,0"
    );
}

#[tokio::test]
async fn values_that_are_no_numbers_are_an_error_of_the_data() {
    let folder = Folder::new();
    let rows_ok = (0..2000).map(|row| format!("{row}\n")).collect::<String>();
    std::fs::write(folder.path("t.csv"), format!("a\n{rows_ok}oops\n")).unwrap();
    let session = tables(vec![entry("t", folder.text("t.csv"))]).await;
    let error = refusal(&session, "select sum(a) from t").await;
    assert_eq!(error.kind(), Kind::Data, "{error}");
    assert!(error.message().contains("oops"), "{error}");
}

#[tokio::test]
async fn a_file_that_vanishes_is_named() {
    let folder = Folder::new();
    let path = folder.path("t.parquet");
    numbers(&path, "a", &[1, 2]);
    let session = tables(vec![entry("t", folder.text("t.parquet"))]).await;
    let frame = session.sql("select a + 1 from t").await.unwrap();
    let plan = frame.create_physical_plan().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = datafusion::physical_plan::collect(plan, session.task_ctx())
        .await
        .unwrap_err();
    let error = from_datafusion(error);
    assert_eq!(error.kind(), Kind::Data);
    assert_eq!(
        error.message(),
        format!("{}: no such file or object", path.display())
    );
}
