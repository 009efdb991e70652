//! A value of each group that takes the group's rows in order: rows are kept with the numbers of their groups, and sorted
//! when all have come.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use kernels::Buffer;
use kernels::window::Windower;

use super::columns::{addresses, filled, new_column_sync};
use super::program::{More, Program, shapes};
use super::{Gpu, KernelTimes, Result, Sort, unplanned};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space, bitmap_bytes};
use crate::pipeline::aggregate::Ordered as OrderedSpec;
use crate::pipeline::expr::{Expr, Node};
use crate::pipeline::kernels::{PICK_ORDERED, mark_window, pick_ordered};
use crate::pipeline::{SortKey, SortSpec, WindowSpec};

/// The rows of one value so far.
#[derive(Debug)]
pub(super) struct Ordered {
    spec: OrderedSpec,
    /// Made when the first batch says how many columns there are.
    rows: Option<Sort>,
}

impl Ordered {
    pub(super) fn new(spec: OrderedSpec) -> Self {
        Self { spec, rows: None }
    }

    /// Takes the rows of `batch`, whose groups are `groups`; without them there is one group, of the rows that `filters`
    /// keep.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn add_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        filters: &[Expr],
        groups: Option<&Arc<Buffer>>,
        space: &Space,
    ) -> Result<()> {
        let mut batch = batch.clone();
        let place = batch.columns.len();
        let mut kept = self.spec.filters.clone();
        let group = match groups {
            Some(groups) => {
                batch.columns.push(DeviceColumn {
                    data_type: DataType::UInt32,
                    repr: Repr::U32,
                    values: Arc::clone(groups),
                    validity: None,
                    owners: Vec::new(),
                    through: None,
                });
                let group = group_at(place);
                // The rows that were left out have no group.
                kept.push(Expr {
                    data_type: DataType::Boolean,
                    nullable: false,
                    node: Node::Binary(
                        Operator::NotEq,
                        Arc::new(group.clone()),
                        Arc::new(number(u32::MAX)),
                    ),
                });
                group
            }
            None => {
                kept.extend_from_slice(filters);
                number(0)
            }
        };
        let spec = &self.spec;
        let rows = self.rows.get_or_insert_with(|| {
            let first = SortKey {
                expr: group.clone(),
                descending: false,
                nulls_first: false,
            };
            let keys = std::iter::once(first).chain(spec.keys.iter().cloned()).collect();
            let outputs = vec![group.clone(), spec.argument.clone()];
            Sort::new(kept, outputs, SortSpec { keys, fetch: None })
        });
        rows.add_sync(gpu, times, batch, space.clone())
    }

    /// The value of each of `groups` groups.
    pub(super) fn finish_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        groups: usize,
        space: &Space,
    ) -> Result<DeviceColumn> {
        let data_type = &self.spec.argument.data_type;
        let mut column = new_column_sync(data_type, true, groups, space)?;
        space.stream.fill(column.values.view(), 0)?;
        if let Some(validity) = &column.validity {
            space.stream.fill(validity.view(), 0)?;
        }
        let sorted = match &mut self.rows {
            Some(rows) => rows.finish_sync(gpu, times, space)?,
            None => None,
        };
        let Some(sorted) = sorted else { return Ok(column) };
        self.pick_sync(gpu, times, &sorted, &column, space)?;
        column.owners = sorted.columns[1].owners.clone();
        Ok(column)
    }

    fn pick_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        sorted: &DeviceBatch,
        column: &DeviceColumn,
        space: &Space,
    ) -> Result<()> {
        let error = space.error_word_sync()?;
        let rows = sorted.rows;
        let run = |generated, more: &[More<'_>]| {
            let program = Program::compile(gpu, times, generated)?;
            program.run(space, times, sorted, &error, more)
        };
        let words = bitmap_bytes(rows);
        let (begins, unused) = (space.take_sync(words)?, space.take_sync(words)?);
        let by_group = WindowSpec {
            sort: None,
            partition: vec![group_at(0)],
            order: Vec::new(),
            accumulators: Vec::new(),
            frames: Vec::new(),
            functions: Vec::new(),
        };
        let marks = [
            More::View(begins.slice(0..words)?),
            More::View(unused.slice(0..words)?),
        ];
        run(
            mark_window(&shapes(sorted), &by_group).map_err(unplanned)?,
            &marks,
        )?;
        space.room_sync(Windower::segments_bytes(rows))?;
        let (stream, reservation) = (&space.stream, &space.reservation);
        let segments =
            gpu.windower
                .segments(stream, reservation, &gpu.selector, begins.slice(0..words)?, rows)?;
        let output = space.upload_sync(&addresses(std::slice::from_ref(column)))?;
        let mut more = vec![
            More::View(segments.ids.view()),
            More::View(segments.firsts.view()),
            More::View(output.view()),
        ];
        more.extend(filled(std::slice::from_ref(column)).map(More::Uses));
        run(
            pick_ordered(&shapes(sorted), &self.spec.choice).map_err(unplanned)?,
            &more,
        )?;
        Ok(error.check_sync(stream, PICK_ORDERED)?)
    }
}

fn group_at(place: usize) -> Expr {
    Expr {
        data_type: DataType::UInt32,
        nullable: false,
        node: Node::Column(place, "group".into()),
    }
}

fn number(value: u32) -> Expr {
    Expr {
        data_type: DataType::UInt32,
        nullable: false,
        node: Node::Literal(ScalarValue::UInt32(Some(value))),
    }
}
