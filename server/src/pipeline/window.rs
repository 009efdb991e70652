//! Windows: what functions say of each row among the rows of its partition, before, with and after it.

use std::fmt;

use arrow::datatypes::DataType;

use super::aggregate::{Accumulator, Combine, Finish};
use super::expr::{Expr, Label};
use super::graph::list;
use super::sort::SortKey;

/// Functions over one window. Expressions are over the columns of the pipeline's source; rows leave in the order in which
/// the functions see them, with a column a function behind what the pipeline computes.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowSpec {
    /// By what rows are sorted first; none if they come in order.
    pub sort: Option<Vec<SortKey>>,
    /// Rows that agree in these, side by side, are a partition.
    pub partition: Vec<Expr>,
    /// Rows of a partition that agree in these are peers.
    pub order: Vec<SortKey>,
    /// What functions are made of.
    pub accumulators: Vec<Accumulator>,
    /// Which rows functions see.
    pub frames: Vec<Frame>,
    /// The functions.
    pub functions: Vec<WindowFunction>,
}

/// A column that is added.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowFunction {
    /// As the user would write it.
    pub label: Label,
    /// Its type.
    pub data_type: DataType,
    /// Whether DataFusion thinks that it can be null.
    pub nullable: bool,
    /// What computes it.
    pub value: WindowValue,
}

/// What computes a function. Frames and accumulators are named by their places in the specification.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowValue {
    /// The place in the partition, from 1.
    RowNumber,
    /// The place of the first peer.
    Rank,
    /// How many different peers there are up to this one.
    DenseRank,
    /// Rows before the first peer, of all others of the partition.
    PercentRank,
    /// Rows up to the last peer, of all of the partition.
    CumeDist,
    /// One of so many buckets of almost equal size.
    Ntile(Expr),
    /// The value of a row some rows away.
    Shift {
        /// The value.
        argument: Expr,
        /// Rows.
        by: Expr,
        /// Before the row, or after it.
        back: bool,
        /// The value where the partition has no such row.
        default: Expr,
        /// The count of rows that have a value, if others are not counted.
        valued: Option<usize>,
    },
    /// The value of a row of the frame.
    Pick {
        /// The value.
        argument: Expr,
        /// The frame.
        frame: usize,
        /// Which row of it.
        place: Place,
        /// The count of rows that have a value, if others are not counted.
        valued: Option<usize>,
    },
    /// An aggregate of the frame's rows.
    Aggregate {
        /// The frame.
        frame: usize,
        /// How it is made.
        finish: Finish,
    },
}

/// A row of a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// So many rows after the first one.
    FromFirst(Expr),
    /// So many rows before the end: the last one is 1 before it.
    BeforeEnd(Expr),
    /// No row.
    Nowhere,
}

/// What the bounds of a frame count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Rows.
    Rows,
    /// Differences of the order's one key.
    Range,
    /// Peers.
    Groups,
}

/// Where a frame starts or ends. A distance is a constant: a number of 64 bits, or for [`Units::Range`] what is added to
/// the key.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// With the partition.
    Unbounded,
    /// With the row; with its peers unless rows are counted.
    Current,
    /// So far before.
    Preceding(Expr),
    /// So far after.
    Following(Expr),
}

/// The rows that a function sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// What bounds count.
    pub units: Units,
    /// Its first row.
    pub start: Bound,
    /// Its last row.
    pub end: Bound,
}

/// How an accumulator's values are joined over frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Up to each row.
    pub scan: bool,
    /// Over any rows.
    pub tree: bool,
}

impl WindowSpec {
    /// The place of a frame, which is added if it is not there.
    pub fn frame(&mut self, frame: Frame) -> usize {
        match self.frames.iter().position(|known| *known == frame) {
            Some(place) => place,
            None => {
                self.frames.push(frame);
                self.frames.len() - 1
            }
        }
    }

    /// Calls `visitor` with every expression over the columns of the source.
    pub fn visit_mut(&mut self, visitor: &mut dyn FnMut(&mut Expr)) {
        let sorted = self.sort.iter_mut().flatten().chain(&mut self.order);
        let keys = sorted.map(|key| &mut key.expr);
        let added = self.accumulators.iter_mut();
        let added = added.flat_map(|accumulator| {
            let read = accumulator.argument.iter_mut().chain(&mut accumulator.second);
            read.chain(&mut accumulator.filter)
        });
        let arguments = self.functions.iter_mut().filter_map(|function| {
            let (WindowValue::Shift { argument, .. } | WindowValue::Pick { argument, .. }) =
                &mut function.value
            else {
                return None;
            };
            Some(argument)
        });
        keys.chain(&mut self.partition)
            .chain(added)
            .chain(arguments)
            .for_each(visitor);
    }

    /// How the values of each accumulator are joined.
    pub fn needs(&self) -> Vec<Needs> {
        let mut needs = vec![Needs::default(); self.accumulators.len()];
        for function in &self.functions {
            match &function.value {
                WindowValue::Aggregate { frame, finish } => {
                    for place in finish.accumulators() {
                        let running = self.frames[*frame].start == Bound::Unbounded;
                        match self.accumulators[place].combine.can_be_taken_away() || running {
                            true => needs[place].scan = true,
                            false => needs[place].tree = true,
                        }
                    }
                }
                WindowValue::Shift { valued, .. } | WindowValue::Pick { valued, .. } => {
                    if let Some(place) = valued {
                        needs[*place].scan = true;
                    }
                }
                _ => {}
            }
        }
        needs
    }
}

impl Combine {
    /// Whether what rows before a frame have added can be taken away again, to the last bit. Floating-point numbers are
    /// never taken away: what they cancel would be lost.
    pub fn can_be_taken_away(self) -> bool {
        matches!(
            self,
            Self::Count | Self::SumInteger | Self::SumDecimal | Self::BitXor
        )
    }
}

impl Finish {
    /// The accumulators that it is made of.
    pub fn accumulators(&self) -> Vec<usize> {
        match self {
            Self::Value { accumulator, count } => std::iter::once(*accumulator).chain(*count).collect(),
            Self::AverageFloat { sum, count } | Self::AverageDecimal { sum, count, .. } => {
                vec![*sum, *count]
            }
            Self::Variance { moments, .. } | Self::Pairs { moments, .. } => vec![*moments],
            Self::Ordered(_) => Vec::new(),
        }
    }
}

impl fmt::Display for WindowFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.label)
    }
}

impl fmt::Display for WindowSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(keys) = &self.sort {
            write!(f, "sort by [{}] | ", list(keys))?;
        }
        write!(f, "window [{}]", list(&self.functions))
    }
}
