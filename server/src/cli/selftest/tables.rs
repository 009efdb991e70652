//! The tables that the statements ask: all types with NULLs, plain columns of many groups, and no rows at all. In: a
//! number of rows. Out: Parquet files in a folder, always the same for the same number.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt8Array, UInt16Array,
    UInt32Array, UInt64Array,
};
use kernels::selftest::Random;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result};

const SEED: u64 = 20;
/// Row groups of a table, so that there is more than one partition to cut.
const ROW_GROUPS: usize = 3;
const PAGE_ROWS: usize = 700;
const CODES: [&str; 6] = ["alpha", "beta", "gamma", "delta", "", "épsilon"];
const PIECES: [&str; 9] = ["a", "b", "c", "ab", " ", "ß", "日本", "A", "zz"];

/// Writes `types`, `dense` and `nothing` into `folder`.
///
/// # Errors
/// `Data` if they cannot be written.
pub fn write(folder: &Path, rows: usize) -> Result<()> {
    let types = types(rows)?;
    let snappy = WriterProperties::builder().set_compression(Compression::SNAPPY);
    write_table(folder, "nothing", &types.slice(0, 0), WriterProperties::builder())?;
    write_table(folder, "types", &types, snappy)?;
    // Two columns are packed by codecs that not every device decompresses.
    let plain = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_compression("k".into(), Compression::ZSTD(ZstdLevel::default()))
        .set_column_compression("s".into(), Compression::GZIP(GzipLevel::default()));
    write_table(folder, "dense", &dense(rows)?, plain)
}

fn write_table(
    folder: &Path,
    name: &str,
    batch: &RecordBatch,
    properties: parquet::file::properties::WriterPropertiesBuilder,
) -> Result<()> {
    let path = folder.join(format!("{name}.parquet"));
    let failed = |error: &dyn std::fmt::Display| Error::data(format!("{}: {error}", path.display()));
    let properties = properties
        .set_max_row_group_row_count(Some(batch.num_rows().div_ceil(ROW_GROUPS).max(1)))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .build();
    let file = File::create(&path).map_err(|error| failed(&error))?;
    let mut writer =
        ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(|error| failed(&error))?;
    writer.write(batch).map_err(|error| failed(&error))?;
    writer.close().map_err(|error| failed(&error))?;
    Ok(())
}

/// Makes columns, NULL in a tenth of their rows.
struct Columns {
    random: Random,
    rows: usize,
    columns: Vec<(&'static str, ArrayRef)>,
}

impl Columns {
    fn new(rows: usize) -> Self {
        let id: Int64Array = (0..rows as i64).collect::<Vec<_>>().into();
        Self {
            random: Random::new(SEED),
            rows,
            columns: vec![("id", Arc::new(id))],
        }
    }

    /// A column of values by `make`, with NULLs.
    fn add<A: FromIterator<Option<V>> + arrow::array::Array + 'static, V>(
        &mut self,
        name: &'static str,
        mut make: impl FnMut(&mut Random) -> V,
    ) {
        let random = &mut self.random;
        let values = (0..self.rows).map(|_| (random.below(10) > 0).then(|| make(random)));
        self.columns.push((name, Arc::new(values.collect::<A>())));
    }

