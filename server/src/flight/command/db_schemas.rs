//! `CommandGetDbSchemas`: the schemas that a session sees.
//!
//! In: the session's DataFusion context, and filters. Out: one row a schema, ordered by catalog,
//! then by name.

use std::sync::{Arc, LazyLock};

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::CommandGetDbSchemas;
use datafusion::prelude::SessionContext;

use super::listing;
use crate::error::Result;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, false),
    ]))
});

/// The columns of the result, as Arrow's `FlightSql.proto` lays them down.
pub fn schema(_command: &CommandGetDbSchemas) -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The schemas of the catalog asked for whose names fit the pattern, ordered by catalog and name.
///
/// # Errors
/// `Internal` only.
pub async fn data(context: &SessionContext, command: &CommandGetDbSchemas) -> Result<RecordBatch> {
    let pattern = command.db_schema_filter_pattern.as_deref();
    let schemas = listing::schemas(context, command.catalog.as_deref(), pattern)?;
    let catalogs = StringArray::from_iter_values(schemas.iter().map(|schema| &schema.catalog));
    let names = StringArray::from_iter_values(schemas.iter().map(|schema| &schema.name));
    listing::batch(schema(command), vec![Arc::new(catalogs), Arc::new(names)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::command::listing::tests::{context, text};

    async fn rows(catalog: Option<&str>, pattern: Option<&str>) -> Vec<String> {
        let command = CommandGetDbSchemas {
            catalog: catalog.map(str::to_owned),
            db_schema_filter_pattern: pattern.map(str::to_owned),
        };
        let batch = data(&context().await, &command).await.unwrap();
        assert_eq!(batch.schema(), schema(&command));
        text(&batch, 0)
            .iter()
            .zip(text(&batch, 1))
            .map(|(catalog, name)| format!("{catalog}.{name}"))
            .collect()
    }

    #[test]
    fn columns_are_those_of_the_specification() {
        let expected = Schema::new(vec![
            Field::new("catalog_name", DataType::Utf8, true),
            Field::new("db_schema_name", DataType::Utf8, false),
        ]);
        assert_eq!(*schema(&CommandGetDbSchemas::default()), expected);
    }

    #[tokio::test]
    async fn filters() {
        assert_eq!(
            rows(None, None).await,
            [
                "archive.information_schema",
                "archive.old",
                "warpflight.damaged",
                "warpflight.information_schema",
                "warpflight.public"
            ]
        );
        assert_eq!(
            rows(Some("archive"), None).await,
            ["archive.information_schema", "archive.old"]
        );
        assert_eq!(rows(None, Some("p%")).await, ["warpflight.public"]);
        assert_eq!(
            rows(Some("warpflight"), Some("publi_")).await,
            ["warpflight.public"]
        );
        assert_eq!(rows(None, Some("Public")).await, Vec::<String>::new());
        // A catalog is named, not matched; the empty one asks for schemas without a catalog.
        assert_eq!(rows(Some("%"), None).await, Vec::<String>::new());
        assert_eq!(rows(Some(""), None).await, Vec::<String>::new());
    }
}
