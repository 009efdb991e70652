//! The keys of an aggregation: expressions over its rows, of which strings that are read through codes stand as numbers.
//!
//! In: what an aggregation groups by, and its first rows. Out: expressions that kernels enter, and the columns that they
//! want beside those of the rows; strings again for the columns of numbers that groups become.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use kernels::ErrorWord;
use kernels::group::GroupShape;

use super::codes::is_coded;
use super::interner::Interner;
use super::numbered::Numbered;
use super::{Force, Gpu, KernelTimes, Result, unplanned};
use crate::batch::{DeviceBatch, DeviceColumn, Space};
use crate::pipeline::AggregateSpec;
use crate::pipeline::expr::{Expr, Node};
use crate::pipeline::kernels::{KeyLayout, key_layout};

/// Expressions to group by, and how their values are laid out.
#[derive(Debug)]
pub(super) struct Grouping {
    /// One a key.
    pub(super) keys: Numbered,
    /// The same a grouping set, if there are any.
    sets: Vec<Vec<Expr>>,
    pub(super) layout: KeyLayout,
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
        let coded = |place: usize, column: usize| is_same_in_sets(spec, place) && is_coded(column);
        let keys = Numbered::of(&spec.keys, width, coded);
        let mut sets = spec.sets.clone();
        for &place in &keys.numbers {
            for key in sets.iter_mut().map(|set| &mut set[place]) {
                key.data_type = DataType::UInt32;
                key.node = match &key.node {
                    Node::Literal(_) => Node::Literal(ScalarValue::UInt32(None)),
                    _ => keys.exprs[place].node.clone(),
                };
            }
        }
        Ok(Self {
            layout: key_layout(&keys.exprs)?,
            keys,
            sets,
        })
    }

    /// The expressions of a grouping set.
    pub(super) fn of_set(&self, set: usize) -> &[Expr] {
        self.sets.get(set).unwrap_or(&self.keys.exprs)
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

/// Whether a key is the same in every grouping set, but for those that leave it out.
fn is_same_in_sets(spec: &AggregateSpec, place: usize) -> bool {
    let mut of_sets = spec.sets.iter().map(|keys| &keys[place].node);
    of_sets.all(|node| match node {
        Node::Literal(value) => value.is_null(),
        other => *other == spec.keys[place].node,
    })
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
        if grouping.keys.is_empty() {
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
        match &mut self.interner {
            Some(interner) => interner.beside_sync(gpu, times, batch, &self.grouping.keys, error, space),
            None => Ok(batch.clone()),
        }
    }

    /// Puts strings in place of the numbers among `columns`, those of `rows` groups.
    pub(super) fn put_strings_sync(
        self,
        gpu: &Gpu,
        columns: &mut [DeviceColumn],
        rows: usize,
        space: &Space,
    ) -> Result<()> {
        match self.interner {
            Some(interner) => interner.put_strings_sync(gpu, &self.grouping.keys, columns, rows, space),
            None => Ok(()),
        }
    }
}
