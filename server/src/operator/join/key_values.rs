//! The values of a table's key, as ranges that hold them all: what a scan is narrowed by.
//!
//! In: a column of keys on the device. Out: ranges on the host. Few keys are looked at one by one; of many only the
//! smallest and the largest, where a kernel finds them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt64Array};
use arrow::compute::{SortOptions, cast, concat, filter, partition, sort};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;

use super::super::{Failure, Gpu, KernelTimes, Result};
use super::key_range::{KeyRange, key_range_sync};
use crate::batch::download::download_sync;
use crate::batch::{DeviceBatch, Repr, Space};
use crate::error::Error;
use crate::pipeline::expr::{Expr, Node};
use crate::pipeline::kernels::may_be_dense;
use crate::scan::numbers;

/// Ascending ranges, both ends inside, that hold all keys but nulls; none if there is no key.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyValues(pub Vec<(ScalarValue, ScalarValue)>);

/// The most ranges.
pub(super) const RANGES_MAX: usize = 128;
/// Rows up to which all keys are copied to the host.
pub(super) const ROWS_MAX: usize = 64 << 10;

impl KeyValues {
    /// Those of keys on the host, in any order.
    pub(super) fn of(parts: &[ArrayRef]) -> Result<Self> {
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let failed = |error: arrow::error::ArrowError| {
            Failure::from(Error::internal(format!("the keys of a join: {error}")))
        };
        let sorted = concat(&parts)
            .and_then(|keys| {
                let is_there: BooleanArray = (0..keys.len()).map(|row| Some(keys.is_valid(row))).collect();
                filter(&keys, &is_there)
            })
            .and_then(|keys| sort(&keys, Some(SortOptions::default())))
            .map_err(failed)?;
        if sorted.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let equal = partition(&[Arc::clone(&sorted)]).map_err(failed)?.ranges();
        let firsts: Vec<usize> = equal.iter().map(|range| range.start).collect();
        let value = |row: usize| ScalarValue::try_from_array(&sorted, row).map_err(Failure::from);
        let mut ranges = Vec::new();
        let mut start = 0;
        for end in ends(&sorted, &firsts) {
            ranges.push((value(firsts[start])?, value(firsts[end - 1])?));
            start = end;
        }
        Ok(Self(ranges))
    }

    /// One range, from words as they stand in columns of `data_type`; `None` for a type that has no such words.
    pub(super) fn of_words(least: u64, most: u64, data_type: &DataType) -> Option<Self> {
        Some(Self(vec![(scalar(least, data_type)?, scalar(most, data_type)?)]))
    }
}

/// Those of a key of `batches`, one of their columns: all of them if there are `rows_max` rows at most, else the smallest and
/// the largest where that can be found. Waits for them.
pub(super) fn key_values_sync(
    gpu: &Gpu,
    times: &KernelTimes,
    batches: &[&DeviceBatch],
    key: &Expr,
    rows_max: usize,
    space: &Space,
) -> Result<Option<KeyValues>> {
    let Node::Column(place, _) = key.node else {
        return Ok(None);
    };
    if batches.iter().map(|batch| batch.rows).sum::<usize>() <= rows_max {
        let schema = Arc::new(Schema::new(vec![Field::new("key", key.data_type.clone(), true)]));
        let mut keys: Vec<ArrayRef> = Vec::new();
        for batch in batches {
            let alone = DeviceBatch {
                rows: batch.rows,
                columns: vec![batch.columns[place].clone()],
            };
            let parts = download_sync(&alone, &schema, &gpu.strings, space)?;
            keys.extend(parts.iter().map(|part| Arc::clone(part.column(0))));
        }
        return KeyValues::of(&keys).map(Some);
    }
    if !Repr::of(&key.data_type).is_some_and(may_be_dense) {
        return Ok(None);
    }
    Ok(match key_range_sync(gpu, times, batches, key, space)? {
        KeyRange { count: 0, .. } => Some(KeyValues(Vec::new())),
        range => KeyValues::of_words(range.value(range.least), range.value(range.most), &key.data_type),
    })
}

