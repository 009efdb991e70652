//! The tables of random statements: all of the same columns, one of each type, of 400 rows down to none. In: a seed.
//! Out: Parquet files with several row groups each, always the same for the same seed.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use kernels::selftest::Random;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result};

/// The tables' names and rows.
pub const TABLES: [(&str, usize); 6] = [
    ("t400", 400),
    ("t120", 120),
    ("t40", 40),
    ("t9", 9),
    ("t1", 1),
    ("t0", 0),
];

/// What a value is, as far as expressions tell types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Booleans.
    Bool,
    /// Integers of all widths, signed or not.
    Int,
    /// Floating-point numbers.
    Float,
    /// Decimals.
    Decimal,
    /// Dates.
    Date,
    /// Timestamps.
    Stamp,
    /// Strings.
    Text,
}

/// The columns of every table, and whether their values are so large that no arithmetic is made with them.
pub const COLUMNS: [(&str, Class, bool); 23] = [
    ("k", Class::Int, false),
    ("b", Class::Bool, false),
    ("i8", Class::Int, false),
    ("i16", Class::Int, false),
    ("i32", Class::Int, false),
    ("i64", Class::Int, false),
    ("u8", Class::Int, false),
    ("u16", Class::Int, false),
    ("u32", Class::Int, false),
    ("u64", Class::Int, false),
    ("w", Class::Int, true),
    ("f32", Class::Float, false),
    ("f64", Class::Float, false),
    ("x", Class::Float, true),
    ("d9", Class::Decimal, false),
    ("d18", Class::Decimal, false),
    ("d38", Class::Decimal, true),
    ("day", Class::Date, false),
    ("ms", Class::Stamp, false),
    ("us", Class::Stamp, false),
    ("ns", Class::Stamp, false),
    ("s", Class::Text, false),
    ("t", Class::Text, false),
];

/// Empty, short, longer than what fits beside a length, with shared beginnings, and of several bytes a character.
pub const WORDS: [&str; 12] = [
    "",
    "a",
    "ab",
    "twelve bytes",
    "twelve bytes and more",
    "twelve bytes and moss",
    "ä",
    "日本語",
    "A",
    " a ",
    "a%b_c",
    "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
];
const PIECES: [&str; 8] = ["a", "b", "ab", " ", "ß", "日", "B", "twelve bytes"];

const ROW_GROUPS: usize = 5;
const SECONDS_A_DAY: i64 = 86_400;
/// The day of the smallest dates and timestamps: 2000-01-01.
const FIRST_DAY: i32 = 10_957;

/// Writes the tables into `folder`.
///
/// # Errors
/// `Data` if they cannot be written.
pub fn write(folder: &Path, seed: u64) -> Result<()> {
    for (at, (name, rows)) in TABLES.into_iter().enumerate() {
        let mut random = Random::new(seed.wrapping_mul(31).wrapping_add(at as u64));
        let batch = table(&mut random, rows)?;
        let path = folder.join(format!("{name}.parquet"));
        let failed = |error: &dyn std::fmt::Display| Error::data(format!("{}: {error}", path.display()));
        let compression = [Compression::UNCOMPRESSED, Compression::SNAPPY][random.below(2) as usize];
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_dictionary_enabled(random.chance(60))
            .set_max_row_group_row_count(Some(rows.div_ceil(ROW_GROUPS).max(1)))
            .build();
        let file = File::create(&path).map_err(|error| failed(&error))?;
        let mut writer =
            ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(|error| failed(&error))?;
        writer.write(&batch).map_err(|error| failed(&error))?;
        writer.close().map_err(|error| failed(&error))?;
    }
    Ok(())
}

fn table(random: &mut Random, rows: usize) -> Result<RecordBatch> {
    let columns = COLUMNS.map(|(name, ..)| (name, column(random, name, rows), true));
    RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|error| Error::internal(format!("a table of the random statements: {error}")))
}

/// How the values of one column are spread.
struct Spread {
    nulls_percent: u64,
    /// Whether a third of all rows has one value.
    is_skewed: bool,
    /// Different values.
    count: u64,
}

