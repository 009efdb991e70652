//! What a scan costs the host, apart from the device: to be run by hand, in a release build, with its output shown.

#![allow(clippy::print_stdout, reason = "figures for whoever asks for them")]

use std::time::Instant;

use arrow::array::{Date32Array, Decimal128Array};
use kernels::selftest::Random;
use parquet::basic::Compression;

use super::*;

/// Prices, discounts and dates as TPC-H has them.
fn lines(rows: usize, random: &mut Random) -> RecordBatch {
    let mut decimal = |below: u64| -> ArrayRef {
        let values: Decimal128Array = (0..rows).map(|_| Some(i128::from(random.below(below)))).collect();
        Arc::new(values.with_precision_and_scale(15, 2).unwrap())
    };
    let columns = [
        ("quantity", decimal(50)),
        ("price", decimal(10_000_000)),
        ("discount", decimal(11)),
    ];
    let dates: Date32Array = (0..rows)
        .map(|_| Some(8000 + random.below(2500) as i32))
        .collect();
    let columns = columns.into_iter().chain([("date", Arc::new(dates) as ArrayRef)]);
    RecordBatch::try_from_iter(columns).unwrap()
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long, and proves nothing"]
async fn of_opening_and_fetching() {
    let mut random = Random::new(5);
    for (what, files, groups, rows) in [
        ("one small file", 1, 1, 5),
        ("16 files of 4 row groups", 16, 4, 60_000),
        ("one file of 100 row groups", 1, 100, 40_000),
    ] {
        let folder = folder();
        let batch = lines(rows, &mut random);
        for file in 0..files {
            let properties = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_max_row_group_row_count(Some(rows))
                .build();
            let batches = vec![batch.clone(); groups];
            write(
                &folder.path().join(format!("{file}.parquet")),
                &batches,
                properties,
            );
        }
        let context = context();
        register(&context, "x", folder.path()).await;
        let sql = "select price * discount from x where date >= date '1994-01-01' and date < date '1995-01-01' \
                   and discount between 0.05 and 0.07 and quantity < 24";
        let node = source(&context, sql).await;
        let spec = Arc::new(ScanSpec::of(node.downcast_ref().unwrap()).unwrap());
        for _ in 0..4 {
            let begun = Instant::now();
            let scan = Scan::open(Arc::clone(&spec), &context.task_ctx(), 64 << 20, None)
                .await
                .unwrap();
            let open_ms = ms(begun);
            let figures = tokio::task::spawn_blocking(move || {
                let begun = Instant::now();
                let fetched: Vec<_> = (0..scan.partitions())
                    .map(|partition| {
                        scan.fetch_sync(partition, Turn::last(), &DEVICE.0, &|| false)
                            .unwrap()
                    })
                    .collect();
                let fetch_ms = ms(begun);
                let begun = Instant::now();
                let bytes: usize = fetched.iter().map(|fetched| fetched.reservation_bytes()).sum();
                (scan.partitions(), fetch_ms, ms(begun), bytes)
            });
            let (partitions, fetch_ms, layout_ms, bytes) = figures.await.unwrap();
            println!(
                "{what}: open {open_ms:.3} ms, {partitions} partitions fetched in {fetch_ms:.3} ms, \
                 laid out in {layout_ms:.3} ms, {bytes} device bytes"
            );
        }
    }
}