/// After which of the different keys each range ends: all are ranges of their own if they are few, else the widest gaps
/// stay open.
fn ends(sorted: &ArrayRef, firsts: &[usize]) -> Vec<usize> {
    if firsts.len() <= RANGES_MAX {
        return (1..=firsts.len()).collect();
    }
    let Some(numbers) = numbers(sorted) else {
        return vec![firsts.len()];
    };
    let number = |place: usize| numbers[firsts[place]];
    let mut gaps: Vec<usize> = (1..firsts.len()).collect();
    gaps.sort_by_key(|&place| std::cmp::Reverse(number(place).saturating_sub(number(place - 1))));
    gaps.truncate(RANGES_MAX - 1);
    gaps.push(firsts.len());
    gaps.sort_unstable();
    gaps
}

fn scalar(word: u64, data_type: &DataType) -> Option<ScalarValue> {
    if let DataType::Decimal128(precision, scale) = *data_type {
        return Some(ScalarValue::Decimal128(
            Some(i128::from(word.cast_signed())),
            precision,
            scale,
        ));
    }
    let wide: ArrayRef = match data_type.is_unsigned_integer() {
        true => Arc::new(UInt64Array::from(vec![word])),
        false => Arc::new(Int64Array::from(vec![word.cast_signed()])),
    };
    let narrow = cast(&wide, data_type).ok().filter(|narrow| narrow.is_valid(0))?;
    ScalarValue::try_from_array(&narrow, 0).ok()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, StringArray};

    use super::*;

    fn bounds(keys: ArrayRef) -> Vec<(String, String)> {
        let values = KeyValues::of(&[keys]).unwrap();
        let text = |(least, most): &(ScalarValue, ScalarValue)| (least.to_string(), most.to_string());
        values.0.iter().map(text).collect()
    }

    #[test]
    fn few_keys_are_ranges_of_their_own() {
        let keys = Int64Array::from(vec![Some(7), None, Some(-3), Some(7)]);
        let range = |key: &str| (key.to_owned(), key.to_owned());
        assert_eq!(bounds(Arc::new(keys)), [range("-3"), range("7")]);
        assert_eq!(bounds(Arc::new(Int64Array::from(vec![None, None]))), []);
    }

    #[test]
    fn many_keys_leave_the_widest_gaps_open() {
        let keys: Vec<i32> = (0..1000).chain(5000..6000).chain(100_000..100_300).collect();
        let ranges = bounds(Arc::new(Date32Array::from(keys)));
        assert_eq!(ranges.len(), RANGES_MAX);
        let text: StringArray = (0..1000).map(|row| Some(format!("{row:04}"))).collect();
        assert_eq!(bounds(Arc::new(text)), [("0000".to_owned(), "0999".to_owned())]);
        let keys: Vec<i64> = (0..64)
            .flat_map(|block| (0..100).map(move |row| block * 1000 + row))
            .collect();
        let values = KeyValues::of(&[Arc::new(Int64Array::from(keys.clone())) as ArrayRef]).unwrap();
        let holds = |key: i64| {
            let key = ScalarValue::Int64(Some(key));
            values.0.iter().any(|(least, most)| *least <= key && key <= *most)
        };
        assert!(keys.iter().all(|&key| holds(key)));
        assert!(
            (0..63).all(|block| !holds(block * 1000 + 500)),
            "gaps between blocks are left out"
        );
    }

    #[test]
    fn words_become_values_of_the_type() {
        for data_type in [
            DataType::Int16,
            DataType::UInt64,
            DataType::Date32,
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("+00:00".into())),
            DataType::Decimal128(9, 2),
        ] {
            let values = KeyValues::of_words(5, 9, &data_type).unwrap();
            assert_eq!(values.0[0].0.data_type(), data_type);
            assert!(values.0[0].0 < values.0[0].1);
        }
        assert_eq!(
            KeyValues::of_words(125, 125, &DataType::Decimal128(9, 2))
                .unwrap()
                .0[0]
                .0,
            ScalarValue::Decimal128(Some(125), 9, 2)
        );
    }
}