fn column(random: &mut Random, name: &str, rows: usize) -> ArrayRef {
    let spread = Spread {
        nulls_percent: [0, 15, 70][random.below(3) as usize],
        is_skewed: random.chance(30),
        count: [8, 30, 100][random.below(3) as usize],
    };
    let numbers: Vec<Option<i64>> = match name {
        // A key: all different, and close together.
        "k" => (0..rows as i64).map(Some).collect(),
        _ => (0..rows).map(|_| spread.draw(random)).collect(),
    };
    let of = |value: &dyn Fn(i64) -> i64| -> Vec<Option<i64>> {
        numbers.iter().map(|number| number.map(value)).collect()
    };
    let around = of(&|n| n - 3);
    let seconds = of(&|n| (i64::from(FIRST_DAY) + n) * SECONDS_A_DAY + (n % 3) * 3_661);
    macro_rules! narrow {
        ($array:ty, $native:ty, $values:expr) => {
            Arc::new(
                $values
                    .iter()
                    .map(|value| value.map(|value| value as $native))
                    .collect::<$array>(),
            )
        };
    }
    let floats: Vec<Option<f64>> = numbers.iter().map(|number| number.map(float)).collect();
    match name {
        "b" => Arc::new(
            numbers
                .iter()
                .map(|number| number.map(|n| n % 3 == 1))
                .collect::<BooleanArray>(),
        ),
        "i8" => narrow!(Int8Array, i8, around),
        "i16" => narrow!(Int16Array, i16, around),
        "i32" => narrow!(Int32Array, i32, around),
        "u8" => narrow!(UInt8Array, u8, numbers),
        "u16" => narrow!(UInt16Array, u16, numbers),
        "u32" => narrow!(UInt32Array, u32, numbers),
        "u64" => narrow!(UInt64Array, u64, numbers),
        "w" => narrow!(Int64Array, i64, of(&wild)),
        "f32" => Arc::new(
            floats
                .iter()
                .map(|value| value.map(|value| value as f32))
                .collect::<Float32Array>(),
        ),
        "f64" => Arc::new(floats.into_iter().collect::<Float64Array>()),
        "x" => Arc::new(
            numbers
                .iter()
                .map(|number| number.map(extreme))
                .collect::<Float64Array>(),
        ),
        "d9" => decimals(&numbers, 9, 2, |n| (n - 3) * 25),
        "d18" => decimals(&numbers, 18, 4, |n| (n - 3) * 2_500),
        "d38" => decimals(&numbers, 38, 6, |n| {
            (n - 3) * 250_000 + (n / 20) * 1_000_000_000_000_000_000_000_000_000_000
        }),
        "day" => narrow!(Date32Array, i32, of(&|n| i64::from(FIRST_DAY) + n)),
        "ms" => narrow!(
            TimestampMillisecondArray,
            i64,
            seconds.iter().map(|v| v.map(|v| v * 1_000)).collect::<Vec<_>>()
        ),
        "us" => narrow!(
            TimestampMicrosecondArray,
            i64,
            seconds
                .iter()
                .map(|v| v.map(|v| v * 1_000_000))
                .collect::<Vec<_>>()
        ),
        "ns" => narrow!(
            TimestampNanosecondArray,
            i64,
            seconds
                .iter()
                .map(|v| v.map(|v| v * 1_000_000_000))
                .collect::<Vec<_>>()
        ),
        "s" => Arc::new(
            numbers
                .iter()
                .map(|n| n.map(|n| WORDS[n as usize % WORDS.len()]))
                .collect::<StringArray>(),
        ),
        "t" => Arc::new(
            numbers
                .iter()
                .map(|n| n.map(|_| text(random)))
                .collect::<StringArray>(),
        ),
        _ => narrow!(Int64Array, i64, around),
    }
}

impl Spread {
    fn draw(&self, random: &mut Random) -> Option<i64> {
        if random.chance(self.nulls_percent) {
            return None;
        }
        Some(match self.is_skewed && random.chance(33) {
            true => 2,
            false => random.below(self.count) as i64,
        })
    }
}

/// Quarters, so that sums are the same in any order, and what is special.
fn float(number: i64) -> f64 {
    match number {
        3 => 0.0,
        4 => -0.0,
        7 => f64::NAN,
        11 => f64::INFINITY,
        12 => f64::NEG_INFINITY,
        _ => (number - 3) as f64 / 4.0,
    }
}

fn wild(number: i64) -> i64 {
    match number % 5 {
        0 => i64::MIN + number,
        1 => i64::MAX - number,
        2 => number << 33,
        _ => number,
    }
}

fn extreme(number: i64) -> f64 {
    match number % 8 {
        0 => f64::MAX,
        1 => f64::MIN_POSITIVE / 8.0,
        2 => -1e300,
        3 => f64::NAN,
        4 => -0.0,
        5 => 0.1 + number as f64,
        _ => 9_007_199_254_740_993.0 * number as f64,
    }
}

fn decimals(numbers: &[Option<i64>], precision: u8, scale: i8, value: impl Fn(i128) -> i128) -> ArrayRef {
    let values = numbers.iter().map(|number| number.map(|n| value(n.into())));
    let values = values.collect::<Decimal128Array>();
    let data_type = arrow::datatypes::DataType::Decimal128(precision, scale);
    Arc::new(values.with_data_type(data_type))
}

fn text(random: &mut Random) -> String {
    let count = random.below(5);
    (0..count)
        .map(|_| PIECES[random.below(PIECES.len() as u64) as usize])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_tables() {
        let of = |seed| table(&mut Random::new(seed), 50).unwrap();
        // NaN is not equal to itself: compared as text.
        assert_eq!(format!("{:?}", of(1)), format!("{:?}", of(1)));
        assert_ne!(format!("{:?}", of(1)), format!("{:?}", of(2)));
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 1).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), TABLES.len());
    }
}
