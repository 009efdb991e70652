use std::collections::BTreeSet;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;

use arrow_flight::sql::XdbcDataType;
use datafusion::prelude::SessionConfig;

use super::*;
use crate::flight::command::listing::tests::text;
use crate::flight::command::sql_type;

async fn rows(data_type: Option<i32>) -> RecordBatch {
    let command = CommandGetXdbcTypeInfo { data_type };
    let batch = data(&SessionContext::new(), &command).await.unwrap();
    assert_eq!(batch.schema(), schema(&command));
    batch
}

fn codes(batch: &RecordBatch) -> Vec<i32> {
    batch["data_type"].as_primitive::<Int32Type>().values().to_vec()
}

#[test]
fn columns_are_those_of_the_specification() {
    let specified = [
        "type_name: Utf8 not null",
        "data_type: Int32 not null",
        "column_size: Int32",
        "literal_prefix: Utf8",
        "literal_suffix: Utf8",
        "create_params: List(non-null Utf8)",
        "nullable: Int32 not null",
        "case_sensitive: Boolean not null",
        "searchable: Int32 not null",
        "unsigned_attribute: Boolean",
        "fixed_prec_scale: Boolean not null",
        "auto_increment: Boolean",
        "local_type_name: Utf8",
        "minimum_scale: Int32",
        "maximum_scale: Int32",
        "sql_data_type: Int32 not null",
        "datetime_subcode: Int32",
        "num_prec_radix: Int32",
        "interval_precision: Int32",
    ];
    let schema = schema(&CommandGetXdbcTypeInfo::default());
    let columns: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| {
            let null = if field.is_nullable() { "" } else { " not null" };
            format!("{}: {}{null}", field.name(), field.data_type())
        })
        .collect();
    assert_eq!(columns, specified);
}

#[tokio::test]
async fn ordered_by_code_and_name() {
    let batch = rows(None).await;
    let keys: Vec<(i32, String)> = codes(&batch).into_iter().zip(text(&batch, 0)).collect();
    assert!(keys.is_sorted(), "{keys:?}");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{keys:?}");
    assert_eq!(keys[0], (-7, "BOOLEAN".to_owned()));
}

#[tokio::test]
async fn filtered_by_code() {
    assert_eq!(text(&rows(Some(4)).await, 0), ["INTEGER", "INTEGER UNSIGNED"]);
    assert_eq!(
        text(&rows(Some(93)).await, 0),
        ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"]
    );
    // GUID, which no column here has.
    assert_eq!(rows(Some(-11)).await.num_rows(), 0);
}

/// Codes that the Flight SQL ODBC and JDBC drivers give to columns: the type of each is looked up.
#[tokio::test]
async fn what_drivers_look_up_is_there() {
    let codes: BTreeSet<i32> = codes(&rows(None).await).into_iter().collect();
    for code in [-7, -6, 5, 4, -5, 6, 7, 8, 3, 12, -1, -2, -3, -4, 91, 92, 93, 10] {
        assert!(codes.contains(&code), "{code}");
    }
}

#[tokio::test]
async fn dates_and_times_have_their_verbose_code() {
    for (code, subcode) in [(91, 1), (92, 2), (93, 3)] {
        let batch = rows(Some(code)).await;
        assert_eq!(batch["sql_data_type"].as_primitive::<Int32Type>().value(0), 9);
        assert_eq!(
            batch["datetime_subcode"].as_primitive::<Int32Type>().value(0),
            subcode
        );
    }
    let decimal = rows(Some(3)).await;
    assert_eq!(decimal["sql_data_type"].as_primitive::<Int32Type>().value(0), 3);
    assert!(decimal["datetime_subcode"].is_null(0));
    assert_eq!(
        decimal["create_params"]
            .as_list::<i32>()
            .value(0)
            .as_string::<i32>()
            .value(1),
        "scale"
    );
    assert!(rows(Some(4)).await["create_params"].is_null(0));
}

/// The type and what DataFusion makes of it: its name in CREATE TABLE and its literals.
#[tokio::test]
async fn names_and_literals_are_taken_by_sql() {
    // Without a zone of the session, DataFusion reads TIMESTAMP WITH TIME ZONE as one without.
    let mut config = SessionConfig::new();
    config.options_mut().execution.time_zone = Some("+00:00".into());
    let context = SessionContext::new_with_config(config);
    let column = async |sql: String| {
        let frame = context
            .sql(&sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        frame.schema().field(0).data_type().clone()
    };
    for known in TYPES {
        let creatable = !matches!(known.name, "BINARY" | "LONGVARBINARY")
            && (known.code != XdbcDataType::XdbcUnknownType);
        if creatable {
            let sql = sql_type::of(&column(format!("SELECT CAST(NULL AS {})", known.name)).await);
            let expected = match known.name {
                "REAL" => "FLOAT",
                "TEXT" => "VARCHAR",
                name => name,
            };
            assert_eq!(sql.name, expected);
            if known.create_params.is_empty() && !known.is_text() {
                assert!(sql.size.is_none() || sql.size == known.size, "{known:?} {sql:?}");
            }
        }
        let example = match known.name {
            "BINARY" | "BYTEA" | "LONGVARBINARY" => "00ff",
            "DATE" => "2024-02-29",
            "TIME" => "12:34:56.123456789",
            "TIMESTAMP" | "TIMESTAMP WITH TIME ZONE" => "2024-02-29 12:34:56.123456789",
            "INTERVAL" => "1 month 2 days",
            _ => "text",
        };
        if let Some((prefix, suffix)) = known.literal {
            let sql = sql_type::of(&column(format!("SELECT {prefix}{example}{suffix}")).await);
            let expected = match known.name {
                "TEXT" => "VARCHAR",
                "BINARY" | "LONGVARBINARY" => "BYTEA",
                name => name,
            };
            assert_eq!(sql.name, expected, "{known:?}");
        }
    }
}
