use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, AsArray, UnionArray};
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type};
use arrow_flight::sql::SqlInfo;
use datafusion::prelude::SessionConfig;

use super::*;
use crate::flight::command::listing::tests;

async fn ask(info: Vec<u32>) -> RecordBatch {
    let command = CommandGetSqlInfo { info };
    let batch = data(&SessionContext::new(), &Config::default(), &command)
        .await
        .unwrap();
    assert_eq!(batch.schema(), schema(&command));
    batch
}

fn codes(batch: &RecordBatch) -> Vec<u32> {
    batch.column(0).as_primitive::<UInt32Type>().values().to_vec()
}

/// The value of one code, and the union's member that it is in.
async fn value_of(code: SqlInfo) -> (i8, ArrayRef) {
    let batch = ask(vec![code as u32]).await;
    assert_eq!(codes(&batch), [code as u32]);
    let union = batch.column(1).as_any().downcast_ref::<UnionArray>().unwrap();
    (union.type_id(0), union.value(0))
}

async fn bits(code: SqlInfo) -> i32 {
    value_of(code).await.1.as_primitive::<Int32Type>().value(0)
}

async fn flag(code: SqlInfo) -> bool {
    value_of(code).await.1.as_boolean().value(0)
}

async fn texts(code: SqlInfo) -> Vec<String> {
    let list = value_of(code).await.1.as_list::<i32>().value(0);
    list.as_string::<i32>()
        .iter()
        .map(|text| text.unwrap().to_owned())
        .collect()
}

#[test]
fn columns_are_those_of_the_specification() {
    let schema = schema(&CommandGetSqlInfo::default());
    assert_eq!(schema.field(0), &Field::new("info_name", DataType::UInt32, false));
    let DataType::Union(members, UnionMode::Dense) = schema.field(1).data_type() else {
        panic!("{schema}")
    };
    let numbers = Arc::new(Field::new("$data$", DataType::Int32, true));
    let entries = Field::new_struct(
        "entries",
        vec![
            Field::new("key", DataType::Int32, false),
            Field::new("value", DataType::List(numbers), true),
        ],
        false,
    );
    let texts = Field::new("string_data", DataType::Utf8, true);
    let expected = [
        Field::new("string_value", DataType::Utf8, true),
        Field::new("bool_value", DataType::Boolean, true),
        Field::new("bigint_value", DataType::Int64, true),
        Field::new("int32_bitmask", DataType::Int32, true),
        Field::new("string_list", DataType::List(Arc::new(texts)), true),
        Field::new(
            "int32_to_int32_list_map",
            DataType::Map(Arc::new(entries), false),
            true,
        ),
    ];
    for ((id, member), (index, expected)) in members.iter().zip(expected.iter().enumerate()) {
        assert_eq!(
            (usize::from(id.unsigned_abs()), member.as_ref()),
            (index, expected)
        );
    }
    assert_eq!(members.len(), 6);
}

#[tokio::test]
async fn every_code_once_and_in_order() {
    let specified: Vec<u32> = (0..=11).chain(100..=101).chain(500..=576).collect();
    assert_eq!(specified.len(), 91);
    assert_eq!(codes(&ask(vec![]).await), specified);
    let groups = [
        server::values(&Config::default()).len(),
        limits::values(&Config::default()).len(),
    ];
    assert_eq!(groups, [14, 21]);
}

#[tokio::test]
async fn filtered_as_asked() {
    assert_eq!(codes(&ask(vec![508, 0, 508, 3]).await), [0, 3, 508]);
    // Not in the specification, and a vendor's.
    assert_eq!(codes(&ask(vec![12, 577, 10_000, 4]).await), [4]);
    assert_eq!(ask(vec![12]).await.num_rows(), 0);
}

