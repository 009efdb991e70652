//! The columns of a listed table as clients read them: an IPC message of its schema, with what
//! SQL says about each column in the column's metadata.

use std::collections::HashMap;

use arrow::datatypes::{Field, Schema};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::{IpcMessage, SchemaAsIpc};
use datafusion::logical_expr::TableType;

use crate::error::{Error, Result};
use crate::flight::command::listing::VisibleSchema;
use crate::flight::command::sql_type;

/// Under this key, files of several engines keep a column's remark.
const COMMENT: &str = "comment";

/// A table's schema with Flight SQL's metadata on each column, beside what the column had.
pub fn described(schema: &VisibleSchema, table: &str, kind: TableType, columns: &Schema) -> Schema {
    let fields: Vec<Field> = columns
        .fields()
        .iter()
        .map(|field| {
            let mut metadata = field.metadata().clone();
            metadata.extend(keys(schema, table, kind, field));
            field.as_ref().clone().with_metadata(metadata)
        })
        .collect();
    Schema::new_with_metadata(fields, columns.metadata().clone())
}

/// What the comments on `CommandGetTables` in `FlightSql.proto` list, and the remarks that
/// Arrow's clients read as well.
fn keys(schema: &VisibleSchema, table: &str, kind: TableType, field: &Field) -> HashMap<String, String> {
    let sql = sql_type::of(field.data_type());
    let writable = kind == TableType::Temporary;
    let known = [
        ("CATALOG_NAME", Some(schema.catalog.clone())),
        // The specification has one name, the clients of C++, Go and Java read the other.
        ("DB_SCHEMA_NAME", Some(schema.name.clone())),
        ("SCHEMA_NAME", Some(schema.name.clone())),
        ("TABLE_NAME", Some(table.to_owned())),
        ("TYPE_NAME", Some(sql.name.to_owned())),
        ("PRECISION", sql.size.map(|size| size.to_string())),
        ("SCALE", sql.scale.map(|scale| scale.to_string())),
        ("IS_AUTO_INCREMENT", Some(flag(false))),
        (
            "IS_CASE_SENSITIVE",
            Some(flag(sql_type::is_text(field.data_type()))),
        ),
        ("IS_READ_ONLY", Some(flag(!writable))),
        ("IS_SEARCHABLE", Some(flag(true))),
        ("REMARKS", field.metadata().get(COMMENT).cloned()),
    ];
    known
        .into_iter()
        .filter_map(|(key, value)| Some((format!("ARROW:FLIGHT:SQL:{key}"), value?)))
        .collect()
}

fn flag(value: bool) -> String {
    String::from(if value { "1" } else { "0" })
}

/// The schema as an encapsulated IPC message, which is how every client reads it.
///
/// # Errors
/// `Internal` if it cannot be encoded.
pub fn encoded(schema: &Schema) -> Result<Vec<u8>> {
    let options = IpcWriteOptions::default();
    IpcMessage::try_from(SchemaAsIpc::new(schema, &options))
        .map(|message| message.0.into())
        .map_err(|error| Error::internal(format!("schema of a table as an IPC message: {error}")))
}
