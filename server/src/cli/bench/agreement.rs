//! Another's answer beside ours. In: its cells and our batches. Out: whether they say the same. Types need not be the same:
//! what DuckDB computes as floating-point numbers, such as averages of decimals, is compared within a unit of our last
//! digit, everything else exactly.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::Value;

use crate::cli::local::Answer;

/// How a column is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// As values of this type.
    pub data_type: DataType,
    /// With this difference of floating-point numbers counting as none.
    pub within: f64,
}

/// Whether `ours` are the rows that DuckDB gave, in the same order as far as it is told by `sorted_by`.
///
/// # Errors
/// The first difference in words.
pub fn agree(ours: &Answer, theirs: &[Value], sorted_by: &[&str]) -> Result<(), String> {
    agree_on(ours, theirs, sorted_by, |field, cells| {
        let is_float = cells.iter().any(|cell| cell.is_number());
        match (field.data_type(), is_float) {
            (DataType::Decimal128(_, scale), true) => Terms {
                data_type: DataType::Float64,
                within: 0.1f64.powi(i32::from(*scale)),
            },
            (_, true) => Terms::exactly(DataType::Float64),
            (own, false) => Terms::exactly(own.clone()),
        }
    })
}

/// As [`agree`], on `terms` for each column of ours and the cells beside it.
///
/// # Errors
/// As [`agree`].
pub fn agree_on(
    ours: &Answer,
    theirs: &[Value],
    sorted_by: &[&str],
    terms: impl Fn(&Field, &[&Value]) -> Terms,
) -> Result<(), String> {
    let Some(schema) = ours.schema() else {
        return Err("no schema came".into());
    };
    let mut fields = Vec::with_capacity(schema.fields().len());
    let mut columns = Vec::with_capacity(schema.fields().len());
    let mut within = Vec::with_capacity(schema.fields().len());
    for (at, field) in schema.fields().iter().enumerate() {
        let cells: Vec<&Value> = theirs.iter().map(|row| &row[at]).collect();
        let terms = terms(field, &cells);
        let column = column(&cells, &terms.data_type);
        columns.push(column.map_err(|reason| format!("column {}: {reason}", field.name()))?);
        fields.push(Field::new(field.name(), terms.data_type, true));
        within.push(terms.within);
    }
    let expected =
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| error.to_string())?;
    ours.compare_cast(&expected, sorted_by, &within)
}

impl Terms {
    /// As values of this type; floating-point numbers may differ in their last digits.
    pub fn exactly(data_type: DataType) -> Self {
        Self {
            data_type,
            within: 0.0,
        }
    }
}

/// Cells as an array of `data_type`. Around what is no text, blanks are padding.
fn column(cells: &[&Value], data_type: &DataType) -> Result<ArrayRef, String> {
    let text = |cell: &&Value| match cell {
        Value::Null => None,
        Value::String(text) if data_type.is_string() => Some(text.clone()),
        Value::String(text) => Some(text.trim().to_owned()),
        number => Some(number.to_string()),
    };
    let texts: StringArray = cells.iter().map(text).collect();
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(&texts, data_type, &options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array, StringViewArray};
    use serde_json::json;

    use super::*;

    fn ours(counts: &[i64], averages: &[i128], names: &[&str]) -> Answer {
        let averages = Decimal128Array::from(averages.to_vec()).with_precision_and_scale(19, 6);
        let columns = [
            ("c", Arc::new(Int64Array::from(counts.to_vec())) as ArrayRef),
            ("a", Arc::new(averages.unwrap())),
            ("n", Arc::new(StringViewArray::from(names.to_vec()))),
        ];
        Answer::of(vec![RecordBatch::try_from_iter(columns).unwrap()])
    }

    #[test]
    fn averages_within_a_unit_and_the_rest_exactly() {
        let ours = ours(&[7, 1], &[25_522_005, 38], &["x", "y"]);
        let theirs = [json!(["1", 0.000_037_6, "y"]), json!(["7", 25.522_005_9, "x"])];
        assert_eq!(agree(&ours, &theirs, &[]), Ok(()));
        let order = agree(&ours, &theirs, &["c"]);
        assert!(order.unwrap_err().starts_with("order: row 0 has c"));
        let near = [json!(["7", 25.522_007, "x"]), json!(["1", 0.000_038, "y"])];
        assert!(agree(&ours, &near, &[]).unwrap_err().starts_with("column a"));
        let exact = [json!(["7", "25.522005", "x"]), json!(["1", "0.000039", "y"])];
        assert!(agree(&ours, &exact, &[]).unwrap_err().starts_with("column a"));
        let other = [json!(["8", 25.522_005, "x"]), json!(["1", 0.000_038, "y"])];
        assert!(agree(&ours, &other, &[]).is_err());
        assert!(agree(&ours, &theirs[..1], &[]).is_err());
        let unlike = [json!(["seven", 25.522_005, "x"]), json!([null, 0.000_038, null])];
        assert!(agree(&ours, &unlike, &[]).unwrap_err().contains("seven"));
    }
}
