//! What is compiled ahead is all that a query needs, on the emulation; the rows are those that DataFusion answers.

#![allow(clippy::print_stdout, reason = "a table of what compiling costs")]

use std::cell::RefCell;
use std::path::Path;

use arrow::array::{Array, ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use kernels::{Compiler, DeviceOptions};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::batch::testing::{nvrtc, run_alone};
use crate::config::sections::{EngineOptions, GpuOptions};
use crate::exec::verify::compare;
use crate::exec::{GpuExec, Gpus, Settings};
use crate::offload::offload;

const ROWS: i64 = 500;

const QUERIES: [&str; 17] = [
    "select flag, sum(price), sum(price * (1 - discount)), avg(discount), count(*) from t where day <= date '1970-12-01' \
     group by flag order by flag",
    "select sum(price * discount) from t where discount between 0.05 and 0.07 and id < 240",
    "select flag, sum(distinct price), avg(distinct discount) from t group by flag order by flag",
    "select id % 100 as k, sum(price), max(price) from t group by k order by 2 desc, 1 limit 10",
    "select id, comment, upper(flag) from t where comment like '%7%' order by comment desc, id",
    "select comment, price + 1 from t order by day, id limit 7",
    "select count(distinct comment), min(comment), stddev(price) from t where id > 3",
    "select flag, count(distinct day), min(maybe) from t group by flag order by 1",
    "select maybe, count(*) from t where id > -1 group by maybe order by maybe",
    "select id from t where price > (select avg(price) from t) order by id",
    "select flag, sum(price) as s from t group by flag having sum(price) > (select sum(price) * 0.1 from t) order by s",
    "select avg(x) from (select price as x from t order by comment, id limit 100)",
    // One row for each key, and several: more rows than there are days.
    "select a.id, b.price, b.flag from t a join t b on a.id = b.id where a.price > 100 order by 1 limit 10",
    "select a.day, count(*), sum(b.price) from t a join t b on a.day = b.day where b.id % 3 = 0 group by a.day order by 1",
    // Keys far apart, of which filters may leave few enough to be found as groups, and those of which they do not.
    "select count(*), sum(a.price) from t a join t b on a.far = b.far where b.price > 400",
    "select a.id, b.flag from t a left join (select * from t where price > 400) b on a.far = b.far order by 1, 2",
    // Narrow keys, which share words, and a value beside the number of its group.
    "select day, id > 9 as b, cast(maybe as tinyint) as i, cast(id % 7 as smallint unsigned) as u, cast(discount as float) as f, \
     count(distinct cast(id as int)), count(distinct cast(price as float)) from t group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5",
];

/// Columns that are never null, and `maybe`, which is where there are no nulls at all too.
fn write(path: &Path, nulls: bool) {
    let ids = 0..ROWS;
    let decimals = |values: Vec<i128>| {
        let array = Decimal128Array::from(values).with_precision_and_scale(15, 2);
        Arc::new(array.expect("a precision")) as ArrayRef
    };
    let maybe = |id| (!nulls || id % 3 != 0).then_some(id % 11);
    let columns: Vec<(&str, bool, ArrayRef)> = vec![
        ("id", false, Arc::new(Int64Array::from_iter_values(ids.clone()))),
        (
            "flag",
            false,
            Arc::new(StringArray::from_iter_values(
                ids.clone().map(|id| ["A", "N", "R"][id as usize % 3]),
            )),
        ),
        (
            "comment",
            false,
            Arc::new(StringArray::from_iter_values(
                ids.clone().map(|id| format!("comment no. {}", id * 7919 % 250)),
            )),
        ),
        (
            "price",
            false,
            decimals(ids.clone().map(|id| i128::from(id * 104_729 % 90_000)).collect()),
        ),
        (
            "discount",
            false,
            decimals(ids.clone().map(|id| i128::from(id % 10)).collect()),
        ),
        (
            "day",
            false,
            Arc::new(Date32Array::from_iter_values(
                ids.clone().map(|id| id as i32 % 400),
            )),
        ),
        (
            "far",
            false,
            Arc::new(ids.clone().map(|id| Some(id * 100_003)).collect::<Int64Array>()),
        ),
        ("maybe", true, Arc::new(ids.map(maybe).collect::<Int64Array>())),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, nullable, array)| Field::new(*name, array.data_type().clone(), *nullable))
        .collect();
    assert_eq!(fields[3].data_type(), &DataType::Decimal128(15, 2));
    let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("a batch");
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

async fn context(path: &Path) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().execution.parquet.schema_force_view_types = false;
    let context = SessionContext::new_with_config(config);
    let path = path.to_str().expect("a path of text");
    let options = ParquetReadOptions::default();
    context
        .register_parquet("t", path, options)
        .await
        .expect("registered");
    context
}

fn open(cache: &Path) -> Arc<Gpu> {
    let options = DeviceOptions {
        cache_dir: Some(cache.to_owned()),
        ..DeviceOptions::sim()
    };
    Arc::new(Gpu::open(&options).expect("the emulation opens"))
}

