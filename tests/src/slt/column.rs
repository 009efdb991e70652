//! The letter that a `query` line gives for each column of a result.
//!
//! In: Arrow types, or the letters of a file. Out: the other one. Kinds, not types: a file says that a column
//! is a number with a fraction, and leaves its width to the engine.

use arrow::datatypes::{DataType, Schema};
use sqllogictest::ColumnType;

/// What kind of values a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnKind {
    /// `B`
    Boolean,
    /// `I`
    Integer,
    /// `R`: a float or a decimal.
    Real,
    /// `T`
    Text,
    /// `D`
    Date,
    /// `P`: a timestamp, a point in time.
    Timestamp,
    /// `?`: everything else.
    Other,
}

impl ColumnType for ColumnKind {
    fn from_char(letter: char) -> Option<Self> {
        Some(match letter {
            'B' => Self::Boolean,
            'I' => Self::Integer,
            'R' => Self::Real,
            'T' => Self::Text,
            'D' => Self::Date,
            'P' => Self::Timestamp,
            '?' => Self::Other,
            _ => return None,
        })
    }

    fn to_char(&self) -> char {
        match self {
            Self::Boolean => 'B',
            Self::Integer => 'I',
            Self::Real => 'R',
            Self::Text => 'T',
            Self::Date => 'D',
            Self::Timestamp => 'P',
            Self::Other => '?',
        }
    }
}

/// The kinds of a result's columns.
pub fn column_kinds(schema: &Schema) -> Vec<ColumnKind> {
    schema
        .fields()
        .iter()
        .map(|field| column_kind(field.data_type()))
        .collect()
}

fn column_kind(data_type: &DataType) -> ColumnKind {
    match data_type {
        DataType::Boolean => ColumnKind::Boolean,
        data_type if data_type.is_integer() => ColumnKind::Integer,
        data_type if data_type.is_numeric() => ColumnKind::Real,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnKind::Text,
        DataType::Date32 | DataType::Date64 => ColumnKind::Date,
        DataType::Timestamp(_, _) => ColumnKind::Timestamp,
        DataType::Dictionary(_, values) => column_kind(values),
        _ => ColumnKind::Other,
    }
}
