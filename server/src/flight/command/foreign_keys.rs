//! The columns of the three commands about foreign keys.
//!
//! The server enforces no keys, and CREATE TABLE refuses them, so these commands find none.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// As Arrow's `FlightSql.proto` lays them down, alike for exported keys, imported keys and cross
/// references.
pub static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
});

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The specification's words, parsed: what each of the three commands must return.
    pub fn specified() -> Schema {
        let words = "pk_catalog_name: utf8, pk_db_schema_name: utf8, pk_table_name: utf8 not null, \
                     pk_column_name: utf8 not null, fk_catalog_name: utf8, fk_db_schema_name: utf8, \
                     fk_table_name: utf8 not null, fk_column_name: utf8 not null, key_sequence: int32 not null, \
                     fk_key_name: utf8, pk_key_name: utf8, update_rule: uint8 not null, delete_rule: uint8 not null";
        let field = |words: &str| {
            let (name, rest) = words.trim().split_once(": ").unwrap();
            let (kind, nullable) = match rest.strip_suffix(" not null") {
                Some(kind) => (kind, false),
                None => (rest, true),
            };
            let data_type = match kind {
                "utf8" => DataType::Utf8,
                "int32" => DataType::Int32,
                "uint8" => DataType::UInt8,
                kind => panic!("{kind}"),
            };
            Field::new(name, data_type, nullable)
        };
        Schema::new(words.split(',').map(field).collect::<Vec<_>>())
    }
}
