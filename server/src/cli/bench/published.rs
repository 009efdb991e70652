//! Answers that TPC-H publishes, beside ours. In: the files of its kit (`dbgen/answers`, for scale 1). Out: whether ours say
//! the same. A file has a line of names, then a line a row, its cells padded with blanks and parted by bars.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::datatypes::{DataType, Field};
use serde_json::Value;

use super::agreement::{Terms, agree_on};
use crate::cli::local::Answer;
use crate::error::{Error, Result};
use crate::tpch::Query;

/// The query whose answer is an average of which the published one differs in the eighth digit.
const AVERAGE: usize = 17;
/// How far that one may be off, as a share of it: far less than the hundredth that TPC-H allows (3.0.1, clause 2.1.3.5).
const OF_AVERAGE: f64 = 1e-6;

/// What floating-point numbers add to half a unit of the last digit, as a share of it: an exact half was rounded either
/// way.
const OF_HALF: f64 = 1e-3;

/// The rows of some queries, as text.
#[derive(Debug)]
pub struct Published {
    rows: BTreeMap<usize, Vec<Value>>,
}

impl Published {
    /// Reads the answers to `queries` from `folder`: `q1.out` and so on.
    ///
    /// # Errors
    /// `Data` with the name of a file that cannot be read, and the line that has too few or too many cells.
    pub fn read(folder: &Path, queries: &[Query]) -> Result<Self> {
        let read = |query: &Query| {
            let path = folder.join(format!("q{}.out", query.number()));
            let named =
                |reason: String| Error::data(format!("published answer {}: {reason}", path.display()));
            let text = std::fs::read_to_string(&path).map_err(|error| named(error.to_string()))?;
            Ok((query.number(), rows(&text).map_err(named)?))
        };
        Ok(Self {
            rows: queries.iter().map(read).collect::<Result<_>>()?,
        })
    }

    /// Whether `ours` is the answer to `query`, in its order. Numbers are compared as far as their published digits go,
    /// and blanks at the end of text count as padding.
    ///
    /// # Errors
    /// The first difference in words.
    pub fn agree(&self, query: Query, ours: &Answer) -> Result<(), String> {
        let rows = self.rows.get(&query.number()).map_or(&[][..], Vec::as_slice);
        let columns = ours.columns().len();
        let published = rows.first().and_then(Value::as_array).map_or(columns, Vec::len);
        if columns != published {
            return Err(format!("{columns} columns against {published}"));
        }
        let terms = |field: &Field, cells: &[&Value]| terms(query, field, cells);
        agree_on(&ours.without_trailing_blanks()?, rows, &query.sort_keys(), terms)
    }
}

/// The rows behind the line of names; a number stands to the right in its cell, text to the left.
fn rows(text: &str) -> Result<Vec<Value>, String> {
    let mut lines = text.lines();
    let names = lines
        .next()
        .ok_or("found an empty file, expected a line of names")?;
    let width = names.split('|').count();
    let row = |(at, line): (usize, &str)| {
        let cells: Vec<&str> = line.split('|').map(str::trim_end).collect();
        match cells.len() == width {
            true => Ok(Value::from(cells)),
            false => Err(format!(
                "found {} cells in line {}, expected {width}",
                cells.len(),
                at + 2
            )),
        }
    };
    lines.enumerate().map(row).collect()
}