/// The member of each code: the specification's, but for four ordinals (see `syntax`, `results`).
#[tokio::test]
async fn members_of_the_union() {
    let expected = |code: u32| match code {
        0..=2 | 6 | 7 | 504 | 513 | 514 | 529..=531 => 0,
        3..=5
        | 9..=11
        | 500..=502
        | 506
        | 515
        | 516
        | 518..=521
        | 523
        | 524
        | 527
        | 532
        | 536
        | 537
        | 539
        | 556 => 1,
        563 | 565 | 566 | 572..=576 => 1,
        503 | 505 | 507 | 562 | 541..=555 | 557..=561 => 2,
        8 | 100 | 101 | 522 | 525 | 526 | 528 | 533..=535 | 538 | 540 | 564 | 567..=571 => 3,
        508..=512 => 4,
        517 => 5,
        code => panic!("{code}"),
    };
    let batch = ask(vec![]).await;
    let union = batch.column(1).as_any().downcast_ref::<UnionArray>().unwrap();
    for (row, code) in codes(&batch).into_iter().enumerate() {
        assert_eq!(union.type_id(row), expected(code), "{code}");
    }
}

#[tokio::test]
async fn the_server_itself() {
    let text = async |code| value_of(code).await.1.as_string::<i32>().value(0).to_owned();
    assert_eq!(text(SqlInfo::FlightSqlServerName).await, "warpflight");
    assert_eq!(
        text(SqlInfo::FlightSqlServerVersion).await,
        env!("CARGO_PKG_VERSION")
    );
    assert!(
        text(SqlInfo::FlightSqlServerArrowVersion)
            .await
            .starts_with("59.")
    );
    assert!(
        value_of(SqlInfo::FlightSqlServerSubstraitMinVersion)
            .await
            .1
            .is_null(0)
    );
    assert_eq!(bits(SqlInfo::FlightSqlServerStatementTimeout).await, 3_600_000);
    assert!(!flag(SqlInfo::FlightSqlServerReadOnly).await);
    assert!(flag(SqlInfo::FlightSqlServerCancel).await);
    let connections = value_of(SqlInfo::SqlMaxConnections)
        .await
        .1
        .as_primitive::<Int64Type>()
        .value(0);
    assert_eq!(connections, 1024);
}

#[tokio::test]
async fn functions_are_the_registered_ones() {
    let context = SessionContext::new();
    for (code, some) in [
        (SqlInfo::SqlNumericFunctions, ["abs", "round", "power", "pow"]),
        (
            SqlInfo::SqlStringFunctions,
            ["upper", "substr", "substring", "regexp_like"],
        ),
        (
            SqlInfo::SqlSystemFunctions,
            ["coalesce", "nullif", "arrow_typeof", "version"],
        ),
        (
            SqlInfo::SqlDatetimeFunctions,
            ["now", "date_trunc", "date_part", "to_timestamp"],
        ),
    ] {
        let names = texts(code).await;
        assert!(names.is_sorted());
        for name in some {
            assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
        }
        for name in &names {
            assert!(context.state().scalar_functions().contains_key(name), "{name}");
        }
    }
    assert!(texts(SqlInfo::SqlKeywords).await.contains(&"SELECT".to_owned()));
}

/// What is said to convert is cast by a query, what is not is refused.
#[tokio::test]
async fn conversions_are_those_of_cast() {
    let map = value_of(SqlInfo::SqlSupportsConvert).await.1;
    let entries = map.as_map().value(0);
    let keys = entries.column(0).as_primitive::<Int32Type>().values().to_vec();
    assert_eq!(keys, (0..20).collect::<Vec<i32>>());
    let supported = convert::supported();
    // Each type as DataFusion's SQL writes it; the codes of wide texts and bytes have no type there.
    let names = [
        (0, "BIGINT"),
        (2, "BOOLEAN"),
        (4, "DATE"),
        (5, "DECIMAL"),
        (6, "FLOAT"),
        (7, "INTEGER"),
        (8, "INTERVAL"),
        (13, "REAL"),
        (14, "SMALLINT"),
        (15, "TIME"),
        (16, "TIMESTAMP"),
        (17, "TINYINT"),
        (18, "BYTEA"),
        (19, "VARCHAR"),
    ];
    let context = SessionContext::new();
    for (from, from_name) in names {
        for (to, to_name) in names {
            let sql = format!(
                "SELECT CAST(arrow_cast(NULL, '{}') AS {to_name})",
                arrow_name(from)
            );
            let planned = match context.sql(&sql).await {
                Ok(frame) => frame.collect().await.is_ok(),
                Err(_) => false,
            };
            assert_eq!(
                planned,
                supported[&from].contains(&to),
                "{from_name} to {to_name}: {sql}"
            );
        }
    }
}

