//! Two answers to one query, compared as sets of rows.

use std::cmp::Ordering;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Relative difference of floating-point numbers that counts as none: sums are made in another order.
const TOLERANCE: f64 = 1e-9;

/// A value as far as it is compared.
#[derive(Debug, Clone)]
enum Cell {
    Text(String),
    Number(f64),
}

impl Cell {
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(_), Self::Number(_)) => Ordering::Less,
            (Self::Number(_), Self::Text(_)) => Ordering::Greater,
        }
    }

    /// Whether it is the same value, or a number that differs by `within` at most, or in its last digits if that is zero.
    fn equals(&self, other: &Self, within: f64) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => {
                let within = match within > 0.0 {
                    true => within,
                    false => TOLERANCE * a.abs().max(b.abs()),
                };
                a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= within
            }
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

/// Compares rows without their order.
///
/// # Errors
/// The first difference in words.
pub fn compare(schema: &SchemaRef, found: &[RecordBatch], expected: &[RecordBatch]) -> Result<(), String> {
    compare_within(schema, found, expected, &[])
}

/// As [`compare`], with the absolute difference of floating-point numbers that counts as none, by column; zero, or none
/// given, stands for their last digits.
///
/// # Errors
/// As [`compare`].
pub fn compare_within(
    schema: &SchemaRef,
    found: &[RecordBatch],
    expected: &[RecordBatch],
    within: &[f64],
) -> Result<(), String> {
    let within = |at: usize| within.get(at).copied().unwrap_or_default();
    let (mut found, mut expected) = (rows(found)?, rows(expected)?);
    if found.len() != expected.len() {
        return Err(format!("{} rows against {}", found.len(), expected.len()));
    }
    // Exact columns decide the order first, so that rows that differ in the last digits stand side by side.
    let is_float = |at: &usize| schema.field(*at).data_type().is_floating();
    let mut columns: Vec<usize> = (0..schema.fields().len()).collect();
    columns.sort_by_key(is_float);
    let order = |a: &Vec<Cell>, b: &Vec<Cell>| {
        let differing = columns.iter().map(|&at| a[at].order(&b[at]));
        differing
            .into_iter()
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    found.sort_by(order);
    expected.sort_by(order);
    for (found, expected) in found.iter().zip(&expected) {
        if let Some(at) = (0..found.len()).find(|&at| !found[at].equals(&expected[at], within(at))) {
            return Err(format!(
                "column {}: {:?} against {:?}",
                schema.field(at).name(),
                found[at],
                expected[at]
            ));
        }
    }
    Ok(())
}

/// Compares rows of which these columns are in the same order, each in its place, the first to sort by first. Behind a
/// column of sums that are nearly equal in two rows nothing is compared: which of the two comes first is chance. `within`
/// is that of [`compare_within`].
///
/// # Errors
/// The first difference in words, or the column that is missing.
pub fn compare_order(
    found: &[RecordBatch],
    expected: &[RecordBatch],
    columns: &[&str],
    within: &[f64],
) -> Result<(), String> {
    let Some(schema) = expected.first().map(RecordBatch::schema) else {
        return Ok(());
    };
    for name in columns {
        let at = schema.index_of(name).map_err(|error| error.to_string())?;
        let within = within.get(at).copied().unwrap_or_default();
        let of = |batches: &[RecordBatch]| -> Result<Vec<Vec<Cell>>, String> {
            let columns = batches.iter().map(|batch| batch.project(&[at]));
            let columns = columns.collect::<Result<Vec<_>, _>>();
            rows(&columns.map_err(|error| error.to_string())?)
        };
        let (found, expected) = (of(found)?, of(expected)?);
        let mut pairs = found.iter().zip(&expected).enumerate();
        if let Some((row, (found, expected))) =
            pairs.find(|(_, (found, expected))| !found[0].equals(&expected[0], within))
        {
            return Err(format!(
                "order: row {row} has {name} {:?} against {:?}",
                found[0], expected[0]
            ));
        }
        if are_near_ties(&found, within) || are_near_ties(&expected, within) {
            break;
        }
    }
    Ok(())
}

/// Whether two rows that follow each other have values in their first column that count as equal, and are not.
fn are_near_ties(rows: &[Vec<Cell>], within: f64) -> bool {
    let mut pairs = rows.windows(2);
    pairs.any(|pair| pair[0][0].equals(&pair[1][0], within) && pair[0][0].order(&pair[1][0]).is_ne())
}

fn rows(batches: &[RecordBatch]) -> Result<Vec<Vec<Cell>>, String> {
    let mut rows = Vec::new();
    let options = FormatOptions::default().with_null("NULL");
    for batch in batches {
        let start = rows.len();
        rows.resize_with(start + batch.num_rows(), Vec::new);
        for column in batch.columns() {
            let text = ArrayFormatter::try_new(column, &options).map_err(|error| error.to_string())?;
            for row in 0..batch.num_rows() {
                let cell = match column.data_type() {
                    _ if column.is_null(row) => Cell::Text("NULL".into()),
                    DataType::Float32 => Cell::Number(column.as_primitive::<Float32Type>().value(row).into()),
                    DataType::Float64 => Cell::Number(column.as_primitive::<Float64Type>().value(row)),
                    _ => Cell::Text(text.value(row).to_string()),
                };
                rows[start + row].push(cell);
            }
        }
    }
    Ok(rows)
}