/// How a column is compared with cells that have so many digits.
fn terms(query: Query, field: &Field, cells: &[&Value]) -> Terms {
    let texts = || cells.iter().filter_map(|cell| cell.as_str());
    let fractions = texts().filter_map(|text| text.split_once('.'));
    let digits = fractions.map(|(_, fraction)| fraction.len()).max().unwrap_or(0);
    let is_rounded = match field.data_type() {
        DataType::Decimal128(_, scale) => digits < usize::try_from(*scale).unwrap_or(0),
        own => own.is_floating(),
    };
    if !is_rounded {
        return Terms::exactly(field.data_type().clone());
    }
    let numbers = texts().filter_map(|text| text.trim().parse::<f64>().ok());
    let least = numbers.fold(f64::INFINITY, |least, number| least.min(number.abs()));
    let half_a_unit = 0.5 * 0.1f64.powf(digits as f64);
    Terms {
        data_type: DataType::Float64,
        within: match query.number() {
            AVERAGE => OF_AVERAGE * least,
            _ => half_a_unit * (1.0 + OF_HALF),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringViewArray};

    use super::*;

    /// What Q18 or Q17 gives, as far as its columns' names go.
    fn ours(names: &[&str], keys: &[i64], prices: &[i128]) -> Answer {
        let prices = Decimal128Array::from(prices.to_vec()).with_precision_and_scale(20, 4);
        let columns = [
            (
                "c_name",
                Arc::new(StringViewArray::from(names.to_vec())) as ArrayRef,
            ),
            ("o_orderdate", Arc::new(Int64Array::from(keys.to_vec()))),
            ("o_totalprice", Arc::new(prices.unwrap())),
        ];
        Answer::of(vec![RecordBatch::try_from_iter(columns).unwrap()])
    }

    fn agree(number: usize, text: &str, ours: &Answer) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let query = Query::new(number).unwrap();
        std::fs::write(folder.path().join(format!("q{number}.out")), text).unwrap();
        let published = Published::read(folder.path(), &[query]).map_err(|error| error.to_string())?;
        published.agree(query, ours)
    }

    #[test]
    fn rounded_to_what_is_published_and_without_padding() {
        let text = "c_name  |o_orderdate |o_totalprice\n\
                    one     |           7|3.35        \n two   |           9|2.00\n";
        let ours = ours(&["one", " two "], &[7, 9], &[33_450, 19_999]);
        assert_eq!(agree(18, text, &ours), Ok(()));
        assert_eq!(
            agree(18, &text.replace("3.35 ", "3.34 "), &ours),
            Ok(()),
            "an exact half"
        );
        for (from, to, found) in [
            ("3.35", "3.33", "column o_totalprice"),
            ("2.00", "2.01", "column o_totalprice"),
            ("2.00", "1.9998", "column o_totalprice"),
            (" two", "two ", "column c_name"),
            ("   7", "  70", "column o_orderdate"),
            ("one ", "1   ", "column c_name"),
            ("   9|", "nine|", "nine"),
            ("|2.00", "", "found 2 cells in line 3, expected 3"),
            ("\n two   |           9|2.00", "", "2 rows against 1"),
            (
                "one     |           7|3.35        \n two   |           9|2.00\n",
                "",
                "2 rows against 0",
            ),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            let difference = agree(18, &changed, &ours).unwrap_err();
            assert!(difference.contains(found), "{to}: {difference}");
        }
        let narrower = text.replace('|', " ");
        assert_eq!(agree(18, &narrower, &ours), Err("3 columns against 1".into()));
        assert!(
            agree(18, "", &ours)
                .unwrap_err()
                .contains("q18.out: found an empty file")
        );
    }

    #[test]
    fn rows_in_their_order() {
        let text = "c_name|o_orderdate|o_totalprice\none|7|3.00\ntwo|9|2.00\n";
        let swapped = ours(&["two", "one"], &[9, 7], &[20_000, 30_000]);
        assert!(
            agree(18, text, &swapped)
                .unwrap_err()
                .starts_with("order: row 0 has o_totalprice")
        );
    }

    #[test]
    fn the_average_of_an_average_nearly() {
        let text = "a|b|c\none|7|348406.02\n";
        assert_eq!(agree(17, text, &ours(&["one"], &[7], &[3_484_060_543])), Ok(()));
        assert!(agree(17, text, &ours(&["one"], &[7], &[3_484_070_543])).is_err());
        assert!(agree(18, text, &ours(&["one"], &[7], &[3_484_060_543])).is_err());
    }

    #[test]
    fn a_missing_file_is_named() {
        let query = Query::new(3).unwrap();
        let error = Published::read(Path::new("/no/folder"), &[query]).unwrap_err();
        assert!(
            error
                .message()
                .starts_with("published answer /no/folder/q3.out: "),
            "{error}"
        );
    }
}
