//! The keys of an aggregation: expressions over its rows, of which strings that are read through codes stand as numbers.
//!
//! In: what an aggregation groups by, and its first rows. Out: expressions that kernels enter, and the columns that they
//! want beside those of the rows; strings again for the columns of numbers that groups become.

use kernels::ErrorWord;
use kernels::group::GroupShape;

use super::interner::{Interner, is_coded};
use super::{Force, Gpu, KernelTimes, Result, unplanned};
use crate::batch::{DeviceBatch, DeviceColumn, Space};
use crate::pipeline::AggregateSpec;
use crate::pipeline::expr::{Expr, Node};
use crate::pipeline::kernels::{KeyLayout, key_layout};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

/// Expressions to group by, and how their values are laid out.
#[derive(Debug)]
pub(super) struct Grouping {
    /// One a key.
    pub(super) keys: Vec<Expr>,
    /// The same a grouping set, if there are any.
    sets: Vec<Vec<Expr>>,
    pub(super) layout: KeyLayout,
    /// Columns of strings whose numbers stand behind the columns of rows, in this order.
    numbered: Vec<usize>,
    /// The keys that are such numbers.
    numbers: Vec<usize>,
}

impl Grouping {
    /// The keys of `spec` as they are.
    pub(super) fn plain(spec: &AggregateSpec) -> Result<Self, String> {
        Self::of(spec, 0, |_| false)
    }

    /// The keys of `spec` over rows of `width` columns: those that are plain columns for which `is_coded` stand as numbers.
    pub(super) fn of(
        spec: &AggregateSpec,
        width: usize,
        is_coded: impl Fn(usize) -> bool,
    ) -> Result<Self, String> {
        let (mut keys, mut sets) = (spec.keys.clone(), spec.sets.clone());
        let (mut numbered, mut numbers) = (Vec::new(), Vec::new());
        for place in 0..keys.len() {
            let Some(column) = string_column(spec, place).filter(|&column| is_coded(column)) else {
                continue;
            };
            let behind = numbered.iter().position(|&known| known == column);
            let behind = behind.unwrap_or_else(|| {
                numbered.push(column);
                numbered.len() - 1
            });
            numbers.push(place);
            let of_sets = sets.iter_mut().map(|keys| &mut keys[place]);
            for key in of_sets.chain(std::iter::once(&mut keys[place])) {
                key.data_type = DataType::UInt32;
                key.node = match &key.node {
                    Node::Column(_, name) => Node::Column(width + behind, name.clone()),
                    _ => Node::Literal(ScalarValue::UInt32(None)),
                };
            }
        }
        Ok(Self {
            layout: key_layout(&keys)?,
            keys,
            sets,
            numbered,
            numbers,
        })
    }

    /// The expressions of a grouping set.
    pub(super) fn of_set(&self, set: usize) -> &[Expr] {
        self.sets.get(set).unwrap_or(&self.keys)
    }

    /// Columns of strings whose numbers it wants behind the columns of rows.
    pub(super) fn numbered(&self) -> &[usize] {
        &self.numbered
    }

    /// The shape of a table of such groups, with state of `spec`.
    pub(super) fn shape(&self, spec: &AggregateSpec) -> GroupShape {
        GroupShape {
            key_words: self.layout.words,
            texts: self.layout.texts.clone(),
            state: spec.initial_bytes(),
        }
    }
}

/// The column that a key is in every grouping set, but for those that leave it out.
fn string_column(spec: &AggregateSpec, place: usize) -> Option<usize> {
    let Node::Column(column, _) = spec.keys[place].node else {
        return None;
    };
    let mut of_sets = spec.sets.iter().map(|keys| &keys[place].node);
    let is_same = of_sets.all(|node| match node {
        Node::Column(other, _) => *other == column,
        Node::Literal(value) => value.is_null(),
        _ => false,
    });
    is_same.then_some(column)
}

/// The keys of one aggregation.
#[derive(Debug)]
pub(super) struct GroupKeys {
    pub(super) grouping: Grouping,
    /// Of the strings that keys stand for, once there were rows and if there are such keys.
    interner: Option<Interner>,
    is_settled: bool,
}

impl GroupKeys {
    /// Those of `spec`, whose rows nobody has seen.
    pub(super) fn new(spec: &AggregateSpec) -> Result<Self> {
        Ok(Self {
            grouping: Grouping::plain(spec).map_err(unplanned)?,
            interner: None,
            is_settled: false,
        })
    }

    /// Has strings stand as numbers where the first rows are read through codes; says whether there are such keys now. Later
    /// calls change nothing.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn settle_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        spec: &AggregateSpec,
        batch: &DeviceBatch,
        force: Force,
        error: &ErrorWord,
        space: &Space,
    ) -> Result<bool> {
        if self.is_settled {
            return Ok(false);
        }
        self.is_settled = true;
        let coded = |column: usize| is_coded(&batch.columns[column], batch.rows);
        let grouping = Grouping::of(spec, batch.columns.len(), coded).map_err(unplanned)?;
        if grouping.numbered.is_empty() {
            return Ok(false);
        }
        self.interner = Some(Interner::new_sync(gpu, times, force, error, space)?);
        self.grouping = grouping;
        Ok(true)
    }

    /// The rows of `batch` with the columns that its keys want beside them.
    pub(super) fn beside_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        error: &ErrorWord,
        space: &Space,
    ) -> Result<DeviceBatch> {
        let mut wide = batch.clone();
        let Some(interner) = &mut self.interner else {
            return Ok(wide);
        };
        for (place, &column) in self.grouping.numbered.iter().enumerate() {
            let strings = &batch.columns[column];
            let numbers = interner.numbers_sync(gpu, times, strings, batch.rows, place, error, space)?;
            wide.columns.push(numbers);
        }
        Ok(wide)
    }

    /// Puts the strings of `spec` in place of the numbers among `columns`, those of `rows` groups, and adds what they lead
    /// into to the owners of them.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn put_strings_sync(
        self,
        gpu: &Gpu,
        spec: &AggregateSpec,
        columns: &mut [DeviceColumn],
        rows: usize,
        error: &ErrorWord,
        space: &Space,
    ) -> Result<()> {
        let Some(interner) = self.interner else {
            return Ok(());
        };
        for &key in &self.grouping.numbers {
            let data_type = &spec.keys[key].data_type;
            columns[key] = interner.strings_sync(gpu, &columns[key], rows, data_type, error, space)?;
        }
        let owners = interner.into_owners();
        for &key in &self.grouping.numbers {
            columns[key].owners = owners.clone();
        }
        Ok(())
    }
}
