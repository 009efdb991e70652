//! `CommandGetTableTypes`: the types of table that [`super::tables`] tells apart.

use std::sync::{Arc, LazyLock};

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::CommandGetTableTypes;
use datafusion::logical_expr::TableType;
use datafusion::prelude::SessionContext;

use super::listing;
use crate::error::Result;

/// A table of the session.
const LOCAL_TEMPORARY: &str = "LOCAL TEMPORARY";
/// A table of `information_schema`.
pub const SYSTEM_TABLE: &str = "SYSTEM TABLE";
/// A served table.
const TABLE: &str = "TABLE";
/// A view.
const VIEW: &str = "VIEW";

static SCHEMA: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(Schema::new(vec![Field::new("table_type", DataType::Utf8, false)])));

/// The columns of the result, as Arrow's `FlightSql.proto` lays them down.
pub fn schema(_command: &CommandGetTableTypes) -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// All table types, ordered by name.
///
/// # Errors
/// `Internal` only.
pub async fn data(_context: &SessionContext, command: &CommandGetTableTypes) -> Result<RecordBatch> {
    let types = StringArray::from(vec![LOCAL_TEMPORARY, SYSTEM_TABLE, TABLE, VIEW]);
    listing::batch(schema(command), vec![Arc::new(types)])
}

/// How clients name a table's type; the tables of `information_schema` are [`SYSTEM_TABLE`]s.
pub fn name(table_type: TableType) -> &'static str {
    match table_type {
        TableType::Base => TABLE,
        TableType::View => VIEW,
        TableType::Temporary => LOCAL_TEMPORARY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::command::listing::tests::text;

    #[tokio::test]
    async fn types_in_order() {
        let command = CommandGetTableTypes {};
        let batch = data(&SessionContext::new(), &command).await.unwrap();
        assert_eq!(
            *schema(&command),
            Schema::new(vec![Field::new("table_type", DataType::Utf8, false)])
        );
        let types = text(&batch, 0);
        assert!(types.is_sorted());
        assert_eq!(types, ["LOCAL TEMPORARY", "SYSTEM TABLE", "TABLE", "VIEW"]);
    }
}
