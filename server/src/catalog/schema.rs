//! One schema for all files of a table.
//!
//! In: each file's own schema. Out: their union, or an error that names the two files that
//! disagree. Allowed to differ: the order of columns that are read by name; columns that only some
//! files have, which are null in the others; whether a column may be null. In text formats, where
//! types are guessed from the rows, also a type that holds both files' values.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};

use super::format::Format;
use crate::error::{Error, Result};

/// A file's name for messages, and its schema.
pub type FileSchema<'a> = (&'a str, &'a Schema);

/// The schema of a table of these files.
///
/// # Errors
/// `Data` if a column has types that do not go together, or if files that are read by position have
/// other columns in other places.
pub fn merged(format: Format, files: &[FileSchema<'_>]) -> Result<SchemaRef> {
    if format.is_positional() {
        same_columns(files)?;
    }
    let mut columns: Vec<Column<'_>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (file, schema) in files {
        for field in schema.fields() {
            let place = *places.entry(field.name().clone()).or_insert_with(|| {
                columns.push(Column {
                    field: as_read(format, field),
                    file,
                    files: 0,
                });
                columns.len() - 1
            });
            let column = &mut columns[place];
            column.field = column.with(format, file, &as_read(format, field))?;
            column.files += 1;
        }
    }
    let fields = columns
        .into_iter()
        .map(|column| match column.files < files.len() {
            true => {
                tracing::debug!(
                    column = column.field.name(),
                    files = column.files,
                    "column is missing in some files"
                );
                Arc::new(column.field.as_ref().clone().with_nullable(true))
            }
            false => column.field,
        });
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// A column as far as the files say, and the first file that has it.
struct Column<'a> {
    field: FieldRef,
    file: &'a str,
    files: usize,
}

impl Column<'_> {
    fn with(&self, format: Format, file: &str, other: &FieldRef) -> Result<FieldRef> {
        let nullable = self.field.is_nullable() || other.is_nullable();
        let (mine, theirs) = (self.field.data_type(), other.data_type());
        if let (Format::Csv | Format::Json, Some(wider)) = (format, wider(mine, theirs)) {
            return Ok(Arc::new(
                self.field
                    .as_ref()
                    .clone()
                    .with_data_type(wider)
                    .with_nullable(nullable),
            ));
        }
        let mut union = self.field.as_ref().clone();
        // Notes on a column, such as Parquet's field numbers, do not make it another one.
        let other = other.as_ref().clone().with_metadata(union.metadata().clone());
        union.try_merge(&other).map_err(|_| {
            Error::data(format!(
                "column {}: {} in {}, but {} in {}; expected one type in all files",
                self.field.name(),
                mine,
                self.file,
                theirs,
                file
            ))
        })?;
        Ok(Arc::new(union.with_nullable(nullable)))
    }
}

/// The type that holds the values of both, among those that are guessed from text.
fn wider(one: &DataType, other: &DataType) -> Option<DataType> {
    use DataType::{Boolean, Date32, Date64, Float64, Int64, Null, Timestamp, Utf8};
    match (one, other) {
        (one, other) if one == other => Some(one.clone()),
        (Null, known) | (known, Null) => Some(known.clone()),
        (Int64, Float64) | (Float64, Int64) => Some(Float64),
        (Date32 | Date64, time @ Timestamp(..)) | (time @ Timestamp(..), Date32 | Date64) => {
            Some(time.clone())
        }
        (
            Boolean | Int64 | Float64 | Date32 | Date64 | Timestamp(..) | Utf8,
            Boolean | Int64 | Float64 | Date32 | Date64 | Timestamp(..) | Utf8,
        ) => Some(Utf8),
        _ => None,
    }
}

/// The type that a column is read with. Arrow files are not converted while they are read.
fn as_read(format: Format, field: &FieldRef) -> FieldRef {
    match format {
        Format::Arrow => Arc::clone(field),
        _ => plain(field),
    }
}

/// Strings and bytes in the layout that every Flight client reads, at any depth.
fn plain(field: &FieldRef) -> FieldRef {
    match plain_type(field.data_type()) {
        Some(data_type) => Arc::new(field.as_ref().clone().with_data_type(data_type)),
        None => Arc::clone(field),
    }
}

fn plain_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) | DataType::ListView(item) => DataType::List(plain(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(plain(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(plain(item), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::Map(entries, sorted) => DataType::Map(plain(entries), *sorted),
        _ => return None,
    })
}

fn same_columns(files: &[FileSchema<'_>]) -> Result<()> {
    let Some(((first, schema), others)) = files.split_first() else {
        return Ok(());
    };
    let names = |schema: &Schema| {
        schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect::<Vec<_>>()
    };
    let expected = names(schema);
    for (file, schema) in others {
        let found = names(schema);
        if found != expected {
            return Err(Error::data(format!(
                "columns ({}) in {first}, but ({}) in {file}; expected the same columns in the same order",
                expected.join(", "),
                found.join(", ")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;

    use super::*;

    fn schema(fields: &[(&str, DataType, bool)]) -> Schema {
        let field = |(name, data_type, nullable): &(&str, DataType, bool)| {
            Field::new(*name, data_type.clone(), *nullable)
        };
        Schema::new(fields.iter().map(field).collect::<Vec<_>>())
    }

    #[test]
    fn a_missing_column_is_null() {
        let one = schema(&[("a", DataType::Int64, false), ("b", DataType::Utf8View, false)]);
        let other = schema(&[("a", DataType::Int64, true)]);
        let merged = merged(Format::Parquet, &[("/1", &one), ("/2", &other)]).unwrap();
        assert_eq!(
            *merged,
            schema(&[("a", DataType::Int64, true), ("b", DataType::Utf8, true)])
        );
    }

    #[test]
    fn types_that_differ_are_named_with_both_files() {
        let one = schema(&[("a", DataType::Int64, false)]);
        let other = schema(&[("a", DataType::Utf8, false)]);
        let error = merged(Format::Parquet, &[("/1", &one), ("/2", &other)]).unwrap_err();
        assert_eq!(
            error.message(),
            "column a: Int64 in /1, but Utf8 in /2; expected one type in all files"
        );
        assert!(merged(Format::Csv, &[("/1", &one), ("/2", &other)]).is_ok());
    }

    #[test]
    fn csv_columns_have_their_places() {
        let one = schema(&[("a", DataType::Int64, true), ("b", DataType::Int64, true)]);
        let other = schema(&[("b", DataType::Int64, true), ("a", DataType::Int64, true)]);
        let error = merged(Format::Csv, &[("/1", &one), ("/2", &other)]).unwrap_err();
        assert!(
            error
                .message()
                .starts_with("columns (a, b) in /1, but (b, a) in /2")
        );
        assert!(merged(Format::Parquet, &[("/1", &one), ("/2", &other)]).is_ok());
    }
}