fn arrow_name(code: i32) -> &'static str {
    match code {
        0 => "Int64",
        2 => "Boolean",
        4 => "Date32",
        5 => "Decimal128(38, 10)",
        6 | 13 => "Float32",
        7 => "Int32",
        8 => "Interval(MonthDayNano)",
        14 => "Int16",
        15 => "Time64(ns)",
        16 => "Timestamp(ns)",
        17 => "Int8",
        18 => "Binary",
        _ => "Utf8",
    }
}

/// Statements that show what the flags claim: each runs, or is refused, as they say.
#[tokio::test]
async fn claims_hold() {
    let context = tests::context().await;
    let runs = async |sql: &str| match context.sql(sql).await {
        Ok(frame) => frame.collect().await.is_ok(),
        Err(_) => false,
    };
    for (claim, sql) in [
        (
            flag(SqlInfo::SqlSupportsColumnAliasing).await,
            "SELECT id AS i FROM orders",
        ),
        (
            flag(SqlInfo::SqlSupportsTableCorrelationNames).await,
            "SELECT o.id FROM orders o",
        ),
        (
            !flag(SqlInfo::SqlSupportsDifferentTableCorrelationNames).await,
            "SELECT orders.id FROM orders AS orders",
        ),
        (
            flag(SqlInfo::SqlSupportsExpressionsInOrderBy).await,
            "SELECT id FROM orders ORDER BY id + 1",
        ),
        (
            flag(SqlInfo::SqlSupportsOrderByUnrelated).await,
            "SELECT id FROM orders ORDER BY price",
        ),
        (
            bits(SqlInfo::SqlSupportedGroupBy).await & 1 != 0,
            "SELECT count(*) FROM orders GROUP BY note",
        ),
        (
            bits(SqlInfo::SqlSupportedGroupBy).await & 2 != 0,
            "SELECT id FROM orders GROUP BY id, note",
        ),
        (
            flag(SqlInfo::SqlSupportsLikeEscapeClause).await,
            "SELECT * FROM orders WHERE note LIKE 'a\\_%' ESCAPE '\\'",
        ),
        (
            flag(SqlInfo::SqlSupportsNonNullableColumns).await,
            "CREATE TABLE strict (x INT NOT NULL)",
        ),
        (flag(SqlInfo::SqlDdlTable).await, "DROP TABLE order_items"),
        (flag(SqlInfo::SqlDdlSchema).await, "CREATE SCHEMA mine"),
        (flag(SqlInfo::SqlDdlSchema).await, "DROP SCHEMA mine"),
        (
            bits(SqlInfo::SqlSupportedSubqueries).await & 1 != 0,
            "SELECT 1 FROM orders WHERE id = (SELECT max(id) FROM orders)",
        ),
        (
            bits(SqlInfo::SqlSupportedSubqueries).await & 2 != 0,
            "SELECT 1 FROM orders WHERE EXISTS (SELECT 1 FROM cheap)",
        ),
        (
            bits(SqlInfo::SqlSupportedSubqueries).await & 4 != 0,
            "SELECT 1 FROM orders WHERE id IN (SELECT id FROM cheap)",
        ),
        (
            bits(SqlInfo::SqlSupportedSubqueries).await & 8 != 0,
            "SELECT 1 FROM orders WHERE id = ANY (SELECT id FROM cheap)",
        ),
        (
            bits(SqlInfo::SqlSupportedSubqueries).await & 8 != 0,
            "SELECT 1 FROM orders WHERE id >= ALL (SELECT id FROM cheap)",
        ),
        (
            flag(SqlInfo::SqlCorrelatedSubqueriesSupported).await,
            "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM cheap c WHERE c.id = o.id)",
        ),
        (
            bits(SqlInfo::SqlSupportedUnions).await & 1 != 0,
            "SELECT id FROM orders UNION SELECT id FROM cheap",
        ),
        (
            bits(SqlInfo::SqlSupportedUnions).await & 2 != 0,
            "SELECT id FROM orders UNION ALL SELECT id FROM cheap",
        ),
        (
            bits(SqlInfo::SqlOuterJoinsSupportLevel).await & 4 != 0,
            "SELECT 1 FROM orders FULL OUTER JOIN cheap USING (id)",
        ),
        (
            bits(SqlInfo::SqlSupportedGrammar).await & 1 != 0,
            "INSERT INTO orders VALUES (2, 3.5, '2024-01-02', NULL)",
        ),
        (
            bits(SqlInfo::SqlSupportedGrammar).await & 1 != 0,
            "UPDATE orders SET note = 'b' WHERE id = 2",
        ),
        (
            bits(SqlInfo::SqlSupportedGrammar).await & 1 != 0,
            "DELETE FROM orders WHERE id = 2",
        ),
        (
            bits(SqlInfo::SqlSupportedGrammar).await & 2 != 0,
            "ALTER TABLE orders ADD COLUMN x INT",
        ),
        (
            bits(SqlInfo::SqlSupportedPositionedCommands).await & 1 != 0,
            "DELETE FROM orders WHERE CURRENT OF c",
        ),
        (
            flag(SqlInfo::SqlStoredProceduresSupported).await,
            "CALL something()",
        ),
        (
            flag(SqlInfo::SqlCatalogAtStart).await,
            "SELECT * FROM warpflight.public.orders",
        ),
    ] {
        assert_eq!(runs(sql).await, claim, "{sql}");
    }
}

