//! What is known of a relation's rows.
//!
//! A [`Profile`] is an estimate throughout: its numbers are not whole, and good for comparing plans only.

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchemaRef, Statistics};
use datafusion::logical_expr::Expr;

use super::number;

/// Distinct values of a column of which nothing is known.
const DISTINCT_UNKNOWN: f64 = 200.0;
/// Bytes of a value of variable length, with its offset.
const TEXT_BYTES: f64 = 24.0;

/// The rows of a relation.
#[derive(Debug, Clone)]
pub struct Profile {
    /// How many.
    pub rows: f64,
    /// The names of its columns.
    pub schema: DFSchemaRef,
    /// Its columns, in the schema's order.
    pub columns: Vec<ColumnProfile>,
    /// Predicates that all of its rows fulfil, so that they are not counted twice.
    pub applied: Vec<Expr>,
}

/// The values of a column.
#[derive(Debug, Clone)]
pub struct ColumnProfile {
    /// Rows of the table that it comes from, before any filter.
    pub table_rows: f64,
    /// Its values in the whole table.
    pub table: Values,
    /// Its values after the filters on itself; filters on other columns leave it alone.
    pub kept: Values,
    /// The share of nulls.
    pub nulls: f64,
    /// Bytes of one value.
    pub bytes: f64,
    /// Mean and standard deviation, of sums and counts.
    pub spread: Option<(f64, f64)>,
}

/// A set of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Values {
    /// How many different ones.
    pub distinct: f64,
    /// The least and the greatest, where they are numbers.
    pub range: Option<(f64, f64)>,
    /// The distance between neighbours, of types that have one.
    pub step: Option<f64>,
}

impl Values {
    /// How many values its range has room for.
    pub fn room(&self) -> Option<f64> {
        let ((least, greatest), step) = (self.range?, self.step?);
        Some(((greatest - least) / step).round() + 1.0)
    }
}

impl ColumnProfile {
    /// A column of which only the number of distinct values is known.
    pub fn of_distinct(data_type: &DataType, rows: f64, distinct: f64) -> Self {
        let values = Values {
            distinct: distinct.clamp(1.0, rows.max(1.0)),
            range: None,
            step: number::step(data_type),
        };
        Self {
            table_rows: rows,
            table: values,
            kept: values,
            nulls: 0.0,
            bytes: bytes(data_type),
            spread: None,
        }
    }

    /// A column of which nothing is known.
    pub fn unknown(data_type: &DataType, rows: f64) -> Self {
        let distinct = match data_type {
            DataType::Boolean => 2.0,
            _ => DISTINCT_UNKNOWN,
        };
        Self::of_distinct(data_type, rows, distinct)
    }

    /// The column as it is in its table, before any filter.
    pub fn unfiltered(&self) -> Self {
        Self {
            kept: self.table,
            ..self.clone()
        }
    }

    /// Whether every row of its table may have a value of its own.
    pub fn is_unique(&self) -> bool {
        self.table.distinct >= 0.99 * self.table_rows && self.table_rows > 1.0
    }
}

impl Profile {
    /// A table's rows, or none if it is not known how many they are.
    pub fn of_table(statistics: &Statistics, columns: &[usize], schema: DFSchemaRef) -> Option<Self> {
        let rows = *statistics.num_rows.get_value()? as f64;
        let column = |(&index, field): (&usize, &std::sync::Arc<arrow::datatypes::Field>)| {
            let unknown = ColumnProfile::unknown(field.data_type(), rows);
            let Some(known) = statistics.column_statistics.get(index) else {
                return unknown;
            };
            let bound = |value: Option<&_>| value.and_then(number::of_value);
            let range = bound(known.min_value.get_value()).zip(bound(known.max_value.get_value()));
            let nulls = known.null_count.get_value().map_or(0.0, |nulls| *nulls as f64);
            let mut values = Values {
                range,
                ..unknown.table
            };
            let told = known.distinct_count.get_value().map(|distinct| *distinct as f64);
            // Without a number, integers are taken to fill their range.
            let distinct = told.or(values.room()).unwrap_or(values.distinct);
            let room = values.room().unwrap_or(f64::INFINITY);
            values.distinct = distinct.min(room).min(rows - nulls).max(1.0);
            ColumnProfile {
                table: values,
                kept: values,
                nulls: (nulls / rows.max(1.0)).clamp(0.0, 1.0),
                ..unknown
            }
        };
        let columns = columns.iter().zip(schema.fields()).map(column).collect();
        Some(Self {
            rows,
            schema,
            columns,
            applied: Vec::new(),
        })
    }

    /// A column by its name.
    pub fn column(&self, column: &Column) -> Option<&ColumnProfile> {
        self.columns.get(self.schema.maybe_index_of_column(column)?)
    }

    /// The same rows under other names.
    pub fn renamed(self, schema: DFSchemaRef) -> Self {
        Self {
            schema,
            applied: Vec::new(),
            ..self
        }
    }

    /// As many of its rows, without a choice among their values.
    pub fn limited(self, rows: usize) -> Self {
        Self {
            rows: self.rows.min(rows as f64),
            ..self
        }
    }
}

/// Bytes of a value of a type.
pub fn bytes(data_type: &DataType) -> f64 {
    match data_type {
        DataType::Boolean => 1.0,
        DataType::Dictionary(keys, _) => keys.primitive_width().unwrap_or(4) as f64,
        other => other.primitive_width().map_or(TEXT_BYTES, |bytes| bytes as f64),
    }
}

/// How many of `distinct` values are met in `rows` rows that are drawn from them.
pub fn met(distinct: f64, rows: f64) -> f64 {
    let distinct = distinct.max(1.0);
    (distinct * (1.0 - (-rows / distinct).exp())).clamp(0.0, rows)
}
