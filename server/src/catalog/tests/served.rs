//! Tables that the configuration names: what becomes one, and what is read from it.

use super::*;

#[tokio::test]
async fn files_folders_and_hive_folders_become_tables() {
    let folder = Folder::new();
    numbers(&folder.path("shop/Orders.parquet"), "a", &[1, 2]);
    std::fs::write(folder.path("shop/people.csv"), "name,age\nana,3\n").unwrap();
    std::fs::write(folder.path("shop/notes.txt"), "no table").unwrap();
    std::fs::write(folder.path("shop/_SUCCESS"), "").unwrap();
    numbers(&folder.path("shop/parts/part-0.parquet"), "a", &[1]);
    numbers(&folder.path("shop/parts/more/part-1.parquet"), "a", &[2]);
    std::fs::create_dir_all(folder.path("shop/empty/x")).unwrap();
    texts(&folder.path("sales/year=2023/x.parquet"), "t", &["old"]);
    texts(&folder.path("sales/year=2024/x.parquet"), "t", &["new"]);
    let mut config = Config::default();
    config.data.data = vec![folder.text("shop"), folder.text("sales")];
    let server = Server::new(&config).await;
    let names: Vec<_> = server.catalog.served.keys().cloned().collect();
    assert_eq!(names, ["orders", "parts", "people", "sales"]);

    let session = server.anyone();
    assert_eq!(rows(&session, "select sum(a) from orders").await.unwrap(), "3");
    assert_eq!(
        rows(&session, "select sum(a), count(*) from parts")
            .await
            .unwrap(),
        "3,2"
    );
    assert_eq!(rows(&session, "select * from people").await.unwrap(), "ana,3");
    assert_eq!(
        rows(&session, "select t, year from sales where year = 2024")
            .await
            .unwrap(),
        "new,2024"
    );
    assert_eq!(
        rows(&session, "select t from sales order by year").await.unwrap(),
        "old new"
    );
}

#[tokio::test]
async fn a_partition_filter_reads_only_its_folder() {
    let folder = Folder::new();
    for month in ["01", "02", "11"] {
        texts(&folder.path(&format!("t/month={month}/x.parquet")), "t", &[month]);
    }
    let mut config = Config::default();
    config.data.data = vec![folder.text("t")];
    let session = Server::new(&config).await.anyone();
    // Text, for 01 is no number as it would be printed.
    assert_eq!(
        rows(&session, "select t from t where month = '01'")
            .await
            .unwrap(),
        "01"
    );
    let plan = rows(&session, "explain select t from t where month = '01'")
        .await
        .unwrap();
    assert!(
        plan.contains("month=01/x.parquet") && !plan.contains("month=11"),
        "{plan}"
    );
    assert_eq!(
        rows(&session, "select count(*) from t where month > '01'")
            .await
            .unwrap(),
        "2"
    );
}

#[tokio::test]
async fn entries_take_formats_options_patterns_and_partition_columns() {
    let folder = Folder::new();
    std::fs::write(folder.path("c/1.txt"), "1;x\n").unwrap();
    std::fs::write(folder.path("c/2.txt"), "2;y\n").unwrap();
    std::fs::write(folder.path("j/a.ndjson"), "{\"n\": 1}\n{\"n\": 2.5}\n").unwrap();
    std::fs::write(folder.path("j/b.ndjson"), "{\"n\": 3, \"m\": \"x\"}\n").unwrap();
    numbers(&folder.path("h/k=a/1.parquet"), "n", &[7]);
    let mut csv = entry("c", folder.text("c/*.txt"));
    csv.format = Some("csv".into());
    csv.options = BTreeMap::from([
        ("has_header".into(), "false".into()),
        ("format.delimiter".into(), ";".into()),
    ]);
    let mut hive = entry("h", folder.text("h/"));
    hive.partition_columns = Some(vec!["k".into()]);
    hive.comment = Some("a remark".into());
    let mut config = Config {
        tables: vec![csv, entry("j", folder.text("j")), hive],
        ..Config::default()
    };
    let server = Server::new(&config).await;
    let session = server.anyone();
    assert_eq!(
        rows(&session, "select * from c order by 1").await.unwrap(),
        "1,x 2,y"
    );
    assert_eq!(
        rows(&session, "select n, m from j order by n").await.unwrap(),
        "1.0 2.5 3.0,x"
    );
    assert_eq!(rows(&session, "select n, k from h").await.unwrap(), "7,a");
    let listed = server
        .catalog
        .session(Arc::new(Rights::anonymous()))
        .tables()
        .await
        .unwrap();
    assert_eq!(listed[1].comment.as_deref(), Some("a remark"));

    config.tables[0].options.insert("separator".into(), ";".into());
    let session = Server::new(&config).await.anyone();
    let error = refusal(&session, "select * from c").await;
    assert!(error.message().starts_with("table c: format csv: "), "{error}");
    assert!(error.message().contains("separator"), "{error}");
}

#[tokio::test]
async fn parquet_is_read_by_name_and_arrow_files_must_be_alike() {
    use arrow::datatypes::{DataType, Field, Schema};
    let folder = Folder::new();
    let write = |name: &str, columns: &[(&str, i64)]| {
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, _)| Field::new(*name, DataType::Int64, true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays = columns
            .iter()
            .map(|(_, value)| Arc::new(Int64Array::from(vec![*value])) as ArrayRef)
            .collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
        let file = File::create(folder.path(&format!("{name}.arrow"))).unwrap();
        let mut writer = arrow::ipc::writer::FileWriter::try_new(file, &schema).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        parquet(
            &folder.path(&format!("p/{name}.parquet")),
            &columns
                .iter()
                .map(|(name, value)| (*name, Arc::new(Int64Array::from(vec![*value])) as ArrayRef))
                .collect::<Vec<_>>(),
        );
    };
    write("a/1", &[("x", 1), ("y", 10)]);
    write("a/2", &[("x", 2), ("y", 20)]);
    write("b/1", &[("x", 1), ("y", 10)]);
    write("b/2", &[("y", 20), ("x", 2), ("z", 5)]);
    let config = Config {
        tables: ["a", "b"]
            .map(|name| {
                [
                    entry(name, folder.text(name)),
                    entry(&format!("p{name}"), folder.text(&format!("p/{name}"))),
                ]
            })
            .concat(),
        ..Config::default()
    };
    let session = Server::new(&config).await.anyone();
    assert_eq!(
        rows(&session, "select y, x from a order by x").await.unwrap(),
        "10,1 20,2"
    );
    assert_eq!(
        rows(&session, "select y, x, z from pb order by x").await.unwrap(),
        "10,1 20,2,5"
    );
    let error = refusal(&session, "select * from b").await;
    assert!(
        error
            .message()
            .contains("expected the same columns in the same order"),
        "{error}"
    );
}

#[tokio::test]
async fn a_name_for_two_places_is_refused() {
    let folder = Folder::new();
    numbers(&folder.path("a/Orders.parquet"), "a", &[1]);
    numbers(&folder.path("b/orders.parquet"), "a", &[1]);
    let mut config = Config::default();
    config.data.data = vec![folder.text("a"), folder.text("b")];
    let error = Catalog::open(&config, &BTreeMap::new()).await.unwrap_err();
    assert!(
        error.message().starts_with("table orders: named twice, for "),
        "{error}"
    );
    assert!(error.message().contains("a/Orders.parquet"), "{error}");

    config.data.data = vec![folder.text("nowhere")];
    let error = Catalog::open(&config, &BTreeMap::new()).await.unwrap_err();
    assert!(error.message().contains("nowhere: holds no tables"), "{error}");
}
