//! Rows that an operator keeps with the numbers of strings in place of strings that come as codes, and their order.
//!
//! In: filters and outputs, batches. Out: batches of the outputs, some of them numbers; strings again when they leave; and
//! for an order by strings the rank of each among all, so that rows are compared by four bytes. It keeps no rows.

use arrow::datatypes::DataType;

use super::codes::{is_coded, picked_sync};
use super::columns::new_column_sync;
use super::interner::Interner;
use super::numbered::Numbered;
use super::sort::Sort;
use super::{Force, Gpu, KernelTimes, Result, Rows};
use crate::batch::{DeviceBatch, Space};
use crate::pipeline::expr::{Expr, Node};
use crate::pipeline::kernels::FIND_GROUPS;
use crate::pipeline::{SortKey, SortSpec};

/// Outputs of rows that leave in the order `spec`, of which plain columns for which `is_coded` stand as numbers: where only the
/// first rows leave, none but those that they are ordered by, since the others are soon gone.
pub(super) fn numbered_outputs(
    outputs: &[Expr],
    spec: &SortSpec,
    width: usize,
    is_coded: impl Fn(usize) -> bool,
) -> Numbered {
    let is_key = |place: usize| {
        let mut keys = spec.keys.iter();
        keys.any(|key| matches!(key.expr.node, Node::Column(column, _) if column == place))
    };
    let stays = |place: usize| spec.fetch.is_none() || is_key(place);
    Numbered::of(outputs, width, |place, column| stays(place) && is_coded(column))
}

/// The order `spec` of outputs of which those at `numbers` are numbers of strings: ranks, which stand behind the `width`
/// outputs, in place of these; and the outputs whose ranks they are.
pub(super) fn ranked(spec: &SortSpec, numbers: &[usize], width: usize) -> (SortSpec, Vec<usize>) {
    let mut ranked = Vec::new();
    let keys = spec.keys.iter().map(|key| {
        let place = match key.expr.node {
            Node::Column(place, _) if numbers.contains(&place) => place,
            _ => return key.clone(),
        };
        let known = ranked.iter().position(|&one| one == place);
        let behind = known.unwrap_or_else(|| {
            ranked.push(place);
            ranked.len() - 1
        });
        SortKey {
            expr: Expr {
                data_type: DataType::UInt32,
                nullable: key.expr.nullable,
                node: Node::Column(width + behind, "rank".into()),
            },
            ..key.clone()
        }
    });
    let spec = SortSpec {
        keys: keys.collect(),
        fetch: spec.fetch,
    };
    (spec, ranked)
}

/// The order of strings as such.
pub(super) fn order_of_strings() -> SortSpec {
    SortSpec {
        keys: vec![SortKey {
            expr: string(),
            descending: false,
            nulls_first: false,
        }],
        fetch: None,
    }
}

fn string() -> Expr {
    Expr {
        data_type: DataType::Utf8,
        nullable: false,
        node: Node::Column(0, "string".into()),
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct NumberedRows {
    outputs: Numbered,
    rows: Rows,
    interner: Interner,
    space: Space,
}

impl NumberedRows {
    /// In place of `rows`, which leave in the order `spec`, if some of its outputs are strings that the first `batch` reads
    /// through codes.
    pub(super) fn of_sync(
        gpu: &Gpu,
        times: &KernelTimes,
        rows: &Rows,
        spec: &SortSpec,
        batch: &DeviceBatch,
        space: &Space,
    ) -> Result<Option<Self>> {
        let coded = |column: usize| is_coded(&batch.columns[column], batch.rows);
        let outputs = numbered_outputs(&rows.outputs, spec, batch.columns.len(), coded);
        if outputs.is_empty() {
            return Ok(None);
        }
        // Strings stay when the batch that brought them is gone.
        let space = Space::new_sync(&gpu.device, 0)?.on(&space.stream);
        let error = space.error_word_sync()?;
        let interner = Interner::new_sync(gpu, times, Force::None, &error, &space)?;
        error.check_sync(&space.stream, FIND_GROUPS)?;
        Ok(Some(Self {
            rows: Rows::new(rows.filters.clone(), outputs.exprs.clone()),
            outputs,
            interner,
            space,
        }))
    }

    /// The outputs of `batch`, of the rows that are kept.
    pub(super) fn apply_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: &Space,
    ) -> Result<DeviceBatch> {
        let error = self.space.error_word_sync()?;
        let wide = self
            .interner
            .beside_sync(gpu, times, &batch, &self.outputs, &error, &self.space)?;
        error.check_sync(&self.space.stream, FIND_GROUPS)?;
        self.rows.apply_sync(gpu, times, wide, space)
    }

    /// `batch`, of its outputs, with the ranks that `spec` asks for behind them, and the order by these.
    pub(super) fn ranked_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        spec: &SortSpec,
        space: &Space,
    ) -> Result<(DeviceBatch, SortSpec)> {
        let mut wide = batch.clone();
        let (spec, ranked) = ranked(spec, &self.outputs.numbers, batch.columns.len());
        if ranked.is_empty() || batch.rows == 0 {
            return Ok((wide, spec));
        }
        let ranks = self.ranks_sync(gpu, times, space)?;
        for place in ranked {
            let numbers = &batch.columns[place];
            let rank = picked_sync(gpu, &ranks, numbers, batch.rows, space)?;
            wide.columns.push(rank);
        }
        Ok((wide, spec))
    }

    /// The rank of each string, by its number.
    fn ranks_sync(&self, gpu: &Gpu, times: &KernelTimes, space: &Space) -> Result<DeviceBatch> {
        let strings = self.interner.strings_sync(space)?;
        let sort = Sort::new(Vec::new(), vec![string()], order_of_strings());
        let (order, rows) = sort.order_sync(gpu, times, &strings, None, space)?;
        let ranks = new_column_sync(&DataType::UInt32, false, rows, space)?;
        let (from, to) = (order.slice(0..rows * 4)?, ranks.values.slice(0..rows * 4)?);
        gpu.windower.places(&space.stream, from, rows, to)?;
        Ok(DeviceBatch {
            rows,
            columns: vec![ranks],
        })
    }

    /// `batch`, of its outputs, with strings in place of their numbers.
    pub(super) fn strings_sync(
        self,
        gpu: &Gpu,
        mut batch: DeviceBatch,
        space: &Space,
    ) -> Result<DeviceBatch> {
        let (columns, rows) = (&mut batch.columns, batch.rows);
        self.interner
            .put_strings_sync(gpu, &self.outputs, columns, rows, space)?;
        Ok(batch)
    }
}
