//! Tables and plans of the tests of shared pipelines. In: a statement. Out: its plan for the CPU and one for the emulation.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use kernels::{DeviceOptions, SimOptions};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::config::sections::{EngineOptions, GpuOptions};
use crate::exec::{GpuExec, Gpus, Settings};
use crate::offload::offload;
use crate::operator::Gpu;
use crate::pipeline::{PipelineGraph, Source};

const ROWS: i64 = 600;

fn write(path: &Path, columns: Vec<(&str, bool, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, nullable, column)| (name, column, nullable)),
    );
    let batch = batch.expect("columns of one length");
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(ROWS as usize / 7))
        .build();
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

fn write_tables(folder: &Path) {
    let ids = 0..ROWS;
    let values: Decimal128Array = ids
        .clone()
        .map(|id| (id % 13 > 0).then_some(i128::from(id * 7919 % 900)))
        .collect();
    let values = values.with_precision_and_scale(12, 2).expect("twelve digits");
    let keys: Int64Array = ids
        .clone()
        .map(|id| (id % 11 > 0).then_some(id * 31 % 40))
        .collect();
    write(
        &folder.join("t.parquet"),
        vec![
            ("id", false, Arc::new(Int64Array::from_iter_values(ids))),
            ("k", true, Arc::new(keys)),
            ("v", true, Arc::new(values)),
        ],
    );
    let names = (0..50).map(|k| format!("n{}", k % 3));
    write(
        &folder.join("u.parquet"),
        vec![
            ("k", false, Arc::new(Int64Array::from_iter_values(0..50))),
            ("name", false, Arc::new(StringArray::from_iter_values(names))),
        ],
    );
}

pub(super) struct Given {
    _folder: tempfile::TempDir,
    pub(super) context: SessionContext,
    pub(super) gpu: Arc<Gpu>,
}

pub(super) async fn given() -> Given {
    let folder = tempfile::tempdir().expect("a folder");
    write_tables(folder.path());
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().execution.parquet.schema_force_view_types = false;
    let context = SessionContext::new_with_config(config);
    for name in ["t", "u"] {
        let path = folder.path().join(format!("{name}.parquet"));
        let path = path.to_str().expect("a path of text");
        context
            .register_parquet(name, path, ParquetReadOptions::default())
            .await
            .expect("registered");
    }
    let gpu = Gpu::open(&DeviceOptions {
        cache_dir: Some(std::env::temp_dir().join("warpflight-test-modules")),
        sim: SimOptions {
            seed: 11,
            ..SimOptions::default()
        },
        ..DeviceOptions::sim()
    });
    Given {
        _folder: folder,
        context,
        gpu: Arc::new(gpu.expect("the emulation opens")),
    }
}

/// A plan as DataFusion has it, one for the device, and its graph.
pub(super) struct Planned {
    pub(super) cpu: Arc<dyn ExecutionPlan>,
    pub(super) device: Arc<dyn ExecutionPlan>,
    pub(super) graph: PipelineGraph,
}

impl Given {
    pub(super) async fn planned(&self, sql: &str, engine: EngineOptions) -> Planned {
        let frame = self.context.sql(sql).await.expect(sql);
        let cpu = frame.create_physical_plan().await.expect(sql);
        let settings = Settings {
            engine,
            gpus: Gpus::new(&GpuOptions::default(), None),
        };
        let graphs = Mutex::new(Vec::new());
        let offloaded = offload(&cpu, &|graph, inputs, original| {
            graphs.lock().expect("one thread").push(graph.clone());
            let gpu = Arc::clone(&self.gpu);
            Arc::new(GpuExec::new(graph, inputs, original, gpu, settings.clone()))
        });
        let offloaded = offloaded.expect(sql);
        assert!(offloaded.fallbacks.is_empty(), "{sql}: {:?}", offloaded.fallbacks);
        let mut graphs = graphs.into_inner().expect("one thread");
        assert_eq!(graphs.len(), 1, "{sql}");
        Planned {
            cpu,
            device: offloaded.plan,
            graph: graphs.remove(0),
        }
    }

    /// Waits a moment for memory that threads are about to give back.
    pub(super) fn assert_all_memory_is_back(&self, sql: &str) {
        let device = &self.gpu.device;
        let give_up = Instant::now() + Duration::from_secs(5);
        while device.memory_available_bytes() < device.memory_limit_bytes() && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(
            device.memory_available_bytes(),
            device.memory_limit_bytes(),
            "{sql}"
        );
    }
}

/// A row group a partition.
pub(super) fn streaming() -> EngineOptions {
    let mut engine = EngineOptions::default();
    engine.target_partition_size.0 = 1;
    engine.max_rows_per_partition = 1;
    engine
}

/// How many scans there are left, and how many pipelines are read several times.
pub(super) fn many(graph: &PipelineGraph) -> (usize, usize) {
    let scans = graph.pipelines.iter();
    let scans = scans.filter(|pipeline| matches!(pipeline.source, Source::Scan(_)));
    let ids = 0..graph.pipelines.len();
    (
        scans.count(),
        ids.filter(|&id| graph.readers(id).count() > 1).count(),
    )
}
