//! Rows that the CPU makes, onto the device: piece by piece, as large as the option allows.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;

use super::flow::{Flow, Taker, Wanted};
use crate::batch::{DeviceBatch, Space, upload, upload_bytes};
use crate::operator::Result;
use crate::pipeline::PipelineId;

/// Bytes that are put together for one upload.
const BYTES_MAX: usize = 256 << 20;

/// Runs child `input` of the node on the CPU, and gives what it makes to `take`.
pub(super) fn run(flow: &Flow<'_>, id: PipelineId, input: usize, take: &mut Taker<'_>) -> Result<Wanted> {
    let plan = Arc::clone(&flow.inputs[input]);
    let schema = Arc::clone(&flow.graph.pipelines[id].input);
    let rows_max = flow.settings.engine.max_rows_per_partition.max(1);
    let mut batches = {
        // Some operators start tasks as soon as they are asked.
        let _runtime = flow.handle.enter();
        execute_stream(plan, Arc::clone(flow.context))?
    };
    let mut gathered: Vec<RecordBatch> = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    loop {
        let next = flow.handle.block_on(batches.next()).transpose()?;
        let next = next.map(|batch| read_columns(batch, &schema)).transpose()?;
        let ended = next.is_none();
        for piece in next.iter().flat_map(|batch| pieces(batch, rows_max)) {
            if rows + piece.num_rows() > rows_max || bytes > BYTES_MAX {
                let whole = std::mem::take(&mut gathered);
                (rows, bytes) = (0, 0);
                if send(flow, id, &concat_batches(&schema, &whole).map_err(arrow)?, take)? == Wanted::Enough {
                    return Ok(Wanted::Enough);
                }
            }
            rows += piece.num_rows();
            bytes += piece.get_array_memory_size();
            gathered.push(piece);
        }
        if ended {
            break;
        }
    }
    match rows {
        0 => Ok(Wanted::More),
        _ => send(
            flow,
            id,
            &concat_batches(&schema, &gathered).map_err(arrow)?,
            take,
        ),
    }
}

/// The batch without columns, if none is read.
fn read_columns(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if !schema.fields().is_empty() {
        return Ok(batch);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), Vec::new(), &rows).map_err(arrow)?)
}

fn arrow(error: arrow::error::ArrowError) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::ArrowError(Box::new(error), None)
}

fn pieces(batch: &RecordBatch, rows_max: usize) -> impl Iterator<Item = RecordBatch> + '_ {
    let starts = (0..batch.num_rows()).step_by(rows_max);
    starts.map(move |start| batch.slice(start, rows_max.min(batch.num_rows() - start)))
}

fn send(flow: &Flow<'_>, id: PipelineId, batch: &RecordBatch, take: &mut Taker<'_>) -> Result<Wanted> {
    let bytes: usize = batch
        .columns()
        .iter()
        .map(|column| upload_bytes(column.as_ref()))
        .sum();
    let space = Space::new_sync(&flow.gpu.device, bytes)?;
    let columns = batch
        .columns()
        .iter()
        .map(|column| upload(column.as_ref(), &space.stream, &space.reservation))
        .collect::<crate::error::Result<Vec<_>>>()?;
    flow.metrics[id].moved(0, bytes as u64, 0);
    let rows = batch.num_rows();
    take(DeviceBatch { rows, columns }, space)
}