#[tokio::test]
async fn nulls_and_names() {
    let frame = |sql: &'static str| async move {
        let batches = SessionContext::new()
            .sql(sql)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
    };
    assert!(frame("SELECT NULL || 'a'").await.column(0).is_null(0));
    let ordering = value_of(SqlInfo::SqlNullOrdering)
        .await
        .1
        .as_primitive::<Int64Type>()
        .value(0);
    assert_eq!(ordering, 0, "nulls are sorted as the highest");
    assert!(
        frame("SELECT * FROM (VALUES (NULL), (1)) t(x) ORDER BY x")
            .await
            .column(0)
            .is_null(1)
    );
    assert!(
        frame("SELECT * FROM (VALUES (1), (NULL)) t(x) ORDER BY x DESC")
            .await
            .column(0)
            .is_null(0)
    );
    assert_eq!(
        frame("SELECT 1 AS Ab, 2 AS \"Ab\"")
            .await
            .schema()
            .field(0)
            .name(),
        "ab"
    );
    let case = value_of(SqlInfo::SqlIdentifierCase)
        .await
        .1
        .as_primitive::<Int64Type>()
        .value(0);
    assert_eq!(case, 3);
    for extra in value_of(SqlInfo::SqlExtraNameCharacters)
        .await
        .1
        .as_string::<i32>()
        .value(0)
        .chars()
    {
        let sql = format!("SELECT 1 AS a{extra}b");
        let frame = SessionContext::new()
            .sql(&sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(frame.schema().field(0).name(), &format!("a{extra}b"));
    }
}

#[tokio::test]
async fn options_of_the_session_show() {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.default_null_ordering = "nulls_first".into();
    config.options_mut().sql_parser.enable_ident_normalization = false;
    let values = all(&SessionContext::new_with_config(config), &Config::default());
    assert_eq!(values[&507], Value::Whole(2));
    assert_eq!(values[&503], Value::Whole(0));
}

#[tokio::test]
async fn no_code_is_given_twice() {
    let (context, config) = (SessionContext::new(), Config::default());
    let state = context.state();
    let groups = [
        server::values(&config),
        syntax::names(&state),
        syntax::expressions(&state),
        syntax::statements(&state),
        limits::values(&config),
        results::transactions(),
        results::result_sets(),
    ];
    let codes: Vec<i32> = groups.iter().flatten().map(|(code, _)| *code as i32).collect();
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
}
