//! The commands of Flight SQL, one file each, both halves in it: what a FlightInfo says, and what
//! its ticket returns.

pub mod catalogs;
pub mod cross_reference;
pub mod db_schemas;
pub mod exported_keys;
mod foreign_keys;
pub mod imported_keys;
mod listing;
pub mod prepared_query;
pub mod prepared_update;
pub mod primary_keys;
pub mod sql_info;
mod sql_type;
pub mod statement_query;
pub mod statement_update;
pub mod table_types;
pub mod tables;
pub mod xdbc_type_info;

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::sql::Statement;

/// There are no transactions yet: a request inside one is refused rather than run outside it.
fn refuse_transaction(transaction: Option<&Bytes>) -> Result<()> {
    match transaction {
        Some(id) if !id.is_empty() => Err(Error::unsupported(
            "transaction: this server has none, see its SqlInfo",
        )),
        _ => Ok(()),
    }
}

/// The handle of a prepared statement as text.
fn handle_of(handle: &Bytes) -> Result<&str> {
    std::str::from_utf8(handle).map_err(|_| Error::not_found("prepared statement: unknown handle"))
}

/// Whether rows have a column for each parameter.
fn check_bound(statement: &Statement, rows: &[RecordBatch]) -> Result<()> {
    let expected = statement.parameters.len();
    match rows
        .iter()
        .find(|batch| batch.num_columns() != expected && batch.num_rows() > 0)
    {
        Some(batch) => Err(Error::sql(format!(
            "found {} values, expected {expected}: one for each parameter",
            batch.num_columns()
        ))),
        None => Ok(()),
    }
}

/// The number of changed rows as clients read it.
fn count(changed: Option<u64>) -> i64 {
    changed.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX))
}

/// What a statement that changed something returns to a client that asks for rows.
fn count_batch(schema: &SchemaRef, changed: Option<u64>) -> Result<RecordBatch> {
    match changed {
        Some(count) if schema.fields().len() == 1 => {
            RecordBatch::try_new(Arc::clone(schema), vec![Arc::new(UInt64Array::from(vec![count]))])
                .map_err(|error| Error::internal(format!("count of changed rows: {error}")))
        }
        _ => statement_query::empty(schema),
    }
}
