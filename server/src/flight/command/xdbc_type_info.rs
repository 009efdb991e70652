//! `CommandGetXdbcTypeInfo`: the types of columns that the server returns, as ODBC and JDBC
//! describe types.
//!
//! In: a type's code, or none for all. Out: one row a type, ordered by code, then by name.

mod types;

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_flight::sql::{CommandGetXdbcTypeInfo, Nullable};
use datafusion::prelude::SessionContext;

use super::listing;
use crate::error::Result;
use types::{TYPES, XdbcType};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("type_name", DataType::Utf8, false),
        Field::new("data_type", DataType::Int32, false),
        Field::new("column_size", DataType::Int32, true),
        Field::new("literal_prefix", DataType::Utf8, true),
        Field::new("literal_suffix", DataType::Utf8, true),
        Field::new("create_params", DataType::List(create_param()), true),
        Field::new("nullable", DataType::Int32, false),
        Field::new("case_sensitive", DataType::Boolean, false),
        Field::new("searchable", DataType::Int32, false),
        Field::new("unsigned_attribute", DataType::Boolean, true),
        Field::new("fixed_prec_scale", DataType::Boolean, false),
        Field::new("auto_increment", DataType::Boolean, true),
        Field::new("local_type_name", DataType::Utf8, true),
        Field::new("minimum_scale", DataType::Int32, true),
        Field::new("maximum_scale", DataType::Int32, true),
        Field::new("sql_data_type", DataType::Int32, false),
        Field::new("datetime_subcode", DataType::Int32, true),
        Field::new("num_prec_radix", DataType::Int32, true),
        Field::new("interval_precision", DataType::Int32, true),
    ]))
});

fn create_param() -> FieldRef {
    Arc::new(Field::new("item", DataType::Utf8, false))
}

/// The columns of the result, as Arrow's `FlightSql.proto` lays them down.
pub fn schema(_command: &CommandGetXdbcTypeInfo) -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The types of the code asked for, ordered by code, then by name.
///
/// # Errors
/// `Internal` only.
pub async fn data(_context: &SessionContext, command: &CommandGetXdbcTypeInfo) -> Result<RecordBatch> {
    let asked = |known: &&XdbcType| command.data_type.is_none_or(|code| code == known.code as i32);
    let mut types: Vec<&XdbcType> = TYPES.iter().filter(asked).collect();
    types.sort_by_key(|known| (known.code as i32, known.name));
    listing::batch(schema(command), columns(&types))
}

fn columns(types: &[&XdbcType]) -> Vec<ArrayRef> {
    vec![
        texts(types, |known| Some(known.name)),
        numbers(types, |known| Some(known.code as i32)),
        numbers(types, |known| known.size),
        texts(types, |known| known.literal.map(|(prefix, _)| prefix)),
        texts(types, |known| known.literal.map(|(_, suffix)| suffix)),
        create_params(types),
        numbers(types, |_| Some(Nullable::NullabilityNullable as i32)),
        flags(types, |known| Some(known.is_text())),
        numbers(types, |known| Some(known.searchable() as i32)),
        flags(types, |known| known.unsigned),
        // No type is of one precision and scale for good, as a type for money would be.
        flags(types, |_| Some(false)),
        // Of numbers it can be said that they do not count by themselves.
        flags(types, |known| known.unsigned.map(|_| false)),
        texts(types, |_| None),
        numbers(types, |known| known.scales.map(|(least, _)| least)),
        numbers(types, |known| known.scales.map(|(_, most)| most)),
        numbers(types, |known| Some(known.verbose_code() as i32)),
        numbers(types, |known| known.subcode.map(|code| code as i32)),
        numbers(types, |known| known.radix),
        numbers(types, |known| known.interval_digits),
    ]
}

fn texts(types: &[&XdbcType], of: impl Fn(&XdbcType) -> Option<&'static str>) -> ArrayRef {
    Arc::new(types.iter().map(|known| of(known)).collect::<StringArray>())
}

fn numbers(types: &[&XdbcType], of: impl Fn(&XdbcType) -> Option<i32>) -> ArrayRef {
    Arc::new(types.iter().map(|known| of(known)).collect::<Int32Array>())
}

fn flags(types: &[&XdbcType], of: impl Fn(&XdbcType) -> Option<bool>) -> ArrayRef {
    Arc::new(types.iter().map(|known| of(known)).collect::<BooleanArray>())
}

fn create_params(types: &[&XdbcType]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(create_param());
    for known in types {
        for param in known.create_params {
            lists.values().append_value(param);
        }
        lists.append(!known.create_params.is_empty());
    }
    Arc::new(lists.finish())
}

#[cfg(test)]
mod tests;
