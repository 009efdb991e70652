//! `CommandGetCrossReference`: the foreign keys of one table that refer to another. There are none.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::sql::CommandGetCrossReference;
use datafusion::prelude::SessionContext;

use super::foreign_keys;
use crate::error::Result;

/// The columns of the result, as Arrow's `FlightSql.proto` lays them down.
pub fn schema(_command: &CommandGetCrossReference) -> SchemaRef {
    Arc::clone(&foreign_keys::SCHEMA)
}

/// No rows: the server has no foreign keys.
///
/// # Errors
/// None.
pub async fn data(_context: &SessionContext, command: &CommandGetCrossReference) -> Result<RecordBatch> {
    Ok(RecordBatch::new_empty(schema(command)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::command::foreign_keys::tests::specified;

    #[tokio::test]
    async fn empty_with_the_columns_of_the_specification() {
        let command = CommandGetCrossReference::default();
        assert_eq!(*schema(&command), specified());
        let batch = data(&SessionContext::new(), &command).await.unwrap();
        assert_eq!((batch.num_rows(), batch.schema()), (0, schema(&command)));
    }
}
