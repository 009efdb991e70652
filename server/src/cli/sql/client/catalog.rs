//! What the server has: catalogs, schemas, tables, columns, its own name. In: nothing or a filter. Out:
//! plain lists, through Flight SQL's metadata commands, so that they work with any server.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt32Type};
use arrow::ipc::convert::try_schema_from_ipc_buffer;
use arrow::util::display::array_value_to_string;
use arrow_flight::sql::{
    Any, CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTables, ProstMessageExt,
};

use super::super::failure::{Failure, Outcome};
use super::Client;

/// Codes of Flight SQL's `SqlInfo`.
const SERVER_NAME: u32 = 0;
const SERVER_VERSION: u32 = 1;

/// A table or view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its catalog, if the server has them.
    pub catalog: String,
    /// Its schema, if the server has them.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `TABLE`, `VIEW`, … as the server calls it.
    pub kind: String,
    /// Its columns, if asked for.
    pub columns: Vec<Column>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    pub data_type: String,
    /// Whether it may be NULL.
    pub nullable: bool,
}

impl Client {
    /// The catalogs' names.
    pub async fn catalogs(&mut self) -> Outcome<Vec<String>> {
        let batches = self.collect(CommandGetCatalogs {}.as_any()).await?;
        strings(&batches, "catalog_name")
    }

    /// Catalog and name of each schema.
    pub async fn schemas(&mut self) -> Outcome<Vec<(String, String)>> {
        let batches = self.collect(CommandGetDbSchemas::default().as_any()).await?;
        let catalogs = strings(&batches, "catalog_name")?;
        Ok(catalogs
            .into_iter()
            .zip(strings(&batches, "db_schema_name")?)
            .collect())
    }

    /// All tables and views, with their columns if `columns`.
    pub async fn relations(&mut self, columns: bool) -> Outcome<Vec<Relation>> {
        let command = CommandGetTables {
            include_schema: columns,
            ..Default::default()
        };
        let batches = self.collect(command.as_any()).await?;
        let mut schemas = Vec::new();
        if columns {
            for batch in &batches {
                let column = column(batch, "table_schema")?;
                let bytes = cast(&column, &DataType::Binary).map_err(|e| unreadable(&e))?;
                let bytes: &BinaryArray = bytes.as_binary();
                for row in 0..bytes.len() {
                    schemas.push(columns_of(bytes.value(row))?);
                }
            }
        }
        let mut schemas = schemas.into_iter();
        let catalogs = strings(&batches, "catalog_name")?;
        let schema_names = strings(&batches, "db_schema_name")?;
        let names = strings(&batches, "table_name")?;
        let kinds = strings(&batches, "table_type")?;
        let rows = catalogs.into_iter().zip(schema_names).zip(names).zip(kinds);
        Ok(rows
            .map(|(((catalog, schema), name), kind)| Relation {
                catalog,
                schema,
                name,
                kind,
                columns: schemas.next().unwrap_or_default(),
            })
            .collect())
    }

    /// The server's name and version, if it says.
    pub async fn server_name(&mut self) -> Outcome<String> {
        let command = CommandGetSqlInfo {
            info: vec![SERVER_NAME, SERVER_VERSION],
        };
        let batches = self.collect(command.as_any()).await?;
        let mut words = Vec::new();
        for batch in &batches {
            let codes = column(batch, "info_name")?;
            let values = column(batch, "value")?;
            let (Some(codes), Some(values)) = (codes.as_primitive_opt::<UInt32Type>(), values.as_union_opt())
            else {
                continue;
            };
            for row in 0..batch.num_rows() {
                let value = array_value_to_string(&values.value(row), 0).map_err(|e| unreadable(&e))?;
                words.push((codes.value(row), value));
            }
        }
        words.sort();
        Ok(words
            .into_iter()
            .map(|(_, word)| word)
            .collect::<Vec<_>>()
            .join(" "))
    }

    async fn collect(&mut self, command: Any) -> Outcome<Vec<RecordBatch>> {
        let info = self.info(command).await?;
        let mut rows = self.rows(&info).await?;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }
}

fn column(batch: &RecordBatch, name: &str) -> Outcome<ArrayRef> {
    batch
        .column_by_name(name)
        .cloned()
        .ok_or_else(|| Failure::query(format!("the server's list of tables has no column {name}")))
}

fn strings(batches: &[RecordBatch], name: &str) -> Outcome<Vec<String>> {
    let mut all = Vec::new();
    for batch in batches {
        let texts = cast(&column(batch, name)?, &DataType::Utf8).map_err(|e| unreadable(&e))?;
        all.extend(
            texts
                .as_string::<i32>()
                .iter()
                .map(|text| text.unwrap_or_default().to_owned()),
        );
    }
    Ok(all)
}

fn columns_of(schema: &[u8]) -> Outcome<Vec<Column>> {
    let schema = try_schema_from_ipc_buffer(schema).map_err(|e| unreadable(&e))?;
    let column = |field: &arrow::datatypes::Field| Column {
        name: field.name().clone(),
        data_type: field.data_type().to_string(),
        nullable: field.is_nullable(),
    };
    Ok(schema.fields().iter().map(|field| column(field)).collect())
}

fn unreadable(e: &arrow::error::ArrowError) -> Failure {
    Failure::query(format!("the server's list of tables cannot be read: {e}"))
}
