//! A scan narrowed while its query runs, by the keys of joins that its rows will meet.
//!
//! In: ranges of values of a column. Out: the scan with fewer row groups and pages, and before that, whether there is
//! hope of it. It knows no joins.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, concat, rank};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::conjunction;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_plan::PhysicalExpr;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::errors::ParquetError;

use super::open::{Group, Part};
use super::{Pruned, Scan, open, pages_left_out, partition, prune};

/// So many row groups say how a column lies without their pages.
const GROUPS_ENOUGH: usize = 64;

/// Ranges of values of one of the scan's columns, both ends inside: rows without such a value are not wanted.
#[derive(Debug, Clone)]
pub struct Narrowing {
    /// Which of the columns that the scan reads.
    pub column: usize,
    /// In any order; none if no row is wanted.
    pub ranges: Vec<(ScalarValue, ScalarValue)>,
}

impl Scan {
    /// Whether a few values of the column lie in few of the row groups, or pages where their index is known: whether each of
    /// these overlaps at most half of them all.
    pub fn is_clustered(&self, column: usize) -> bool {
        if self.spec.columns[column] >= self.spec.file_columns {
            let values = |group: &Group| Arc::clone(&group.partition_values);
            let first = self.groups.first().map(values);
            return self.groups.iter().any(|group| Some(values(group)) != first);
        }
        let bounds = self.bounds(self.spec.column_name(column));
        bounds.is_ok_and(|(least, most)| is_clustered(&least, &most).unwrap_or(false))
    }

    /// The least and the greatest number that a column of numbers, days, times or decimals of 64 bits may hold; `None` if that is
    /// not known, or it is none.
    pub fn numbers(&self, column: usize) -> Option<(i128, i128)> {
        if self.spec.columns[column] >= self.spec.file_columns {
            return None;
        }
        let (least, most) = self.bounds(self.spec.column_name(column)).ok()?;
        let (least, most) = (numbers(&least)?, numbers(&most)?);
        Some((*least.iter().min()?, *most.iter().max()?))
    }

    /// The least and the greatest values of a column of files in all row groups or pages.
    fn bounds(&self, name: &str) -> Result<(ArrayRef, ArrayRef), ParquetError> {
        let (mut least, mut most): (Vec<ArrayRef>, Vec<ArrayRef>) = Default::default();
        for groups in self
            .groups
            .chunk_by(|one, next| Arc::ptr_eq(&one.file, &next.file))
        {
            let file = &groups[0].file;
            let metadata = &file.metadata;
            let descr = metadata.file_metadata().schema_descr();
            let column = StatisticsConverter::try_new(name, &file.schema, descr)?;
            let indexes = groups.iter().map(|group| &group.index);
            let (low, high) = match (metadata.column_index(), metadata.offset_index()) {
                (Some(values), Some(pages)) if self.groups.len() < GROUPS_ENOUGH => (
                    column.data_page_mins(values, pages, indexes.clone())?,
                    column.data_page_maxes(values, pages, indexes)?,
                ),
                _ => {
                    let groups = indexes.map(|&index| metadata.row_group(index));
                    (
                        column.row_group_mins(groups.clone())?,
                        column.row_group_maxes(groups)?,
                    )
                }
            };
            least.push(low);
            most.push(high);
        }
        let all = |parts: &[ArrayRef]| concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>());
        Ok((all(&least)?, all(&most)?))
    }

    /// The scan without what cannot hold a row that all narrowings want, from partition `from` on; `None` if that
    /// leaves nothing out. Waits for bloom filters where there are some.
    ///
    /// # Errors
    /// `Data` for a file that cannot be read.
    pub fn narrowed_sync(&self, from: usize, by: &[Narrowing]) -> Result<Option<Scan>, DataFusionError> {
        let Some(first) = self.partitions.get(from).map(|partition| partition.groups.start) else {
            return Ok(None);
        };
        let (kept, rest) = self.groups.split_at(first);
        let mut parts = parts(rest);
        match by.iter().any(|narrowing| narrowing.ranges.is_empty()) {
            true => parts.clear(),
            false => {
                let predicate = conjunction(by.iter().map(|narrowing| self.predicate(narrowing)));
                let pruned = prune::prune(&self.spec, &predicate, &mut parts, &self.store);
                self.runtime.block_on(pruned)?;
            }
        }
        let narrowed = open::groups(parts)?;
        let row_groups = rest.len() - narrowed.len();
        let rows = |groups: &[Group]| groups.iter().map(|group| group.rows).sum::<usize>();
        if row_groups == 0 && rows(&narrowed) >= rows(rest) {
            return Ok(None);
        }
        let mut partitions = self.partitions[..from].to_vec();
        let groups = [kept, &narrowed].concat();
        partition::cut(
            &self.spec,
            &groups,
            self.target_partition_bytes,
            self.unpacker,
            &mut partitions,
        )?;
        let pages = pages_left_out(&partitions).saturating_sub(self.pages_pruned());
        Ok(Some(Scan {
            groups,
            partitions,
            pruned: Pruned {
                row_groups: self.pruned.row_groups + row_groups,
                row_groups_by_joins: self.pruned.row_groups_by_joins + row_groups,
                pages_by_joins: self.pruned.pages_by_joins + pages,
            },
            ..self.like()
        }))
    }

    /// What a narrowing says, over the table's columns.
    fn predicate(&self, narrowing: &Narrowing) -> Arc<dyn PhysicalExpr> {
        let column = self.spec.columns[narrowing.column];
        let name = self.spec.column_name(narrowing.column);
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, column));
        let compared = |operator: Operator, value: &ScalarValue| {
            let value = Arc::new(Literal::new(value.clone()));
            both(operator, Arc::clone(&column), value)
        };
        let ranges = narrowing.ranges.iter().map(|(least, most)| match least == most {
            true => compared(Operator::Eq, least),
            false => both(
                Operator::And,
                compared(Operator::GtEq, least),
                compared(Operator::LtEq, most),
            ),
        });
        any_of(ranges.collect())
    }
}

