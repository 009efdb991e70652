//! Which Arrow types go on the wire: a type comes in, the type that the client sees goes out.
//!
//! All types go as they are, but one: a dictionary is sent as its values. Support for
//! dictionaries in Flight SQL clients is uneven (nested ones, replaced ones and deltas each break
//! one), dictionaries of two batches of a query seldom agree, so that most would be sent anew with
//! every batch, and splitting by size would repeat a dictionary in every message.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, UnionFields};

/// The schema that a client receives for batches of `schema`. What announces a result before it
/// is read (FlightInfo, prepared statements) must announce this one.
pub fn wire_schema(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(wire_fields(schema.fields())).with_metadata(schema.metadata().clone()))
}

/// The type on the wire of values of `data_type`.
pub(super) fn wire_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => wire_type(values),
        DataType::List(field) => DataType::List(wire_field(field)),
        DataType::LargeList(field) => DataType::LargeList(wire_field(field)),
        DataType::ListView(field) => DataType::ListView(wire_field(field)),
        DataType::LargeListView(field) => DataType::LargeListView(wire_field(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(wire_field(field), *size),
        DataType::Map(entries, sorted) => DataType::Map(wire_field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(wire_fields(fields)),
        DataType::Union(fields, mode) => DataType::Union(wire_union_fields(fields), *mode),
        DataType::RunEndEncoded(run_ends, values) => {
            DataType::RunEndEncoded(Arc::clone(run_ends), wire_field(values))
        }
        plain => plain.clone(),
    }
}

/// `field` with its type on the wire, all else unchanged.
pub(super) fn wire_field(field: &FieldRef) -> FieldRef {
    let data_type = wire_type(field.data_type());
    if data_type == *field.data_type() {
        return Arc::clone(field);
    }
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(field.metadata().clone()))
}

pub(super) fn wire_fields(fields: &Fields) -> Fields {
    fields.iter().map(wire_field).collect()
}

pub(super) fn wire_union_fields(fields: &UnionFields) -> UnionFields {
    fields
        .iter()
        .map(|(type_id, field)| (type_id, wire_field(field)))
        .collect()
}

/// Whether arrays of this type can be written as they are, whatever slice of them is asked for.
pub(super) fn is_plain(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, _)
        | DataType::Utf8View
        | DataType::BinaryView
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Union(_, _)
        | DataType::RunEndEncoded(_, _) => false,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => is_plain(field.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_plain(field.data_type())),
        _ => true,
    }
}

/// Whether a dictionary is found anywhere in this type: such an array grows when it is written.
pub(super) fn has_dictionary(data_type: &DataType) -> bool {
    wire_type(data_type) != *data_type
}
