//! Aggregates as the device keeps them: accumulators of 64-bit words that rows are added to, and what is made of them
//! when all rows have been seen.

use std::fmt;

use arrow::datatypes::DataType;

use super::expr::Expr;
use super::graph::list;

/// How a row is added to an accumulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Combine {
    /// Rows whose argument is not null are counted; all rows without an argument.
    Count,
    /// Different values of the argument are counted.
    CountDistinct,
    /// Integers are added and wrap, as DataFusion's do.
    SumInteger,
    /// Decimals are added in 128 bits.
    SumDecimal,
    /// Floating-point numbers are added in double precision.
    SumFloat,
    /// Count, mean and squared differences from it, of floating-point numbers.
    Moments,
    /// The smallest, as a word of the same order.
    Min,
    /// The largest, as a word of the same order.
    Max,
    /// The smallest of values wider than a word.
    MinWide,
    /// The largest of values wider than a word.
    MaxWide,
    /// The first string in the order of bytes.
    MinText,
    /// The last string in the order of bytes.
    MaxText,
    /// Bits that all have.
    BitAnd,
    /// Bits that any has.
    BitOr,
    /// Bits that an odd number have.
    BitXor,
}

impl Combine {
    /// Words of 64 bits that it takes.
    pub fn words(self) -> usize {
        match self {
            Self::SumDecimal => 2,
            Self::Moments => 4,
            wide if wide.is_extreme() => 3,
            _ => 1,
        }
    }

    /// Whether rows are added to it by the kernel that adds to most.
    pub fn is_plain(self) -> bool {
        !self.is_extreme() && self != Self::CountDistinct
    }

    /// Whether it keeps a value under a version, by a kernel that may run again over the same rows.
    pub fn is_extreme(self) -> bool {
        matches!(
            self,
            Self::MinWide | Self::MaxWide | Self::MinText | Self::MaxText
        )
    }

    /// What every byte of them is before the first row.
    pub fn initial_byte(self) -> u8 {
        match self {
            Self::Min | Self::BitAnd => 0xff,
            _ => 0,
        }
    }
}

/// What rows are added to, a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Accumulator {
    /// How.
    pub combine: Combine,
    /// Rows where it is null are left out.
    pub argument: Option<Expr>,
    /// Rows where it is not true are left out.
    pub filter: Option<Expr>,
}

/// How a result is made of accumulators, named by their places in [`AggregateSpec::accumulators`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The accumulator is the result.
    Value {
        /// Which.
        accumulator: usize,
        /// The count that says whether there was any row, if the result may be null.
        count: Option<usize>,
    },
    /// A sum of floating-point numbers divided by a count.
    AverageFloat {
        /// Which.
        sum: usize,
        /// Which.
        count: usize,
    },
    /// The spread of numbers around their mean.
    Variance {
        /// Which.
        moments: usize,
        /// Of a sample: divided by one less than the count.
        of_sample: bool,
        /// The square root of it.
        deviation: bool,
    },
    /// A sum of decimals, `scale_digits` digits more behind the point, divided by a count.
    AverageDecimal {
        /// Which.
        sum: usize,
        /// Which.
        count: usize,
        /// Digits that the result has more behind the point than the sum.
        scale_digits: u32,
        /// Digits of the result in all; more is an overflow.
        precision: u8,
    },
}

/// One result of an aggregation.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// As the user would write it.
    pub label: String,
    /// How it is made.
    pub finish: Finish,
    /// Its type.
    pub data_type: DataType,
}

/// Rows grouped by `keys`; without keys, one group of all rows, also where there are none.
#[derive(Debug, Clone)]
pub struct AggregateSpec {
    /// Over the columns of the pipeline's source.
    pub keys: Vec<Expr>,
    /// What is kept of each group.
    pub accumulators: Vec<Accumulator>,
    /// What is made of it: columns behind those of the keys.
    pub outcomes: Vec<Outcome>,
}

impl AggregateSpec {
    /// The first word of each accumulator, and the number of words in all.
    pub fn layout(&self) -> (Vec<usize>, usize) {
        let mut words = 0;
        let starts = self.accumulators.iter().map(|accumulator| {
            let start = words;
            words += accumulator.combine.words();
            start
        });
        (starts.collect(), words)
    }

    /// Whether any accumulator combines rows in a way that is `wanted`.
    pub fn has(&self, wanted: impl Fn(Combine) -> bool) -> bool {
        self.accumulators.iter().any(|added| wanted(added.combine))
    }

    /// The byte that each word of a new group is filled with.
    pub fn initial_bytes(&self) -> Vec<u8> {
        let words = |accumulator: &Accumulator| {
            std::iter::repeat_n(accumulator.combine.initial_byte(), accumulator.combine.words())
        };
        self.accumulators.iter().flat_map(words).collect()
    }

    /// Calls `visitor` with every expression over the columns of the source.
    pub fn visit(&self, visitor: &mut dyn FnMut(&Expr)) {
        let added = self.accumulators.iter();
        let added = added.flat_map(|accumulator| accumulator.argument.iter().chain(&accumulator.filter));
        self.keys.iter().chain(added).for_each(visitor);
    }

    /// The same with expressions that may be replaced.
    pub fn visit_mut(&mut self, visitor: &mut dyn FnMut(&mut Expr)) {
        let added = self.accumulators.iter_mut();
        let added =
            added.flat_map(|accumulator| accumulator.argument.iter_mut().chain(&mut accumulator.filter));
        self.keys.iter_mut().chain(added).for_each(visitor);
    }

    /// The place of an accumulator, which is added if it is not there.
    pub fn accumulate(&mut self, accumulator: Accumulator) -> usize {
        match self.accumulators.iter().position(|known| *known == accumulator) {
            Some(place) => place,
            None => {
                self.accumulators.push(accumulator);
                self.accumulators.len() - 1
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl fmt::Display for AggregateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.keys.is_empty(), self.outcomes.is_empty()) {
            (true, _) => write!(f, "aggregate [{}]", list(&self.outcomes)),
            (false, true) => write!(f, "distinct [{}]", list(&self.keys)),
            (false, false) => write!(f, "group by [{}] [{}]", list(&self.keys), list(&self.outcomes)),
        }
    }
}
