//! Scans of one query on the emulation: what comes out, in which order, and what is left when they end early.

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use kernels::{DeviceOptions, SimOptions};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use super::*;
use crate::batch::testing::downloaded;
use crate::config::sections::{EngineOptions, GpuOptions};
use crate::error::Kind;
use crate::exec::Gpus;
use crate::operator::Failure;
use crate::pipeline::{Pipeline, Sink};

/// Tables, and what reads them.
struct Given {
    _folder: TempDir,
    context: SessionContext,
    graph: PipelineGraph,
    gpu: Arc<Gpu>,
    settings: Settings,
}

const ROWS: i64 = 700;

/// A table for each number of row groups; numbers go on from one to the next.
async fn given(row_groups: &[i64], memory_bytes: Option<usize>) -> Given {
    let folder = tempfile::tempdir().unwrap();
    let context = SessionContext::new();
    let mut pipelines = Vec::new();
    let mut first = 0;
    for (index, &count) in row_groups.iter().enumerate() {
        let numbers: Int64Array = (first..first + count * ROWS).collect();
        let texts: StringArray = (0..count * ROWS).map(|row| Some(format!("text {row}"))).collect();
        first += count * ROWS;
        let columns = [
            ("a", Arc::new(numbers) as ArrayRef),
            ("b", Arc::new(texts) as ArrayRef),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let path = folder.path().join(format!("{index}.parquet"));
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(ROWS as usize))
            .build();
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let (name, path) = (format!("t{index}"), path.to_str().unwrap().to_owned());
        let options = ParquetReadOptions::default();
        context.register_parquet(&name, &path, options).await.unwrap();
        let plan = context.sql(&format!("select a, b from {name}")).await.unwrap();
        let node = plan.create_physical_plan().await.unwrap();
        let spec = ScanSpec::of(node.downcast_ref::<DataSourceExec>().unwrap()).unwrap();
        pipelines.push(pipeline(spec));
    }
    let gpu = Gpu::open(&DeviceOptions {
        memory_limit_bytes: memory_bytes,
        cache_dir: Some(std::env::temp_dir().join("warpflight-test-modules")),
        sim: SimOptions {
            seed: 3,
            ..SimOptions::default()
        },
        ..DeviceOptions::sim()
    })
    .unwrap();
    let mut engine = EngineOptions::default();
    // Each row group is a partition.
    engine.target_partition_size.0 = 1;
    Given {
        _folder: folder,
        context,
        graph: PipelineGraph { pipelines },
        gpu: Arc::new(gpu),
        settings: Settings {
            engine,
            gpus: Gpus::new(&GpuOptions::default(), None),
        },
    }
}

fn pipeline(spec: ScanSpec) -> Pipeline {
    let schema = spec.schema();
    Pipeline {
        source: Source::Scan(Arc::new(spec)),
        input: Arc::clone(&schema),
        stages: Vec::new(),
        filters: Vec::new(),
        outputs: Vec::new(),
        sink: Sink::Pass,
        output: schema,
    }
}

impl Given {
    fn begin(&self, handle: &Handle, stop: &Stop) -> Scans {
        let context = self.context.task_ctx();
        Scans::begin(&self.graph, &self.gpu, &self.settings, &context, handle, stop)
    }

    /// The numbers of a scan, batch by batch; `wanted` says whether more are.
    fn run(
        &self,
        scans: &Scans,
        id: PipelineId,
        mut wanted: impl FnMut(usize) -> Wanted,
    ) -> Result<Vec<Vec<i64>>> {
        let metrics = PipelineMetrics::new(id, Vec::new(), &ExecutionPlanMetricsSet::new());
        let mut batches = Vec::new();
        scans.run(id, &metrics, &mut |batch, space| {
            let numbers = downloaded(&batch.columns[0], batch.rows, &space.stream);
            batches.push(numbers.as_primitive::<Int64Type>().values().to_vec());
            Ok(wanted(batches.len()))
        })?;
        Ok(batches)
    }

    /// Waits a moment for memory that other threads are about to give back.
    fn assert_all_memory_is_back(&self) {
        let device = &self.gpu.device;
        let give_up = Instant::now() + Duration::from_secs(5);
        while device.memory_available_bytes() < device.memory_limit_bytes() && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(device.memory_available_bytes(), device.memory_limit_bytes());
    }
}

