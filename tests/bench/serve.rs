//! What the whole server does over loopback: the throughput of a wide scan through one stream and through four, and
//! how long a one-row query takes with 1 and with 32 clients.
//!
//! `cargo build --release && cargo bench --workspace --bench serve` serves a Parquet table that it writes, asks by
//! arrow-flight's generated client, and prints a table. 1 GB is 10^9 bytes of Flight message bodies.

#![allow(clippy::print_stdout, reason = "the table is what this is for")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use tonic::transport::Endpoint;
use warpflight_tests::client::Client;
use warpflight_tests::data::write_parquet;
use warpflight_tests::server::{Options, Server};
use warpflight_tests::target::{made_once, release_server};

const ROWS: i64 = 20_000_000;
const ROUNDS: usize = 7;
const LATENCY_SECONDS: u64 = 5;
const SCAN: &str = "select * from wide";
const ONE_ROW: &str = "select 1";
const CLIENT_WINDOW_BYTES: u32 = 16 << 20;

fn main() {
    // `cargo test --all-targets` runs this too, without `--bench`.
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("serve: run by `cargo bench` only");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(measure());
}

async fn measure() {
    let data = made_once("bench-wide-v1", write_wide);
    let server = Options::new()
        .binary(release_server())
        .data(data.join("wide.parquet"))
        .start();
    println!("{}", machine());
    println!("| what | clients | best | median |\n|---|---|---|---|");
    for streams in [1, 4] {
        let mut speeds = Vec::new();
        for _ in 0..ROUNDS {
            speeds.push(scan(&server, streams).await);
        }
        speeds.sort_by(f64::total_cmp);
        let (best, median) = (speeds[ROUNDS - 1], speeds[ROUNDS / 2]);
        println!("| scan of four 8-byte columns, {ROWS} rows, GB/s | {streams} | {best:.2} | {median:.2} |");
    }
    println!("\n| what | clients | p50 | p99 | queries a second |\n|---|---|---|---|---|");
    for clients in [1, 32] {
        let (mut times, elapsed) = latencies(&server, clients).await;
        times.sort();
        let at = |quantile: f64| times[((times.len() - 1) as f64 * quantile) as usize].as_secs_f64() * 1e3;
        let rate = times.len() as f64 / elapsed.as_secs_f64();
        println!(
            "| `{ONE_ROW}`, ms | {clients} | {:.2} | {:.2} | {rate:.0} |",
            at(0.5),
            at(0.99)
        );
    }
}

/// Four columns that neither dictionaries nor run lengths shrink.
fn write_wide(folder: &Path) {
    let mixed = |n: i64, salt: u64| (n as u64 ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let integers = |salt: u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            (0..ROWS).map(|n| mixed(n, salt) as i64),
        ))
    };
    let floats = |salt: u64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(
            (0..ROWS).map(|n| mixed(n, salt) as f64),
        ))
    };
    let columns = [
        ("a", integers(1)),
        ("b", integers(2)),
        ("c", floats(3)),
        ("d", floats(4)),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("the columns are equally long");
    write_parquet(&folder.join("wide.parquet"), &batch, 1 << 20);
}

async fn connect(server: &Server) -> Client {
    let endpoint =
        Endpoint::from_shared(format!("http://{}", server.address())).expect("the address is a URL");
    let endpoint = endpoint
        .initial_stream_window_size(CLIENT_WINDOW_BYTES)
        .initial_connection_window_size(CLIENT_WINDOW_BYTES)
        .tcp_nodelay(true);
    Client::connect_endpoint(endpoint)
        .await
        .expect("the server accepts")
}

/// Gigabytes a second of all streams together, each on a connection of its own.
async fn scan(server: &Server, streams: usize) -> f64 {
    let mut clients = Vec::new();
    for _ in 0..streams {
        clients.push(connect(server).await);
    }
    let started = Instant::now();
    let reading = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            let mut stream = client.stream(SCAN).await.expect("the query runs");
            let mut bytes = 0;
            while let Some(message) = stream.message().await.expect("the stream goes on") {
                bytes += message.data_body.len();
            }
            bytes
        })
    });
    let mut bytes = 0;
    for reading in reading.collect::<Vec<_>>() {
        bytes += reading.await.expect("the reader does not panic");
    }
    assert!(bytes >= streams * ROWS as usize * 32, "{bytes} bytes came");
    bytes as f64 / 1e9 / started.elapsed().as_secs_f64()
}

/// How long each query took, GetFlightInfo and DoGet to the last message, and how long all took together.
async fn latencies(server: &Server, clients: usize) -> (Vec<Duration>, Duration) {
    let started = Instant::now();
    let asking = (0..clients).map(|_| {
        let connecting = connect(server);
        async move {
            let mut client = connecting.await;
            client.value(ONE_ROW).await.expect("the query runs");
            let (mut times, begun) = (Vec::new(), Instant::now());
            while begun.elapsed() < Duration::from_secs(LATENCY_SECONDS) {
                let asked = Instant::now();
                let mut stream = client.stream(ONE_ROW).await.expect("the query runs");
                while stream.message().await.expect("the stream goes on").is_some() {}
                times.push(asked.elapsed());
            }
            times
        }
    });
    let times = futures::future::join_all(asking).await.concat();
    (times, started.elapsed())
}

fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    format!(
        "{cores} cores of {}, client and server on the same\n",
        model.unwrap_or("an unknown processor")
    )
}
