use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::ipc::convert::try_schema_from_ipc_buffer;

use super::*;
use crate::flight::command::listing::tests::{context, text};

fn command() -> CommandGetTables {
    CommandGetTables {
        catalog: Some("warpflight".into()),
        ..Default::default()
    }
}

/// The tables of a result as `schema.table type`.
async fn rows(command: &CommandGetTables) -> Vec<String> {
    let batch = data(&context().await, command).await.unwrap();
    assert_eq!(batch.schema(), schema(command));
    let names = text(&batch, 1).into_iter().zip(text(&batch, 2));
    names
        .zip(text(&batch, 3))
        .map(|((schema, name), kind)| format!("{schema}.{name} {kind}"))
        .collect()
}

fn in_public() -> CommandGetTables {
    CommandGetTables {
        db_schema_filter_pattern: Some("public".into()),
        ..command()
    }
}

/// Row by row, the columns of the tables.
async fn table_schemas(command: &CommandGetTables) -> Vec<(String, Schema)> {
    let batch = data(&context().await, command).await.unwrap();
    let names = text(&batch, 2);
    let schemas = batch.column(4).as_binary::<i32>().iter();
    names
        .into_iter()
        .zip(schemas.map(|bytes| try_schema_from_ipc_buffer(bytes.unwrap()).unwrap()))
        .collect()
}

#[test]
fn columns_are_those_of_the_specification() {
    let mut expected = vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("table_type", DataType::Utf8, false),
    ];
    assert_eq!(*schema(&command()), Schema::new(expected.clone()));
    expected.push(Field::new("table_schema", DataType::Binary, false));
    assert_eq!(
        *schema(&CommandGetTables {
            include_schema: true,
            ..command()
        }),
        Schema::new(expected)
    );
}