/// The plan that runs on the device, with its graphs.
async fn offloaded(
    gpu: &Arc<Gpu>,
    context: &SessionContext,
    sql: &str,
) -> (Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>, Vec<PipelineGraph>) {
    let frame = context.sql(sql).await.expect(sql);
    let plan = frame.create_physical_plan().await.expect(sql);
    let settings = Settings {
        engine: EngineOptions::default(),
        gpus: Gpus::new(&GpuOptions::default(), None),
    };
    let graphs = RefCell::new(Vec::new());
    let offloaded = offload(&plan, &|graph, inputs, original| {
        graphs.borrow_mut().push(graph.clone());
        Arc::new(GpuExec::new(
            graph,
            inputs,
            original,
            Arc::clone(gpu),
            settings.clone(),
        ))
    });
    let offloaded = offloaded.expect(sql);
    assert!(offloaded.fallbacks.is_empty(), "{sql}: {:?}", offloaded.fallbacks);
    (plan, offloaded.plan, graphs.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_compiled_after_the_warming() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let gpu = open(&cache);
    let library = gpu.device.modules_compiled();
    assert_eq!(library, kernels::operator_library().len() as u64);
    for nulls in [true, false] {
        let path = folder.path().join(format!("{nulls}.parquet"));
        write(&path, nulls);
        let context = context(&path).await;
        for sql in QUERIES {
            let (plan, on_gpu, graphs) = offloaded(&gpu, &context, sql).await;
            for graph in &graphs {
                let (_, foreseen) = foresee(&gpu, graph, &context.task_ctx());
                let sources: Vec<&KernelSource> = foreseen.certain.iter().chain(&foreseen.possible).collect();
                for module in gpu.device.modules(&sources, 4) {
                    module.expect(sql);
                }
            }
            let before = gpu.device.modules_compiled();
            let found = collect(on_gpu, context.task_ctx()).await.expect(sql);
            assert_eq!(gpu.device.modules_compiled(), before, "compiled late: {sql}");
            let plan = reset_plan_states(plan).expect(sql);
            let expected = collect(Arc::clone(&plan), context.task_ctx()).await.expect(sql);
            compare(&plan.schema(), &found, &expected).expect(sql);
        }
    }

    // Another process finds all on disk, and runs the same.
    let again = open(&cache);
    let context = context(&folder.path().join("true.parquet")).await;
    for sql in QUERIES {
        let (_, on_gpu, _) = offloaded(&again, &context, sql).await;
        collect(on_gpu, context.task_ctx()).await.expect(sql);
    }
    assert_eq!(again.device.modules_compiled(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn warming_ends_by_itself_or_when_it_is_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.parquet");
    write(&path, true);
    let context = context(&path).await;
    let gpu = open(&std::env::temp_dir().join("warpflight-test-modules"));
    let (_, _, graphs) = offloaded(&gpu, &context, QUERIES[0]).await;
    Warming::start(&gpu, &graphs[0], &context.task_ctx()).finish_sync();
    let (_, foreseen) = foresee(&gpu, &graphs[0], &context.task_ctx());
    assert!(
        foreseen
            .certain
            .iter()
            .all(|source| gpu.device.has_module(source))
    );
    let (_, _, graphs) = offloaded(&gpu, &context, QUERIES[4]).await;
    let warming = Warming::start(&gpu, &graphs[0], &context.task_ctx());
    let queue = Arc::clone(&warming.queue);
    drop(warming);
    assert!(lock(&queue).is_empty());
    assert_eq!(Arc::strong_count(&queue), 1, "its threads have ended");
    let nothing = Warming::start(
        &gpu,
        &PipelineGraph {
            pipelines: Vec::new(),
        },
        &context.task_ctx(),
    );
    assert!(nothing.threads.is_empty() && nothing.shapes().is_empty());
}

#[test]
fn generated_kernels_compile_for_a_gpu() {
    run_alone("exec::warming::tests::compiled_in_a_process_of_its_own");
}

#[tokio::test]
#[ignore = "run by the test above"]
async fn compiled_in_a_process_of_its_own() {
    let Some(compiler) = nvrtc("sm_90") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.parquet");
    write(&path, true);
    let context = context(&path).await;
    let gpu = open(&std::env::temp_dir().join("warpflight-test-modules"));
    for sql in QUERIES {
        println!("{sql}");
        let (_, _, graphs) = offloaded(&gpu, &context, sql).await;
        for graph in &graphs {
            let (_, foreseen) = foresee(&gpu, graph, &context.task_ctx());
            for source in foreseen.certain.iter().chain(&foreseen.possible) {
                let start = Instant::now();
                let image = compiler.compile(source).unwrap_or_else(|error| panic!("{error}"));
                println!(
                    "  {}: {} bytes in {:?}",
                    source.name,
                    image.len(),
                    start.elapsed()
                );
            }
        }
    }
}
