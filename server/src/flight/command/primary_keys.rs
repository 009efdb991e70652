//! `CommandGetPrimaryKeys`: the columns of a table's primary key. There are none.

use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::CommandGetPrimaryKeys;
use datafusion::prelude::SessionContext;

use crate::error::Result;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
});

/// The columns of the result, as Arrow's `FlightSql.proto` lays them down.
pub fn schema(_command: &CommandGetPrimaryKeys) -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// No rows: the server enforces no keys, and CREATE TABLE refuses them.
///
/// # Errors
/// None.
pub async fn data(_context: &SessionContext, command: &CommandGetPrimaryKeys) -> Result<RecordBatch> {
    Ok(RecordBatch::new_empty(schema(command)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn empty_with_the_columns_of_the_specification() {
        let command = CommandGetPrimaryKeys::default();
        let batch = data(&SessionContext::new(), &command).await.unwrap();
        assert_eq!((batch.num_rows(), batch.schema()), (0, schema(&command)));
        let columns: Vec<String> = schema(&command)
            .fields()
            .iter()
            .map(|field| format!("{}: {} {}", field.name(), field.data_type(), field.is_nullable()))
            .collect();
        assert_eq!(
            columns,
            [
                "catalog_name: Utf8 true",
                "db_schema_name: Utf8 true",
                "table_name: Utf8 false",
                "column_name: Utf8 false",
                "key_name: Utf8 true",
                "key_sequence: Int32 false",
            ]
        );
    }
}
