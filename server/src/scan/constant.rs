//! Columns whose values are the names of folders: a value for each file.
//!
//! In: the values of the partition's files. Out: runs of equal values, as pages that the device decoder fills rows
//! from: a dictionary of one entry, and a run of its index.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use bytes::Bytes;
use datafusion::common::ScalarValue;
use kernels::parquet::Encoding;

use super::open::Group;
use super::pages::{Body, HostPage};
use super::spec::ScanSpec;
use crate::error::{Error, Result};

/// The values of a column of folders, in order of rows.
#[derive(Debug)]
pub(super) struct Runs {
    /// Of the table's type, a value for each run.
    pub(super) values: ArrayRef,
    /// First row and number of rows of each run.
    pub(super) rows: Vec<(usize, usize)>,
    /// A page for each run; `None` if its value is null, which is what rows without a page are.
    pub(super) pages: Vec<Option<HostPage>>,
}

impl Runs {
    /// Those of a column for a partition's row groups.
    pub(super) fn of(spec: &ScanSpec, groups: &[Group], column: usize) -> Result<Self> {
        let schema = spec.schema();
        let field = schema.field(column);
        let folder = spec.columns[column] - spec.file_columns;
        let mut found: Vec<ScalarValue> = Vec::new();
        let mut rows: Vec<(usize, usize)> = Vec::new();
        let mut next = 0;
        for group in groups {
            let value = group.partition_values.get(folder).ok_or_else(|| {
                Error::internal(format!(
                    "{}: no value of column {}",
                    group.file.name,
                    field.name()
                ))
            })?;
            match (found.last() == Some(value), rows.last_mut()) {
                (true, Some(last)) => last.1 += group.rows,
                _ => {
                    found.push(value.clone());
                    rows.push((next, group.rows));
                }
            }
            next += group.rows;
        }
        let wrong = |error: String| Error::data(format!("column {}: {error}", field.name()));
        let values = ScalarValue::iter_to_array(found).map_err(|error| wrong(error.to_string()))?;
        let values = cast(&values, field.data_type()).map_err(|error| wrong(error.to_string()))?;
        let pages = (0..rows.len())
            .map(|run| page(&values, run, rows[run].1))
            .collect();
        Ok(Self { values, rows, pages })
    }

    /// The entry of a run.
    pub(super) fn value(&self, run: usize) -> ArrayRef {
        self.values.slice(run, 1)
    }
}

fn page(values: &ArrayRef, run: usize, rows: usize) -> Option<HostPage> {
    if values.is_null(run) {
        return None;
    }
    let mut header = Vec::new();
    let mut left = (rows as u64) << 1;
    while left >= 0x80 {
        header.push(left as u8 | 0x80);
        left >>= 7;
    }
    header.push(left as u8);
    let boolean = values.as_boolean_opt();
    let (encoding, bytes) = match boolean {
        // A length, the run's header, and the bit.
        Some(values) => {
            header.push(u8::from(values.value(run)));
            let mut bytes = (header.len() as u32).to_le_bytes().to_vec();
            bytes.extend(header);
            (Encoding::RunLength, bytes)
        }
        // Indexes of no bits: all are 0.
        None => (Encoding::Dictionary, [vec![0], header].concat()),
    };
    Some(HostPage {
        number: run,
        body: Body::Host(Bytes::from(bytes)),
        rows: rows as u32,
        kept: Vec::new(),
        encoding,
        level_bytes: 0,
        max_level: 0,
    })
}
