//! `CommandGetCatalogs`: the catalogs that a session sees.
//!
//! In: the session's DataFusion context, whose catalog list shows only what the user may see.
//! Out: one row a catalog, ordered by name.

use std::sync::{Arc, LazyLock};

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::CommandGetCatalogs;
use datafusion::prelude::SessionContext;

use super::listing;
use crate::error::Result;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![Field::new(
        "catalog_name",
        DataType::Utf8,
        false,
    )]))
});

/// The columns of the result, as Arrow's `FlightSql.proto` lays them down.
pub fn schema(_command: &CommandGetCatalogs) -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The catalogs, ordered by name.
///
/// # Errors
/// `Internal` only.
pub async fn data(context: &SessionContext, command: &CommandGetCatalogs) -> Result<RecordBatch> {
    let names = listing::catalogs(context, None);
    listing::batch(
        schema(command),
        vec![Arc::new(StringArray::from_iter_values(names))],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::command::listing::tests::{context, text};

    #[tokio::test]
    async fn lists_catalogs_in_order() {
        let context = context().await;
        let batch = data(&context, &CommandGetCatalogs {}).await.unwrap();
        assert_eq!(batch.schema(), schema(&CommandGetCatalogs {}));
        assert_eq!(text(&batch, 0), ["archive", "warpflight"]);
        assert_eq!(
            *schema(&CommandGetCatalogs {}),
            Schema::new(vec![Field::new("catalog_name", DataType::Utf8, false)])
        );
    }
}
