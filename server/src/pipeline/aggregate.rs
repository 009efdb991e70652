//! Aggregates as the device keeps them: accumulators of 64-bit words that rows are added to, and what is made of them
//! when all rows have been seen.

use std::fmt;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use super::expr::{Expr, Label, Node};
use super::graph::list;
use super::sort::SortKey;

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
    /// The same of pairs of numbers, with the products of their differences.
    CoMoments,
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
            Self::CoMoments => 7,
            wide if wide.is_extreme() => 3,
            _ => 1,
        }
    }

    /// Whether rows are added to it by the kernel that adds to most.
    pub fn is_plain(self) -> bool {
        !self.is_extreme() && self != Self::CountDistinct
    }

    /// Whether its words are changed under a latch, which is the first of them.
    pub fn is_latched(self) -> bool {
        matches!(self, Self::Moments | Self::CoMoments)
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
    /// The second of a pair; rows where it is null are left out too.
    pub second: Option<Expr>,
    /// Whether different values are added once each.
    pub distinct: bool,
    /// Rows where it is not true are left out.
    pub filter: Option<Expr>,
}

impl Accumulator {
    /// Whether rows are added to it by the kernel that adds to most.
    pub fn is_plain(&self) -> bool {
        self.combine.is_plain() && !self.distinct
    }

    /// Whether a set of the argument's values is kept for it.
    pub fn wants_set(&self) -> bool {
        self.distinct || self.combine == Combine::CountDistinct
    }
}

/// What is said of pairs of numbers, by their count, means, squared differences from those, and products of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// Covariance of all.
    CovariancePopulation,
    /// Covariance of a sample.
    CovarianceSample,
    /// Correlation.
    Correlation,
    /// The slope of the line through pairs, the second number being its x.
    Slope,
    /// Where that line meets x = 0.
    Intercept,
    /// The share of the variance that the line explains.
    Determination,
    /// The mean of the first numbers.
    MeanFirst,
    /// The mean of the second numbers.
    MeanSecond,
    /// The first numbers' squared differences from their mean.
    SquaresFirst,
    /// The second numbers'.
    SquaresSecond,
    /// The products of both differences.
    Products,
}

/// A value of each group that takes the group's rows in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordered {
    /// The value.
    pub argument: Expr,
    /// The order within a group, ties in the order in which rows came.
    pub keys: Vec<SortKey>,
    /// Rows for which one of these is not true are left out.
    pub filters: Vec<Expr>,
    /// What is made of the rows.
    pub choice: Choice,
}

/// What is made of a group's rows in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The first one's value.
    First,
    /// The last one's value.
    Last,
    /// The middle one's value, or what lies halfway between the two of them.
    Median,
    /// The value at a fraction of the way from the first to the last, between two of them in proportion.
    Percentile(Expr),
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
        /// Whether that of one row is 0 even where the row is no number: DataFusion's is, but not of groups.
        one_is_zero: bool,
    },
    /// A statistic of pairs.
    Pairs {
        /// Which.
        moments: usize,
        /// What is said of them.
        statistic: Pairs,
    },
    /// A value of rows in order: one of [`AggregateSpec::ordered`].
    Ordered(usize),
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
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// As the user would write it.
    pub label: Label,
    /// How it is made.
    pub finish: Finish,
    /// Its type.
    pub data_type: DataType,
}

/// Rows grouped by `keys`; without keys, one group of all rows, also where there are none.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateSpec {
    /// Over the columns of the pipeline's source.
    pub keys: Vec<Expr>,
    /// Grouping sets, if there are any: each row is in a group of each of them, by these expressions in place of `keys`,
    /// which are then of the same types.
    pub sets: Vec<Vec<Expr>>,
    /// What is kept of each group.
    pub accumulators: Vec<Accumulator>,
    /// Of what all rows are kept until they can be put in order.
    pub ordered: Vec<Ordered>,
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

    /// Groups by `keys`, or one of all rows, of which nothing is kept yet.
    pub fn of_keys(keys: Vec<Expr>) -> Self {
        Self {
            keys,
            sets: Vec::new(),
            accumulators: Vec::new(),
            ordered: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Whether a grouping set has no key, which its number says: a key may be a constant itself.
    pub fn lacks_keys(&self, set: usize) -> bool {
        let number = self.sets[set].split_last().and_then(|(number, keys)| {
            let Node::Literal(number) = &number.node else {
                return None;
            };
            match number.cast_to(&DataType::UInt64) {
                Ok(ScalarValue::UInt64(Some(number))) => Some((number, keys.len() as u32)),
                _ => None,
            }
        });
        // A bit a key that is null in the set; above them how often the same set came before.
        number.is_some_and(|(number, keys)| number.trailing_ones() >= keys)
    }

    /// Whether any accumulator is `wanted`.
    pub fn has(&self, wanted: impl Fn(&Accumulator) -> bool) -> bool {
        self.accumulators.iter().any(wanted)
    }

    /// The byte that each word of a new group is filled with.
    pub fn initial_bytes(&self) -> Vec<u8> {
        let words = |accumulator: &Accumulator| {
            std::iter::repeat_n(accumulator.combine.initial_byte(), accumulator.combine.words())
        };
        self.accumulators.iter().flat_map(words).collect()
    }

    /// Calls `visitor` with every expression over the columns of the source. Constants of grouping sets stay as they are:
    /// they read nothing.
    pub fn visit(&self, visitor: &mut dyn FnMut(&Expr)) {
        // The expressions are the same ones either way; those of the copy are thrown away.
        self.clone().visit_mut(&mut |expr| visitor(expr));
    }

    /// The same with expressions that may be replaced.
    pub fn visit_mut(&mut self, visitor: &mut dyn FnMut(&mut Expr)) {
        let keys = match self.sets.is_empty() {
            true => self.keys.iter_mut().collect(),
            false => {
                let all = self.sets.iter_mut().flatten();
                all.filter(|expr| !matches!(expr.node, Node::Literal(_)))
                    .collect::<Vec<_>>()
            }
        };
        keys.into_iter().for_each(&mut *visitor);
        for added in &mut self.accumulators {
            let read = added.argument.iter_mut().chain(&mut added.second);
            read.chain(&mut added.filter).for_each(&mut *visitor);
        }
        for ordered in &mut self.ordered {
            visitor(&mut ordered.argument);
            ordered.filters.iter_mut().for_each(&mut *visitor);
            ordered.keys.iter_mut().for_each(|key| visitor(&mut key.expr));
        }
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
        write!(f, "{}", self.label)
    }
}

impl fmt::Display for AggregateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.sets.is_empty() {
            let sets = self.sets.len();
            return write!(
                f,
                "group by [{}] in {sets} sets [{}]",
                list(&self.keys),
                list(&self.outcomes)
            );
        }
        match (self.keys.is_empty(), self.outcomes.is_empty()) {
            (true, _) => write!(f, "aggregate [{}]", list(&self.outcomes)),
            (false, true) => write!(f, "distinct [{}]", list(&self.keys)),
            (false, false) => write!(f, "group by [{}] [{}]", list(&self.keys), list(&self.outcomes)),
        }
    }
}
