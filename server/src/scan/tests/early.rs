//! Pieces that go to the device while the rest of their partition is read.

use super::files::{numbers, small_groups};
use super::*;

/// All columns of a partition that was read, and the device bytes that reading took ahead of the decode.
fn decoded(scan: &Scan, device: &Device, kernels: &ScanKernels, is_short: bool) -> (Vec<ArrayRef>, usize) {
    let before = device.memory_available_bytes();
    let others = is_short.then(|| device.reserve(device.memory_limit_bytes() / 2).unwrap());
    let fetched = scan.fetch_sync(0, Turn::last(), device, &|| false).unwrap();
    drop(others);
    let ahead = before - device.memory_available_bytes();
    let reservation = device.reserve(fetched.reservation_bytes()).unwrap();
    let stream = device.stream().unwrap();
    let rows = fetched.rows();
    let counters = ScanCounters::default();
    let decoded = fetched
        .decode_sync(&stream, &reservation, kernels, &counters)
        .unwrap();
    decoded.check.check_sync(&stream).unwrap();
    let columns = decoded.batch.columns.iter();
    let columns = columns.map(|column| downloaded(column, rows, &stream)).collect();
    assert_eq!(counters.now().uploaded_bytes, scan.host_bytes(0) as u64);
    (columns, ahead)
}

#[tokio::test]
async fn pieces_go_ahead_only_while_memory_is_plentiful() {
    let folder = folder();
    let path = folder.path().join("x.parquet");
    write(&path, &[numbers(0, 5000)], small_groups());
    let context = context();
    register(&context, "x", folder.path()).await;
    let scan = opened(&context, "select * from x", 1 << 30).await.unwrap();
    let schema = scan.spec().schema();
    let (plentiful, short) = tokio::task::spawn_blocking(move || {
        // Its own, because others' reservations count.
        let device = sim(12);
        let kernels = ScanKernels::new(&device).unwrap();
        let all = device.memory_available_bytes();
        let both = [false, true].map(|is_short| decoded(&scan, &device, &kernels, is_short));
        assert_eq!(device.memory_available_bytes(), all, "all is given back");
        let [plentiful, short] = both;
        assert!(plentiful.1 >= scan.host_bytes(0), "{} bytes ahead", plentiful.1);
        assert_eq!(short.1, 0);
        (plentiful.0, short.0)
    })
    .await
    .unwrap();
    let expected = expected(&path, &schema);
    assert_same("ahead", &schema, &plentiful, &expected);
    assert_same("at the decode", &schema, &short, &expected);
}
