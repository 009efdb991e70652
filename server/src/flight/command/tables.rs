//! `CommandGetTables`: the tables and views that a session sees, on request with their columns.
//!
//! In: the session's DataFusion context, and filters. Out: one row a table, ordered by catalog,
//! schema and name. A table that cannot be opened is listed, without columns.

mod columns;

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::CommandGetTables;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::TableType;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::listing::{self, VisibleSchema};
use super::table_types;
use crate::error::Result;

/// Tables that are opened at once: it may take a read of a file's footer from afar.
const OPENED_AT_ONCE: usize = 16;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(names())));

static SCHEMA_WITH_COLUMNS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let mut fields = names();
    fields.push(Field::new("table_schema", DataType::Binary, false));
    Arc::new(Schema::new(fields))
});

fn names() -> Vec<Field> {
    vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("table_type", DataType::Utf8, false),
    ]
}

/// The columns of the result, as Arrow's `FlightSql.proto` lays them down: one more where the
/// tables' own columns are asked for.
pub fn schema(command: &CommandGetTables) -> SchemaRef {
    Arc::clone(if command.include_schema {
        &SCHEMA_WITH_COLUMNS
    } else {
        &SCHEMA
    })
}

/// A table of the result.
struct Row {
    catalog: String,
    schema: String,
    name: String,
    table_type: &'static str,
    /// Its columns as an IPC message, where they are asked for.
    columns: Option<Vec<u8>>,
}

/// The tables that fit all filters, ordered by catalog, schema and name.
///
/// # Errors
/// `Internal` only: a table that cannot be opened is logged and listed without columns.
pub async fn data(context: &SessionContext, command: &CommandGetTables) -> Result<RecordBatch> {
    let schema_pattern = command.db_schema_filter_pattern.as_deref();
    let mut rows = Vec::new();
    for schema in listing::schemas(context, command.catalog.as_deref(), schema_pattern)? {
        let names = schema.provider.table_names().into_iter().collect();
        let names = listing::matching(names, command.table_name_filter_pattern.as_deref())?;
        let looks: Vec<_> = names
            .into_iter()
            .map(|name| look(&schema, name, command))
            .collect();
        let looks: Vec<_> = futures::stream::iter(looks)
            .buffered(OPENED_AT_ONCE)
            .collect()
            .await;
        for row in looks {
            rows.extend(row?);
        }
    }
    batch(schema(command), &rows)
}

/// The row of a table, if it is still there and its type is asked for.
async fn look(schema: &VisibleSchema, name: String, command: &CommandGetTables) -> Result<Option<Row>> {
    let kind = match schema.provider.table_type(&name).await {
        Ok(Some(kind)) => kind,
        Ok(None) => return Ok(None),
        Err(error) => {
            unopened(schema, &name, &error);
            TableType::Base
        }
    };
    let table_type = if schema.is_system() {
        table_types::SYSTEM_TABLE
    } else {
        table_types::name(kind)
    };
    if !command.table_types.is_empty() && !command.table_types.iter().any(|asked| asked == table_type) {
        return Ok(None);
    }
    let columns = if command.include_schema {
        let Some(table) = open(schema, &name).await else {
            return Ok(None);
        };
        Some(columns::encoded(&columns::described(
            schema, &name, kind, &table,
        ))?)
    } else {
        None
    };
    Ok(Some(Row {
        catalog: schema.catalog.clone(),
        schema: schema.name.clone(),
        name,
        table_type,
        columns,
    }))
}

/// The columns of a table; none of them if it cannot be opened, nothing if it is gone.
async fn open(schema: &VisibleSchema, name: &str) -> Option<SchemaRef> {
    match schema.provider.table(name).await {
        Ok(table) => table.map(|table| table.schema()),
        Err(error) => {
            unopened(schema, name, &error);
            Some(Arc::new(Schema::empty()))
        }
    }
}

fn unopened(schema: &VisibleSchema, name: &str, error: &DataFusionError) {
    tracing::warn!(catalog = schema.catalog, schema = schema.name, table = name, %error, "table cannot be opened");
}

fn batch(schema: SchemaRef, rows: &[Row]) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.catalog))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.schema))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.name))),
        Arc::new(StringArray::from_iter_values(
            rows.iter().map(|row| row.table_type),
        )),
    ];
    if schema.fields().len() > columns.len() {
        columns.push(Arc::new(BinaryArray::from_iter_values(
            rows.iter().filter_map(|row| row.columns.as_ref()),
        )));
    }
    listing::batch(schema, columns)
}

#[cfg(test)]
mod tests;