/// Runs `test` on a thread that may wait.
async fn blocking(given: Given, test: impl FnOnce(&Given, &Handle) + Send + 'static) {
    let handle = Handle::current();
    let tested = tokio::task::spawn_blocking(move || test(&given, &handle));
    tested.await.unwrap();
}

fn assert_numbers(batches: &[Vec<i64>], first: i64, row_groups: i64) {
    assert_eq!(batches.len() as i64, row_groups);
    let found: Vec<i64> = batches.concat();
    let expected: Vec<i64> = (first..first + row_groups * ROWS).collect();
    assert!(found == expected, "rows in order from {first} on");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_scans_at_once_each_in_order() {
    let given = given(&[9, 1, 4, 1, 12], None).await;
    blocking(given, |given, handle| {
        for order in [[0, 1, 2, 3, 4], [4, 2, 0, 1, 3]] {
            let scans = given.begin(handle, &Stop::default());
            for id in order {
                let (first, count) = [(0, 9), (9, 1), (10, 4), (14, 1), (15, 12)][id];
                let batches = given.run(&scans, id, |_| Wanted::More).unwrap();
                assert_numbers(&batches, first * ROWS, count);
            }
            assert!(given.run(&scans, 0, |_| Wanted::More).is_err(), "once only");
            drop(scans);
            given.assert_all_memory_is_back();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn less_memory_than_the_window() {
    // Room for a partition or two.
    let given = given(&[20, 3], Some(300 << 10)).await;
    blocking(given, |given, handle| {
        let scans = given.begin(handle, &Stop::default());
        let batches = given.run(&scans, 0, |_| Wanted::More).unwrap();
        assert_numbers(&batches, 0, 20);
        let batches = given.run(&scans, 1, |_| Wanted::More).unwrap();
        assert_numbers(&batches, 20 * ROWS, 3);
        drop(scans);
        given.assert_all_memory_is_back();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_while_reading_ahead() {
    let given = given(&[20, 20], None).await;
    blocking(given, |given, handle| {
        let stop = Stop::default();
        let scans = given.begin(handle, &stop);
        let stopped = given.run(&scans, 0, |batches| {
            if batches == 2 {
                stop.stop();
            }
            Wanted::More
        });
        match stopped {
            Err(Failure::Error(error)) => {
                let error = crate::error_datafusion::from_datafusion(error);
                assert_eq!(error.kind(), Kind::Cancelled);
            }
            other => panic!("{other:?}"),
        }
        let begun = Instant::now();
        drop(scans);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        given.assert_all_memory_is_back();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enough_of_one_and_all_of_the_next() {
    let given = given(&[20, 3], None).await;
    blocking(given, |given, handle| {
        let scans = given.begin(handle, &Stop::default());
        let batches = given.run(&scans, 0, |_| Wanted::Enough).unwrap();
        assert_eq!(batches.len(), 1);
        let batches = given.run(&scans, 1, |_| Wanted::More).unwrap();
        assert_numbers(&batches, 20 * ROWS, 3);
        drop(scans);
        // Never asked for at all.
        drop(given.begin(handle, &Stop::default()));
        given.assert_all_memory_is_back();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_fails_when_it_is_asked_for() {
    let mut given = given(&[2, 2, 2], None).await;
    let folder = given._folder.path().to_owned();
    // One file without a footer, one whose pages are damaged; no footer is remembered.
    std::fs::write(folder.join("1.parquet"), b"PAR1").unwrap();
    let mut bytes = std::fs::read(folder.join("2.parquet")).unwrap();
    bytes[4..40].fill(0xff);
    std::fs::write(folder.join("2.parquet"), bytes).unwrap();
    given.context = SessionContext::new();
    blocking(given, |given, handle| {
        let scans = given.begin(handle, &Stop::default());
        let batches = given.run(&scans, 0, |_| Wanted::More).unwrap();
        assert_numbers(&batches, 0, 2);
        for id in [1, 2] {
            let failed = given.run(&scans, id, |_| Wanted::More);
            let Err(Failure::Error(error)) = failed else {
                panic!("{failed:?}");
            };
            let error = crate::error_datafusion::from_datafusion(error).to_string();
            assert!(error.contains(&format!("{id}.parquet")), "{error}");
        }
        drop(scans);
        given.assert_all_memory_is_back();
    })
    .await;
}
