//! Filter and projection: rows kept, columns computed of them.

use std::sync::Arc;

use kernels::{Buffer, ErrorWord};

use super::columns::{addresses, filled, new_column_sync, owners_of};
use super::program::{More, Programs, Shape};
use super::select::{Selection, select_sync};
use super::{Gpu, KernelTimes, Result};
use crate::batch::{DeviceBatch, DeviceColumn, Repr, Space, bitmap_bytes};
use crate::pipeline::expr::{Expr, Node};
use crate::pipeline::kernels::{PROJECT, mask, project};

/// Bytes of strings made a row that a kernel's first attempt has room for.
const HEAP_ROW_BYTES: usize = 32;

/// Filter and projection of one pipeline.
#[derive(Debug)]
pub struct Rows {
    pub(super) filters: Vec<Expr>,
    pub(super) outputs: Vec<Expr>,
    masks: Programs<()>,
    projections: Programs<Vec<usize>>,
}

impl Rows {
    /// Keeps rows for which all `filters` are true, and computes `outputs` of them.
    pub fn new(filters: Vec<Expr>, outputs: Vec<Expr>) -> Self {
        Self {
            filters,
            outputs,
            masks: Programs::default(),
            projections: Programs::default(),
        }
    }

    /// The rows of `batch` that are kept, as columns of the outputs. Waits for the device where it must know how many
    /// rows there are, and checks what expressions raised.
    pub fn apply_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: &Space,
    ) -> Result<DeviceBatch> {
        let error = space.error_word_sync()?;
        let selection = self.select(gpu, times, &batch, space, &error)?;
        let rows = selection.as_ref().map_or(batch.rows, |selection| selection.rows);
        let numbers = selection.and_then(|selection| selection.numbers);
        let projected = self.project(gpu, times, &batch, rows, numbers.as_ref(), space, &error);
        error.check_sync(&space.stream, PROJECT)?;
        projected
    }

    pub(super) fn select(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        space: &Space,
        error: &ErrorWord,
    ) -> Result<Option<Selection>> {
        if self.filters.is_empty() || batch.rows == 0 {
            return Ok(None);
        }
        let bitmap = self.mask_sync(gpu, times, batch, space, error)?;
        let view = bitmap.slice(0..bitmap_bytes(batch.rows))?;
        select_sync(gpu, view, batch.rows, space).map(Some)
    }

    /// A bitmap of the rows that the filters keep.
    pub(super) fn mask_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        space: &Space,
        error: &ErrorWord,
    ) -> Result<Buffer> {
        let filters = &self.filters;
        let program = self
            .masks
            .of(gpu, times, batch, (), |columns| mask(columns, filters))?;
        let bitmap = space.take_sync(bitmap_bytes(batch.rows))?;
        let mut heap = Heap::new(space, filters, batch.rows)?;
        loop {
            let mut more = vec![More::View(bitmap.view())];
            more.extend(heap.as_ref().map(|heap| More::Uses(&heap.bytes)));
            times.timed(space, || {
                let header = heap.as_ref().map(|heap| &heap.header);
                program.launch(
                    space,
                    batch,
                    batch.rows,
                    header,
                    error.view(),
                    Shape::default(),
                    &more,
                )
            })?;
            drop(more);
            match Heap::larger_sync(heap.as_ref(), space)? {
                Some(larger) => heap = Some(larger),
                None => break,
            }
        }
        Ok(bitmap)
    }

    #[allow(clippy::too_many_arguments)]
    fn project(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        rows: usize,
        numbers: Option<&Buffer>,
        space: &Space,
        error: &ErrorWord,
    ) -> Result<DeviceBatch> {
        let plain = |output: &Expr| match output.node {
            Node::Column(index, _) if numbers.is_none() => {
                let column = batch.columns.get(index);
                column.filter(|column| column.through.is_none()).cloned()
            }
            _ => None,
        };
        let mut columns: Vec<Option<DeviceColumn>> = self.outputs.iter().map(plain).collect();
        let computed: Vec<usize> = (0..columns.len()).filter(|&at| columns[at].is_none()).collect();
        if !computed.is_empty() {
            let outputs: Vec<Expr> = computed.iter().map(|&at| self.outputs[at].clone()).collect();
            let program = self
                .projections
                .of(gpu, times, batch, computed.clone(), |columns| {
                    project(columns, &outputs)
                })?;
            let mut heap = Heap::new(space, &outputs, rows)?;
            loop {
                let mut made = new_columns(&outputs, batch, rows, space)?;
                let table = space.upload_sync(&addresses(&made))?;
                let mut more = vec![More::optional(numbers), More::View(table.view())];
                more.extend(filled(&made).map(More::Uses));
                more.extend(heap.as_ref().map(|heap| More::Uses(&heap.bytes)));
                let literals = times.timed(space, || {
                    let header = heap.as_ref().map(|heap| &heap.header);
                    program.launch(space, batch, rows, header, error.view(), Shape::default(), &more)
                })?;
                drop(more);
                if let Some(larger) = Heap::larger_sync(heap.as_ref(), space)? {
                    heap = Some(larger);
                    continue;
                }
                for column in made.iter_mut().filter(|column| column.repr == Repr::Str) {
                    column.owners.push(Arc::clone(&literals));
                    column
                        .owners
                        .extend(heap.as_ref().map(|heap| Arc::clone(&heap.bytes)));
                }
                for (column, &at) in made.into_iter().zip(&computed) {
                    columns[at] = Some(column);
                }
                break;
            }
        }
        Ok(DeviceBatch {
            rows,
            columns: columns.into_iter().flatten().collect(),
        })
    }
}

/// Memory for columns that a kernel is about to fill.
fn new_columns(
    outputs: &[Expr],
    batch: &DeviceBatch,
    rows: usize,
    space: &Space,
) -> Result<Vec<DeviceColumn>> {
    let column = |output: &Expr| {
        let mut column = new_column_sync(&output.data_type, output.nullable, rows, space)?;
        if column.repr == Repr::Str {
            // Wherever those of the columns in it lead.
            let read = output.columns();
            column.owners = owners_of(read.iter().filter_map(|&index| batch.columns.get(index)));
        }
        Ok(column)
    };
    outputs.iter().map(column).collect()
}

/// Room for the strings that a launch makes: `WfHeap` and its bytes.
struct Heap {
    header: Buffer,
    bytes: Arc<Buffer>,
}

impl Heap {
    /// None if `outputs` make no strings.
    fn new(space: &Space, outputs: &[Expr], rows: usize) -> Result<Option<Self>> {
        match outputs.iter().any(Expr::makes_strings) {
            true => Self::of_bytes(space, (rows * HEAP_ROW_BYTES).max(64 << 10)).map(Some),
            false => Ok(None),
        }
    }

    fn of_bytes(space: &Space, bytes: usize) -> Result<Self> {
        let bytes = Arc::new(space.zeros_sync(bytes + kernels::parquet::SLACK_BYTES)?);
        let capacity = (bytes.len_bytes() - kernels::parquet::SLACK_BYTES) as u64;
        let header = space.upload_sync(&[0u64, capacity, bytes.address()])?;
        Ok(Self { header, bytes })
    }

    /// A heap that is large enough, if there is one and it was not; waits for the launch.
    fn larger_sync(heap: Option<&Self>, space: &Space) -> Result<Option<Self>> {
        let Some(heap) = heap else { return Ok(None) };
        let words: Vec<u64> = space.stream.read_sync(heap.header.view())?;
        match words[..] {
            [used, capacity, _] if used > capacity => Self::of_bytes(space, used as usize).map(Some),
            _ => Ok(None),
        }
    }
}
