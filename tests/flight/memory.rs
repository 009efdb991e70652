//! Slow readers do not grow the server's memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use warpflight_tests::client::Client;
use warpflight_tests::server::{Options, Server};

/// Over the baseline.
const GROWTH_BYTES_MAX: u64 = 256 << 20;

/// 32 computed columns of 8 bytes by 8 million rows: over 2 GB, no two columns of which share memory.
fn wide_rows(millions: u64) -> String {
    let columns: Vec<String> = (0..32)
        .map(|column| format!("value + {column} as c{column}"))
        .collect();
    format!(
        "select {} from generate_series(1, {millions}000000)",
        columns.join(", ")
    )
}

/// The most memory that the server held while this ran.
struct Watch {
    stop: Arc<AtomicBool>,
    peak: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    fn start(server: &Arc<Server>) -> Self {
        let (stop, peak) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = std::thread::spawn({
            let (stop, peak, server) = (Arc::clone(&stop), Arc::clone(&peak), Arc::clone(server));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    peak.fetch_max(server.resident_bytes(), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        });
        Self {
            stop,
            peak,
            thread: Some(thread),
        }
    }

    fn peak_bytes(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .take()
            .expect("it is taken once")
            .join()
            .expect("watching does not panic");
        self.peak.load(Ordering::Relaxed)
    }
}

/// A server that has answered a query of the kind, and the memory that it then holds.
async fn warmed_up() -> (Arc<Server>, u64) {
    let server = Arc::new(Options::new().args(["--concurrent-queries-max", "8"]).start());
    let mut client = Client::connect(&server).await;
    let mut stream = client.stream(&wide_rows(1)).await.expect("it runs");
    for _ in 0..20 {
        stream
            .message()
            .await
            .expect("it has begun")
            .expect("it has begun");
    }
    drop(stream);
    server.wait_metric("warpflight_queries_running", Duration::from_secs(5), |running| {
        running == 0.0
    });
    let baseline = server.resident_bytes();
    (server, baseline)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_reader_of_two_gigabytes() {
    let (server, baseline) = warmed_up().await;
    let watch = Watch::start(&server);
    let mut client = Client::connect(&server).await;
    let mut stream = client.stream(&wide_rows(8)).await.expect("it runs");
    let (mut bytes, mut stalls) = (0, 0);
    while let Some(message) = stream.message().await.expect("it goes on") {
        bytes += message.data_body.len() as u64;
        // Slow over the first tenth, then with a stall at every fifth, and fast between.
        if bytes < 200 << 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if bytes / (400 << 20) > stalls {
            stalls += 1;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
    let peak = watch.peak_bytes();
    assert!(bytes >= 2_000_000_000, "{bytes} bytes came");
    let grown = peak.saturating_sub(baseline);
    assert!(
        grown < GROWTH_BYTES_MAX,
        "from {} to {} MiB",
        baseline >> 20,
        peak >> 20
    );
    println!(
        "{} MB read; the server held {} MiB, {} at most",
        bytes / 1_000_000,
        baseline >> 20,
        peak >> 20
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn four_stalled_readers() {
    let (server, baseline) = warmed_up().await;
    let watch = Watch::start(&server);
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut client = Client::connect(&server).await;
        let mut stream = client.stream(&wide_rows(100)).await.expect("it runs");
        stream
            .message()
            .await
            .expect("it has begun")
            .expect("it has begun");
        streams.push((client, stream));
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    Client::assert_answers(&server).await;
    drop(streams);
    server.wait_metric("warpflight_queries_running", Duration::from_secs(2), |running| {
        running == 0.0
    });
    let peak = watch.peak_bytes();
    let grown = peak.saturating_sub(baseline);
    assert!(
        grown < GROWTH_BYTES_MAX,
        "from {} to {} MiB",
        baseline >> 20,
        peak >> 20
    );
    assert_eq!(server.metric("warpflight_result_buffer_bytes"), 0.0);
    println!("the server held {} MiB, {} at most", baseline >> 20, peak >> 20);
}
