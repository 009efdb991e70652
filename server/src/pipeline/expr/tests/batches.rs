//! Random batches with two columns of every type, full of extremes.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Field, Schema};

/// Which rows are null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    None,
    Some,
    All,
}

/// xorshift64*.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }

    /// Small numbers mostly, extremes and anything else sometimes.
    fn integer(&mut self, least: i128, most: i128) -> i128 {
        match self.below(8) {
            0 => self.pick(&[least, most, least + 1, most - 1, 0]),
            1 => {
                let random = u128::from(self.next()) << 64 | u128::from(self.next());
                let width = most.abs_diff(least).saturating_add(1);
                least.wrapping_add((random % width) as i128)
            }
            _ => (self.below(200) as i128 - 100).clamp(least, most),
        }
    }

    fn decimal(&mut self, digits: u32) -> i128 {
        let most = 10i128.pow(digits) - 1;
        if self.below(3) == 0 {
            // As many digits as there are, evenly.
            let size = 10i128.pow(self.below(u64::from(digits) + 1) as u32);
            return self.integer(-most, most) % size.max(2);
        }
        self.integer(-most, most)
    }

    fn float(&mut self) -> f64 {
        match self.below(6) {
            0 => self.pick(&[
                f64::NAN,
                -f64::NAN,
                f64::from_bits(0x7ff8_0000_0000_0001),
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                0.0,
                f64::MIN,
                f64::MAX,
                f64::MIN_POSITIVE,
                2_147_483_647.5,
                -2_147_483_648.9,
                9_223_372_036_854_775_808.0,
                0.5,
                -0.5,
                1.5,
                2.5,
            ]),
            1 => f64::from_bits(self.next()),
            2 => self.integer(-1000, 1000) as f64,
            _ => self.integer(-100_000, 100_000) as f64 / 128.0,
        }
    }

    fn text(&mut self) -> String {
        const WORDS: [&str; 24] = [
            "",
            "a",
            "b",
            "ab",
            "special",
            "requests",
            "Hello World",
            "ÄÖÜß",
            "日本語",
            "a_b",
            "100%",
            "\\",
            " x ",
            "  ",
            "K",
            "kK",
            "MAIL",
            "SHIP",
            "forest green",
            "µ",
            "abcabcabcabcabcabcabc",
            "0",
            "-12",
            "é",
        ];
        let words = self.below(4);
        (0..words).map(|_| self.pick(&WORDS)).collect()
    }

    /// Days, mostly of this age.
    fn day(&mut self) -> i32 {
        match self.below(10) {
            0 => self.pick(&[
                i32::MIN,
                i32::MAX,
                -96_465_292,
                95_026_236,
                95_026_237,
                -1,
                0,
                59,
                11_016,
            ]),
            1 => self.integer(-1_000_000, 1_000_000) as i32,
            _ => self.below(30_000) as i32 - 5_000,
        }
    }

    fn moment(&mut self, units: i64) -> i64 {
        match self.below(10) {
            0 => self.pick(&[i64::MIN, i64::MAX, -1, 0, 1, i64::MIN + 1]),
            1 => self.next() as i64,
            _ => (self.below(4_000_000_000) as i64 - 1_000_000_000) * units + (self.next() as i64) % units,
        }
    }
}

/// `rows` rows of two columns of every type: `a_...` and `b_...`.
pub(super) fn batch(seed: u64, rows: usize, nulls: Nulls) -> RecordBatch {
    let mut random = Random::new(seed);
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for side in ["a", "b"] {
        macro_rules! column {
            ($name:literal, $array:ty, $random:expr) => {
                column!($name, $array, $random, |array: $array| array)
            };
            ($name:literal, $array:ty, $random:expr, $finish:expr) => {{
                let values: Vec<Option<_>> = (0..rows)
                    .map(|_| {
                        #[allow(clippy::redundant_closure_call)]
                        let value = $random(&mut random);
                        let null = match nulls {
                            Nulls::None => false,
                            Nulls::Some => random.below(5) == 0,
                            Nulls::All => true,
                        };
                        (!null).then_some(value)
                    })
                    .collect();
                let array: $array = values.into_iter().collect();
                let array = $finish(array);
                columns.push((format!("{side}_{}", $name), Arc::new(array) as ArrayRef));
            }};
        }
        type R = Random;
        column!("bool", BooleanArray, |r: &mut R| r.below(2) == 0);
        column!(
            "i8",
            Int8Array,
            |r: &mut R| r.integer(i8::MIN.into(), i8::MAX.into()) as i8
        );
        column!(
            "i16",
            Int16Array,
            |r: &mut R| r.integer(i16::MIN.into(), i16::MAX.into()) as i16
        );
        column!(
            "i32",
            Int32Array,
            |r: &mut R| r.integer(i32::MIN.into(), i32::MAX.into()) as i32
        );
        column!(
            "i64",
            Int64Array,
            |r: &mut R| r.integer(i64::MIN.into(), i64::MAX.into()) as i64
        );
        column!("u8", UInt8Array, |r: &mut R| r.integer(0, u8::MAX.into()) as u8);
        column!("u16", UInt16Array, |r: &mut R| r.integer(0, u16::MAX.into())
            as u16);
        column!("u32", UInt32Array, |r: &mut R| r.integer(0, u32::MAX.into())
            as u32);
        column!("u64", UInt64Array, |r: &mut R| r.integer(0, u64::MAX.into())
            as u64);
        column!("f32", Float32Array, |r: &mut R| r.float() as f32);
        column!("f64", Float64Array, |r: &mut R| r.float());
        macro_rules! decimal {
            ($name:literal, $digits:literal, $scale:literal) => {
                column!(
                    $name,
                    Decimal128Array,
                    |r: &mut R| r.decimal($digits),
                    |array: Decimal128Array| array
                        .with_precision_and_scale($digits, $scale)
                        .expect("precision and scale")
                )
            };
        }
        decimal!("d5", 5, 2);
        decimal!("d12", 12, 3);
        decimal!("d15", 15, 2);
        decimal!("d18", 18, 4);
        decimal!("d25", 25, 5);
        decimal!("d38", 38, 10);
        column!("date", Date32Array, |r: &mut R| r.day());
        column!("date64", Date64Array, |r: &mut R| i64::from(r.day()) * 86_400_000);
        column!("tss", TimestampSecondArray, |r: &mut R| r.moment(1));
        column!("tsms", TimestampMillisecondArray, |r: &mut R| r.moment(1_000));
        column!("tsus", TimestampMicrosecondArray, |r: &mut R| r.moment(1_000_000));
        column!("tsns", TimestampNanosecondArray, |r: &mut R| r
            .moment(1_000_000_000));
        column!(
            "time",
            Time64MicrosecondArray,
            |r: &mut R| r.below(86_400_000_000) as i64
        );
        column!("s", StringArray, |r: &mut R| r.text());
        column!("v", StringViewArray, |r: &mut R| r.text());
    }
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("batch")
}

/// Another seed every time: set it here to see a failure again.
pub(super) fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |now| now.as_nanos() as u64 & 0xffff)
}
