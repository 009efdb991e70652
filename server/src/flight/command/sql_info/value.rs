//! The values of SqlInfo and the dense union that carries them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, MapFieldNames,
    StringBuilder, UnionArray,
};
use arrow::datatypes::{DataType, Field, FieldRef, UnionFields};
use arrow::error::ArrowError;

/// A value; its variants are the members of the union, in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `string_value`; none where there is nothing to name.
    Text(Option<String>),
    /// `bool_value`.
    Flag(bool),
    /// `bigint_value`.
    Whole(i64),
    /// `int32_bitmask`, which also carries other numbers of 32 bits.
    Bits(i32),
    /// `string_list`.
    Texts(Vec<String>),
    /// `int32_to_int32_list_map`.
    Lists(BTreeMap<i32, Vec<i32>>),
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl Value {
    /// A set of flags, each given by the number of its bit.
    pub fn bits(flags: &[i32]) -> Self {
        Self::Bits(flags.iter().fold(0, |mask, bit| mask | 1 << bit))
    }
}

fn text_item() -> FieldRef {
    Arc::new(Field::new("string_data", DataType::Utf8, true))
}

fn number_item() -> FieldRef {
    Arc::new(Field::new("$data$", DataType::Int32, true))
}

fn map_value() -> FieldRef {
    Arc::new(Field::new("value", DataType::List(number_item()), true))
}

/// The members of the union, as Arrow's `FlightSql.proto` names and orders them.
pub fn members() -> UnionFields {
    // A map's entries and its keys cannot be null.
    let entry = vec![Arc::new(Field::new("key", DataType::Int32, false)), map_value()];
    let entries = Field::new("entries", DataType::Struct(entry.into()), false);
    UnionFields::from_fields([
        Field::new("string_value", DataType::Utf8, true),
        Field::new("bool_value", DataType::Boolean, true),
        Field::new("bigint_value", DataType::Int64, true),
        Field::new("int32_bitmask", DataType::Int32, true),
        Field::new("string_list", DataType::List(text_item()), true),
        Field::new(
            "int32_to_int32_list_map",
            DataType::Map(Arc::new(entries), false),
            true,
        ),
    ])
}

/// The union's children while they are filled.
struct Children {
    text: StringBuilder,
    flag: BooleanBuilder,
    whole: Int64Builder,
    bits: Int32Builder,
    texts: ListBuilder<StringBuilder>,
    lists: MapBuilder<Int32Builder, ListBuilder<Int32Builder>>,
}

impl Children {
    fn new() -> Self {
        let names = MapFieldNames {
            entry: "entries".into(),
            key: "key".into(),
            value: "value".into(),
        };
        let lists = ListBuilder::new(Int32Builder::new()).with_field(number_item());
        Self {
            text: StringBuilder::new(),
            flag: BooleanBuilder::new(),
            whole: Int64Builder::new(),
            bits: Int32Builder::new(),
            texts: ListBuilder::new(StringBuilder::new()).with_field(text_item()),
            lists: MapBuilder::new(Some(names), Int32Builder::new(), lists).with_values_field(map_value()),
        }
    }

    /// Adds a value; the number of the member that it went to.
    fn push(&mut self, value: &Value) -> Result<i8, ArrowError> {
        match value {
            Value::Text(text) => self.text.append_option(text.as_ref()),
            Value::Flag(flag) => self.flag.append_value(*flag),
            Value::Whole(number) => self.whole.append_value(*number),
            Value::Bits(bits) => self.bits.append_value(*bits),
            Value::Texts(texts) => self.texts.append_value(texts.iter().map(Some)),
            Value::Lists(lists) => {
                for (key, list) in lists {
                    self.lists.keys().append_value(*key);
                    self.lists.values().append_value(list.iter().copied().map(Some));
                }
                self.lists.append(true)?;
            }
        }
        Ok(member(value))
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.text.finish()),
            Arc::new(self.flag.finish()),
            Arc::new(self.whole.finish()),
            Arc::new(self.bits.finish()),
            Arc::new(self.texts.finish()),
            Arc::new(self.lists.finish()),
        ]
    }
}

/// The number of the union's member that carries a value.
pub fn member(value: &Value) -> i8 {
    match value {
        Value::Text(_) => 0,
        Value::Flag(_) => 1,
        Value::Whole(_) => 2,
        Value::Bits(_) => 3,
        Value::Texts(_) => 4,
        Value::Lists(_) => 5,
    }
}

/// A dense union of the values, in their order.
///
/// # Errors
/// If our members and builders do not fit each other.
pub fn union<'a>(values: impl Iterator<Item = &'a Value>) -> Result<UnionArray, ArrowError> {
    let mut children = Children::new();
    let mut filled = [0_i32; 6];
    let (mut type_ids, mut offsets) = (Vec::new(), Vec::new());
    for value in values {
        let member = children.push(value)?;
        let next = &mut filled[usize::from(member.unsigned_abs())];
        type_ids.push(member);
        offsets.push(*next);
        *next += 1;
    }
    UnionArray::try_new(
        members(),
        type_ids.into(),
        Some(offsets.into()),
        children.finish(),
    )
}