    fn batch(self) -> Result<RecordBatch> {
        RecordBatch::try_from_iter_with_nullable(
            self.columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .map_err(|error| Error::internal(format!("a table of the self-test: {error}")))
    }
}

/// From `-half` to `half`.
fn around_zero(random: &mut Random, half: i64) -> i64 {
    random.below(2 * half.unsigned_abs() + 1) as i64 - half
}

fn types(rows: usize) -> Result<RecordBatch> {
    let mut table = Columns::new(rows);
    table.add::<Int8Array, _>("i8", |random| around_zero(random, 100) as i8);
    table.add::<Int16Array, _>("i16", |random| around_zero(random, 1000) as i16);
    table.add::<Int32Array, _>("i32", |random| around_zero(random, 1_000_000) as i32);
    table.add::<Int64Array, _>("i64", |random| around_zero(random, 1 << 40));
    table.add::<Int64Array, _>("wide", |random| match random.below(8) {
        0 => i64::MIN,
        1 => i64::MAX,
        2 => 0,
        _ => random.bits() as i64,
    });
    table.add::<UInt8Array, _>("u8", |random| random.below(256) as u8);
    table.add::<UInt16Array, _>("u16", |random| random.below(1 << 16) as u16);
    table.add::<UInt32Array, _>("u32", |random| random.bits() as u32);
    table.add::<UInt64Array, _>("u64", |random| random.bits());
    // Few values, so that groups have several rows; sums are exact in any order.
    table.add::<Float32Array, _>("f32", |random| around_zero(random, 1000) as f32 / 4.0);
    table.add::<Float64Array, _>("f64", |random| random.below(1_000_000) as f64 / 64.0 + 0.125);
    table.add::<BooleanArray, _>("b", |random| random.below(2) == 1);
    for (name, half, factor, precision, scale) in [
        ("d9", 100_000_000, 1, 9, 2),
        ("d18", 2_000_000, 1, 18, 4),
        ("d38", 1 << 60, 1_000_003, 38, 6),
    ] {
        table.add::<Decimal128Array, _>(name, |random| i128::from(around_zero(random, half)) * factor);
        let decimal = table.columns.pop().and_then(|(_, column)| {
            let plain = column.as_any().downcast_ref::<Decimal128Array>()?.clone();
            plain.with_precision_and_scale(precision, scale).ok()
        });
        let decimal = decimal.ok_or_else(|| Error::internal(format!("column {name} of the self-test")))?;
        table.columns.push((name, Arc::new(decimal)));
    }
    table.add::<Date32Array, _>("day", |random| 8035 + random.below(2557) as i32);
    table.add::<TimestampMillisecondArray, _>("at_ms", |random| around_zero(random, 1 << 41));
    table.add::<TimestampMicrosecondArray, _>("at_us", |random| around_zero(random, 1 << 51));
    table.add::<TimestampNanosecondArray, _>("at_ns", |random| around_zero(random, 1 << 60));
    table.add::<Time64MicrosecondArray, _>("clock", |random| random.below(86_400_000_000) as i64);
    table.add::<StringArray, _>("code", |random| CODES[random.below(CODES.len() as u64) as usize]);
    table.add::<StringArray, _>("text", text);
    table.add::<BinaryArray, _>("bin", |random| {
        let length = random.below(9) as usize;
        random.bytes(length)
    });
    table.batch()
}

/// Up to seven pieces of one to three bytes, some of several bytes a character, some white.
fn text(random: &mut Random) -> String {
    let count = random.below(8);
    (0..count)
        .map(|_| PIECES[random.below(PIECES.len() as u64) as usize])
        .collect()
}

fn dense(rows: usize) -> Result<RecordBatch> {
    let mut random = Random::new(SEED + 1);
    let groups = (rows / 4).max(1) as u64;
    let id: Int64Array = (0..rows as i64).collect::<Vec<_>>().into();
    let k: Int32Array = (0..rows)
        .map(|_| random.below(groups) as i32)
        .collect::<Vec<_>>()
        .into();
    let v: Int64Array = (0..rows)
        .map(|_| around_zero(&mut random, 1 << 30))
        .collect::<Vec<_>>()
        .into();
    let f: Float64Array = (0..rows)
        .map(|_| random.below(1 << 20) as f64 / (1 << 20) as f64)
        .collect::<Vec<_>>()
        .into();
    let s: StringArray = (0..rows)
        .map(|_| Some(format!("s{}", random.below(40))))
        .collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("id", Arc::new(id)),
        ("k", Arc::new(k)),
        ("v", Arc::new(v)),
        ("f", Arc::new(f)),
        ("s", Arc::new(s)),
    ];
    RecordBatch::try_from_iter(columns)
        .map_err(|error| Error::internal(format!("a table of the self-test: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_written() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 1500).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        assert_eq!(types(100).unwrap(), types(100).unwrap());
    }
}
