//! Joins that need no pairs, several in one kernel: each row finds at most one row of each table, or whether there is one.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use kernels::Buffer;

use super::super::program::{More, Programs, Shape};
use super::super::select::kept_sync;
use super::super::{Gpu, KernelTimes, Result};
use super::Joined;
use crate::batch::{DeviceBatch, DeviceColumn, Repr, RowNumbers, Space, bitmap_bytes};
use crate::pipeline::expr::ColumnShape;
use crate::pipeline::kernels::{Finding, LOOK_UP, Step, finding, look_up};

/// Some joins in a row.
#[derive(Debug)]
pub(super) struct Lookups {
    joins: Vec<Joined>,
    programs: Programs<()>,
}

impl Lookups {
    pub(super) fn new(joins: Vec<Joined>) -> Self {
        Self {
            joins,
            programs: Programs::default(),
        }
    }

    /// Whether a join can be one of these.
    pub(super) fn takes(joined: &Joined) -> bool {
        finding_of(joined).is_some()
    }

    /// Whether a join that is one of these lets no other follow it: what it writes is not read by the same kernel.
    pub(super) fn is_last(joined: &Joined) -> bool {
        matches!(finding_of(joined), Some(Finding::Mark { .. } | Finding::Seen))
    }

    /// The last of them, whose table may have rows left.
    pub(super) fn last(&self) -> Option<&Joined> {
        self.joins.last()
    }

    /// The rows of `batch` that all joins leave. Waits for how many they are.
    pub(super) fn apply_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: &Space,
    ) -> Result<Option<DeviceBatch>> {
        let rows = batch.rows;
        let mut wide = batch;
        let mut marks = Vec::new();
        for joined in &self.joins {
            let join = &joined.join;
            if join.adds_columns() && !joined.table.batch().columns.is_empty() {
                let numbers = Arc::new(space.take_sync(rows * 4)?);
                let may_miss = join.join_type == JoinType::Right;
                wide.columns
                    .extend(read_through(joined, &RowNumbers { numbers, may_miss }));
            }
            if join.join_type == JoinType::RightMark {
                marks.push(wide.columns.len());
                wide.columns
                    .push(mark_column(space.take_sync(bitmap_bytes(rows))?));
            }
        }
        let joins = &self.joins;
        let program = self.programs.of(gpu, times, &wide, (), |columns| {
            look_up(columns, &steps(joins, columns))
        })?;
        let headers: Vec<kernels::join::JoinHeader> = joins.iter().map(Joined::header).collect();
        let headers = space.upload_sync(&headers)?;
        let mask = space.take_sync(bitmap_bytes(rows))?;
        let error = space.error_word_sync()?;
        let mut more = vec![More::View(headers.view()), More::View(mask.view())];
        more.extend(
            joins
                .iter()
                .flat_map(|joined| joined.table.uses())
                .map(More::Uses),
        );
        times.timed(space, || {
            program.launch(space, &wide, rows, None, error.view(), Shape::default(), &more)
        })?;
        drop(more);
        error.check_sync(&space.stream, LOOK_UP)?;
        if self
            .last()
            .is_some_and(|joined| finding_of(joined) == Some(Finding::Seen))
        {
            return Ok(None);
        }
        kept_sync(gpu, wide, mask.slice(0..bitmap_bytes(rows))?, space)
    }
}

/// What rows do with what they find; places are not filled in.
fn finding_of(joined: &Joined) -> Option<Finding> {
    let join = &joined.join;
    finding(
        join.join_type,
        !join.residual.is_empty(),
        joined.table.is_unique(),
    )
}

/// The steps over columns of these shapes, each table's behind those before it.
fn steps<'a>(joins: &'a [Joined], columns: &[ColumnShape]) -> Vec<Step<'a>> {
    let added = |joined: &Joined| match joined.join.join_type {
        JoinType::RightMark => 1,
        _ if joined.join.adds_columns() => joined.table.batch().columns.len(),
        _ => 0,
    };
    let mut next = columns.len() - joins.iter().map(added).sum::<usize>();
    let step = |joined: &'a Joined| {
        let first = next;
        next += added(joined);
        let finding = match finding_of(joined) {
            Some(Finding::Row { keeps, .. }) => Finding::Row {
                list: (next > first)
                    .then(|| columns[first].through.map(|through| through.list))
                    .flatten(),
                keeps,
            },
            Some(Finding::Mark { .. }) => Finding::Mark { column: first },
            Some(other) => other,
            // A table that turned out to have lists is never among these.
            None => Finding::Seen,
        };
        Step {
            probe: joined.probe(),
            finding,
        }
    };
    joins.iter().map(step).collect()
}

/// The columns of a join's table, read through row numbers.
pub(super) fn read_through<'a>(
    joined: &'a Joined,
    numbers: &'a RowNumbers,
) -> impl Iterator<Item = DeviceColumn> + 'a {
    joined.table.batch().columns.iter().map(|column| DeviceColumn {
        through: Some(numbers.clone()),
        ..column.clone()
    })
}

/// A column of booleans without nulls.
pub(super) fn mark_column(bits: Buffer) -> DeviceColumn {
    DeviceColumn {
        data_type: DataType::Boolean,
        repr: Repr::Bool,
        values: Arc::new(bits),
        validity: None,
        owners: Vec::new(),
        through: None,
    }
}
