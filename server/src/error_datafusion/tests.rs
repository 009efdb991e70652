use datafusion::prelude::SessionContext;

use super::*;
use crate::error::Kind;

async fn of_sql(sql: &str) -> Error {
    let session = SessionContext::new();
    session
        .state_ref()
        .write()
        .config_mut()
        .options_mut()
        .sql_parser
        .collect_spans = true;
    let outcome = async { session.sql(sql).await?.collect().await };
    from_datafusion(outcome.await.unwrap_err())
}

#[tokio::test]
async fn statements_that_are_wrong() {
    for (sql, kind, words) in [
        ("select 1 +", Kind::Sql, "expected: an expression, found: EOF"),
        ("select\n  1 frm t x", Kind::Sql, "at line 2, column 9"),
        (
            "select nothing from (select 1 as a)",
            Kind::Sql,
            "at line 1, column 8",
        ),
        (
            "select * from nowhere",
            Kind::Sql,
            "table 'datafusion.public.nowhere' not found",
        ),
        ("select abs('x', 'y')", Kind::Sql, "abs"),
        ("select 1/0", Kind::Sql, "division by zero"),
        (
            "select cast('x' as int)",
            Kind::Sql,
            "cannot cast string 'x' to value of Int32 type",
        ),
        ("select to_timestamp('x')", Kind::Sql, "x"),
        (
            "select arrow_cast(300, 'Int8')",
            Kind::Sql,
            "can't cast value 300 to type Int8",
        ),
        (
            "create temporary table t as select 1",
            Kind::Unsupported,
            "temporary",
        ),
    ] {
        let error = of_sql(sql).await;
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        assert!(
            error.message().to_lowercase().contains(&words.to_lowercase()),
            "{sql}: {error}"
        );
        for noise in ["Error during planning", "error:", "\n", "backtrace"] {
            assert!(!error.message().contains(noise), "{sql}: {error}");
        }
        assert!(!error.message().ends_with('.'), "{sql}: {error}");
    }
}

#[test]
fn our_own_errors_come_out_as_they_were() {
    let own = || Error::denied("not yours");
    let store = || object_store::Error::PermissionDenied {
        path: "x".into(),
        source: Box::new(own()),
    };
    let io = std::io::Error::new(std::io::ErrorKind::PermissionDenied, own());
    let wrapped: [DataFusionError; 7] = [
        own().into(),
        DataFusionError::Context("rule".into(), Box::new(own().into())),
        DataFusionError::Shared(std::sync::Arc::new(own().into())),
        DataFusionError::ArrowError(
            Box::new(ArrowError::ExternalError(Box::new(DataFusionError::from(own())))),
            None,
        ),
        DataFusionError::ObjectStore(Box::new(store())),
        DataFusionError::ParquetError(Box::new(ParquetError::External(Box::new(store())))),
        DataFusionError::ObjectStore(Box::new(object_store::Error::PermissionDenied {
            path: "x".into(),
            source: Box::new(io),
        })),
    ];
    for error in wrapped {
        let shown = format!("{error:?}");
        let error = from_datafusion(error);
        assert_eq!(
            (error.kind(), error.message()),
            (Kind::Denied, "not yours"),
            "{shown}"
        );
    }
}

#[test]
fn kinds_by_who_can_act() {
    let missing = object_store::Error::NotFound {
        path: "s3://b/x".into(),
        source: "404".into(),
    };
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let cases: [(DataFusionError, Kind, &str); 8] = [
        (missing.into(), Kind::Data, "s3://b/x: no such file or object"),
        (
            DataFusionError::IoError(full),
            Kind::Resources,
            "no space is left",
        ),
        (
            DataFusionError::ResourcesExhausted("Failed to allocate.".into()),
            Kind::Resources,
            "failed to allocate",
        ),
        (
            ParquetError::EOF("short".into()).into(),
            Kind::Data,
            "damaged Parquet data: short",
        ),
        (
            ArrowError::ParseError("Error while parsing value 'x' as type 'Int64'".into()).into(),
            Kind::Data,
            "error while parsing value 'x'",
        ),
        (
            ArrowError::ParseError("Error parsing timestamp from 'x'".into()).into(),
            Kind::Sql,
            "timestamp",
        ),
        (
            DataFusionError::Internal(
                "Bad.\nThis issue was likely caused by a bug in DataFusion's code.".into(),
            ),
            Kind::Internal,
            "bad",
        ),
        (
            DataFusionError::Collection(vec![
                DataFusionError::Plan("One".into()),
                DataFusionError::Plan("two".into()),
            ]),
            Kind::Sql,
            "one (and 1 more)",
        ),
    ];
    for (error, kind, words) in cases {
        let error = from_datafusion(error);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
}