fn both(
    operator: Operator,
    left: Arc<dyn PhysicalExpr>,
    right: Arc<dyn PhysicalExpr>,
) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(left, operator, right))
}

/// A balanced tree, so that no walk of it goes deep.
fn any_of(mut of: Vec<Arc<dyn PhysicalExpr>>) -> Arc<dyn PhysicalExpr> {
    while of.len() > 1 {
        let pairs = of.chunks(2).map(|pair| match pair {
            [left, right] => both(Operator::Or, Arc::clone(left), Arc::clone(right)),
            _ => Arc::clone(&pair[0]),
        });
        of = pairs.collect();
    }
    of.pop()
        .unwrap_or_else(|| Arc::new(Literal::new(ScalarValue::Boolean(Some(false)))))
}

/// Row groups as parts of files, in their order.
fn parts(groups: &[Group]) -> Vec<Part> {
    let is_alike = |one: &Group, next: &Group| {
        Arc::ptr_eq(&one.file, &next.file)
            && Arc::ptr_eq(&one.partition_values, &next.partition_values)
            // A file that stands in the scan twice has its row groups once in each part.
            && one.index < next.index
    };
    let part = |groups: &[Group]| Part {
        partition_values: Arc::clone(&groups[0].partition_values),
        file: Arc::clone(&groups[0].file),
        kept: groups.iter().map(|group| group.index).collect(),
        rows: groups
            .iter()
            .filter_map(|group| Some((group.index, group.kept.clone()?)))
            .collect::<BTreeMap<_, _>>(),
    };
    groups.chunk_by(is_alike).map(part).collect()
}

/// Whether each of the ranges from `least` to `most` overlaps at most half of them on average; `None` where that cannot be
/// said. One of which nothing is known overlaps all.
fn is_clustered(least: &ArrayRef, most: &ArrayRef) -> Option<bool> {
    let count = least.len();
    // Ends of one order, whatever their type.
    let mut ends = concat(&[least, most]).ok()?;
    if ends.data_type() == &DataType::Utf8View {
        ends = cast(&ends, &DataType::Utf8).ok()?;
    }
    let ends = rank(&ends, None).ok()?;
    let (low, high) = ends.split_at(count);
    let known = |row: &usize| least.is_valid(*row) && most.is_valid(*row);
    let sorted = |ends: &[u32]| -> Vec<u32> {
        let mut ends: Vec<u32> = (0..count).filter(known).map(|row| ends[row]).collect();
        ends.sort_unstable();
        ends
    };
    let (lows, highs) = (sorted(low), sorted(high));
    let unknown = count - lows.len();
    let overlaps = |row: usize| {
        let begun = lows.partition_point(|&end| end <= high[row]);
        begun - highs.partition_point(|&end| end < low[row]) + unknown
    };
    let all: usize = (0..count).filter(known).map(overlaps).sum::<usize>() + unknown * count;
    Some(count > 1 && all * 2 <= count * count)
}

/// Values as numbers whose differences say how far they lie apart; `None` if some are null, or of a type that has no such
/// numbers.
pub fn numbers(values: &ArrayRef) -> Option<Vec<i128>> {
    if values.null_count() > 0 {
        return None;
    }
    if let DataType::Decimal128(..) = values.data_type() {
        return Some(values.as_primitive::<Decimal128Type>().values().to_vec());
    }
    let is_number = values.data_type().is_integer() || values.data_type().is_temporal();
    let wide = is_number.then(|| cast(values, &DataType::Int64).ok()).flatten()?;
    let wide = wide
        .as_primitive_opt::<Int64Type>()
        .filter(|wide| wide.null_count() == 0)?;
    Some(wide.values().iter().map(|&value| i128::from(value)).collect())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringArray};

    use super::*;

    fn of(ranges: &[(i32, i32)]) -> bool {
        let low: ArrayRef = Arc::new(ranges.iter().map(|range| Some(range.0)).collect::<Int32Array>());
        let high: ArrayRef = Arc::new(ranges.iter().map(|range| Some(range.1)).collect::<Int32Array>());
        is_clustered(&low, &high).unwrap()
    }

    #[test]
    fn ranges_side_by_side_are_clustered() {
        assert!(of(&[(0, 9), (10, 19), (20, 29)]));
        assert!(of(&[(20, 29), (0, 11), (10, 19), (30, 40)]));
        assert!(!of(&[(0, 100), (1, 99), (2, 98)]));
        assert!(!of(&[(0, 9)]), "one range");
        let text = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
        let (low, high) = (
            text(vec![Some("a"), Some("c"), None]),
            text(vec![Some("b"), Some("d"), None]),
        );
        assert_eq!(is_clustered(&low, &high), Some(false), "nothing is known of one");
    }
}