#[tokio::test]
async fn everything_in_order() {
    let all = rows(&CommandGetTables::default()).await;
    assert!(all.contains(&"old.old_orders TABLE".to_owned()), "{all:?}");
    let public: Vec<&String> = all.iter().filter(|row| row.starts_with("public.")).collect();
    assert_eq!(
        public,
        [
            "public.Orders TABLE",
            "public.cheap VIEW",
            "public.order_items TABLE",
            "public.orders TABLE",
            "public.orderxitems TABLE"
        ]
    );
    assert!(
        all.contains(&"information_schema.columns SYSTEM TABLE".to_owned()),
        "{all:?}"
    );
    let batch = data(&context().await, &CommandGetTables::default())
        .await
        .unwrap();
    let keys: Vec<_> = (0..batch.num_rows())
        .map(|row| {
            (0..4)
                .map(|column| text(&batch, column)[row].clone())
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[tokio::test]
async fn patterns_and_catalogs() {
    let find = async |pattern: &str| {
        rows(&CommandGetTables {
            table_name_filter_pattern: Some(pattern.into()),
            ..in_public()
        })
        .await
    };
    assert_eq!(
        find("order_items").await,
        ["public.order_items TABLE", "public.orderxitems TABLE"]
    );
    assert_eq!(find("order\\_items").await, ["public.order_items TABLE"]);
    assert_eq!(find("O%").await, ["public.Orders TABLE"]);
    assert_eq!(find("").await, Vec::<String>::new());
    assert_eq!(
        rows(&CommandGetTables {
            catalog: Some(String::new()),
            ..command()
        })
        .await,
        Vec::<String>::new()
    );
    assert_eq!(
        rows(&CommandGetTables {
            catalog: Some("nowhere".into()),
            ..command()
        })
        .await,
        Vec::<String>::new()
    );
    let schema = CommandGetTables {
        db_schema_filter_pattern: Some("o_d".into()),
        catalog: None,
        ..command()
    };
    assert_eq!(rows(&schema).await, ["old.old_orders TABLE"]);
}

#[tokio::test]
async fn types() {
    let of = async |types: &[&str]| {
        let table_types = types.iter().map(|name| (*name).to_owned()).collect();
        let rows = rows(&CommandGetTables {
            table_types,
            ..command()
        })
        .await;
        rows.iter()
            .map(|row| row.split_once(' ').unwrap().1.to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(of(&["VIEW"]).await, BTreeSet::from(["VIEW".to_owned()]));
    assert_eq!(
        of(&["VIEW", "SYSTEM TABLE"]).await,
        BTreeSet::from(["VIEW".to_owned(), "SYSTEM TABLE".to_owned()])
    );
    assert_eq!(of(&["view"]).await, BTreeSet::new());
    assert_eq!(of(&["LOCAL TEMPORARY"]).await, BTreeSet::new());
}

#[tokio::test]
async fn columns_carry_what_sql_says_of_them() {
    let only = CommandGetTables {
        table_name_filter_pattern: Some("orders".into()),
        include_schema: true,
        ..in_public()
    };
    let (_, orders) = table_schemas(&only).await.remove(0);
    let price = orders.field_with_name("price").unwrap();
    assert_eq!(price.data_type(), &DataType::Decimal128(15, 2));
    let metadata = price.metadata();
    for (key, value) in [
        ("CATALOG_NAME", "warpflight"),
        ("DB_SCHEMA_NAME", "public"),
        ("SCHEMA_NAME", "public"),
        ("TABLE_NAME", "orders"),
        ("TYPE_NAME", "DECIMAL"),
        ("PRECISION", "15"),
        ("SCALE", "2"),
        ("IS_AUTO_INCREMENT", "0"),
        ("IS_CASE_SENSITIVE", "0"),
        ("IS_READ_ONLY", "1"),
        ("IS_SEARCHABLE", "1"),
    ] {
        assert_eq!(
            metadata
                .get(&format!("ARROW:FLIGHT:SQL:{key}"))
                .map(String::as_str),
            Some(value),
            "{key}"
        );
    }
    assert_eq!(metadata.len(), 11);
    let note = orders.field_with_name("note").unwrap().metadata();
    assert_eq!(note["ARROW:FLIGHT:SQL:IS_CASE_SENSITIVE"], "1");
    assert!(!note.contains_key("ARROW:FLIGHT:SQL:PRECISION"), "{note:?}");
    assert!(!orders.field_with_name("id").unwrap().is_nullable());
}

#[tokio::test]
async fn columns_keep_their_own_metadata() {
    let noted = Field::new("x", DataType::Int32, true)
        .with_metadata([("comment".to_owned(), "how many".to_owned())].into());
    let whole = Schema::new_with_metadata(vec![noted], [("written by".to_owned(), "us".to_owned())].into());
    let visible = listing::schemas(&context().await, Some("archive"), Some("old"))
        .unwrap()
        .remove(0);
    let described = columns::described(&visible, "t", TableType::Temporary, &whole);
    let metadata = described.field(0).metadata();
    assert_eq!(metadata["comment"], "how many");
    assert_eq!(metadata["ARROW:FLIGHT:SQL:REMARKS"], "how many");
    assert_eq!(metadata["ARROW:FLIGHT:SQL:IS_READ_ONLY"], "0");
    assert_eq!(described.metadata()["written by"], "us");
}

#[tokio::test]
async fn a_table_that_cannot_be_opened_is_listed() {
    let damaged = CommandGetTables {
        db_schema_filter_pattern: Some("damaged".into()),
        ..command()
    };
    assert_eq!(rows(&damaged).await, ["damaged.torn TABLE"]);
    let with_columns = CommandGetTables {
        include_schema: true,
        ..damaged
    };
    assert_eq!(
        table_schemas(&with_columns).await,
        [("torn".to_owned(), Schema::empty())]
    );
}

#[tokio::test]
async fn every_schema_can_be_read_back() {
    let all = table_schemas(&CommandGetTables {
        include_schema: true,
        ..Default::default()
    })
    .await;
    for (name, schema) in &all {
        assert_eq!(schema.fields().is_empty(), name == "torn", "{name}");
    }
    assert!(all.len() > 15, "{}", all.len());
}

/// The service runs it on any thread.
#[tokio::test]
async fn the_listing_moves_between_threads() {
    let context = context().await;
    let listing = tokio::spawn(async move { data(&context, &in_public()).await });
    assert_eq!(listing.await.unwrap().unwrap().num_rows(), 5);
}
