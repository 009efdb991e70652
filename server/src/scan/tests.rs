//! Files written by arrow-rs, read by the scan on the emulation, compared with parquet's own reader.

#![allow(clippy::print_stdout, reason = "random tests print their seed")]

mod codes;
mod cost;
mod damage;
mod early;
mod files;
mod page_index;
mod repeats;
mod types;
mod unpacked;

use std::path::Path;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{cast, concat};
use arrow::datatypes::SchemaRef;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use kernels::Device;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use super::{Scan, ScanCounters, ScanKernels, ScanSpec, Turn};
use crate::batch::testing::{downloaded, sim, unpacking_sim};
use crate::error::Result;
use kernels::selftest::Random;

/// The emulation and its kernels, made once.
static DEVICE: LazyLock<(Device, ScanKernels)> = LazyLock::new(|| {
    let device = sim(11);
    let kernels = ScanKernels::new(&device).unwrap();
    (device, kernels)
});

/// The same with what stands for nvCOMP.
static UNPACKING: LazyLock<(Device, ScanKernels)> = LazyLock::new(|| {
    let device = unpacking_sim(12);
    let kernels = ScanKernels::new(&device).unwrap();
    (device, kernels)
});

/// The device that a scan was opened for.
fn device_of(scan: &Scan) -> &'static (Device, ScanKernels) {
    match scan.unpacker {
        Some(_) => &UNPACKING,
        None => &DEVICE,
    }
}

fn context() -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(1);
    let options = config.options_mut();
    options.execution.parquet.schema_force_view_types = false;
    options.execution.parquet.pruning = true;
    SessionContext::new_with_config(config)
}

fn write(path: &Path, batches: &[RecordBatch], properties: WriterProperties) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), Some(properties)).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
}

/// The scan node of a statement.
async fn source(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    let plan = context
        .sql(sql)
        .await
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap();
    let mut node = plan;
    while node.downcast_ref::<DataSourceExec>().is_none() {
        node = Arc::clone(node.children()[0]);
    }
    node
}

/// A scan and what came out of it.
struct Scanned {
    scan: Scan,
    schema: SchemaRef,
    /// All rows of each column.
    columns: Vec<ArrayRef>,
    /// In how many partitions each column came as codes.
    coded: Vec<usize>,
    cpu_columns: Vec<(String, String)>,
    counters: ScanCounters,
}

async fn opened(context: &SessionContext, sql: &str, target_bytes: usize) -> Result<Scan> {
    opened_on(context, sql, target_bytes, &DEVICE.0).await
}

async fn opened_on(
    context: &SessionContext,
    sql: &str,
    target_bytes: usize,
    device: &Device,
) -> Result<Scan> {
    let node = source(context, sql).await;
    let spec = ScanSpec::of(node.downcast_ref().unwrap()).unwrap();
    Scan::open(
        Arc::new(spec),
        &context.task_ctx(),
        target_bytes,
        device.unpacker(),
    )
    .await
    .map_err(crate::error_datafusion::from_datafusion)
}

/// Runs a scan to its end, with the memory that it asks for.
async fn scanned(context: &SessionContext, sql: &str, target_bytes: usize) -> Result<Scanned> {
    let scan = opened(context, sql, target_bytes).await?;
    tokio::task::spawn_blocking(move || run(scan)).await.unwrap()
}

fn run(scan: Scan) -> Result<Scanned> {
    let (device, kernels) = device_of(&scan);
    let counters = ScanCounters::default();
    let schema = scan.spec().schema();
    let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); schema.fields().len()];
    let mut coded = vec![0; schema.fields().len()];
    let mut cpu_columns = Vec::new();
    for partition in 0..scan.partitions() {
        let fetched = scan.fetch_sync(partition, Turn::last(), device, &|| false)?;
        cpu_columns.extend_from_slice(fetched.cpu_columns());
        let rows = fetched.rows();
        assert_eq!(rows, scan.rows(partition));
        let bytes = fetched.reservation_bytes();
        let reservation = device.reserve_sync(bytes, Duration::from_secs(60)).unwrap();
        let stream = device.stream().unwrap();
        let decoded = fetched.decode_sync(&stream, &reservation, kernels, &counters)?;
        decoded.check.check_sync(&stream)?;
        let columns = decoded.batch.columns.iter();
        for ((column, parts), coded) in columns.zip(&mut parts).zip(&mut coded) {
            parts.push(downloaded(column, rows, &stream));
            *coded += usize::from(column.through.is_some());
        }
    }
    let columns = parts
        .iter()
        .zip(schema.fields())
        .map(|(parts, field)| match parts.is_empty() {
            true => arrow::array::new_empty_array(field.data_type()),
            false => concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>()).unwrap(),
        })
        .collect();
    Ok(Scanned {
        scan,
        schema,
        columns,
        coded,
        cpu_columns,
        counters,
    })
}

/// Writes a file like `whole`, of whose first `end` bytes up to three have another bit.
fn write_damaged(path: &Path, whole: &[u8], end: usize, random: &mut Random) {
    let mut bytes = whole.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = 4 + random.below(end as u64 - 4) as usize;
        bytes[at] ^= 1 << random.below(8);
    }
    std::fs::write(path, &bytes).unwrap();
}

/// Decodes a scan without looking at what comes out.
fn tried(scan: &Scan) -> Result<()> {
    let (device, kernels) = device_of(scan);
    for partition in 0..scan.partitions() {
        let fetched = scan.fetch_sync(partition, Turn::last(), device, &|| false)?;
        let reservation = device
            .reserve(fetched.reservation_bytes())
            .map_err(crate::error_device::on_device)?;
        let stream = device.stream().unwrap();
        let decoded = fetched.decode_sync(&stream, &reservation, kernels, &ScanCounters::default())?;
        decoded.check.check_sync(&stream)?;
    }
    Ok(())
}

/// A file as parquet's own reader reads it, cast to the types wanted.
fn expected(path: &Path, schema: &SchemaRef) -> Vec<ArrayRef> {
    let file = std::fs::File::open(path).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let file_schema = Arc::clone(builder.schema());
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(|batch| batch.unwrap()).collect();
    let whole = arrow::compute::concat_batches(&file_schema, &batches).unwrap();
    schema
        .fields()
        .iter()
        .map(|field| cast(whole.column_by_name(field.name()).unwrap(), field.data_type()).unwrap())
        .collect()
}

fn assert_same(what: &str, schema: &SchemaRef, found: &[ArrayRef], expected: &[ArrayRef]) {
    for ((field, found), expected) in schema.fields().iter().zip(found).zip(expected) {
        assert_eq!(found.len(), expected.len(), "{what}: rows of {}", field.name());
        if found != expected {
            let row = (0..found.len())
                .find(|&row| found.slice(row, 1) != expected.slice(row, 1))
                .unwrap();
            panic!(
                "{what}: column {} {} row {row}: found {:?}, expected {:?}",
                field.name(),
                field.data_type(),
                found.slice(row, 1),
                expected.slice(row, 1)
            );
        }
    }
}

async fn register(context: &SessionContext, name: &str, path: &Path) {
    let path = path.to_str().unwrap();
    context
        .register_parquet(name, path, ParquetReadOptions::default())
        .await
        .unwrap();
}

/// What DataFusion answers.
async fn answered(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}
