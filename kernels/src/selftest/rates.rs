//! What a device can do at best: the ceilings that a query's times are compared with. Comes in: a device. Goes out:
//! bytes a second for copies, and the time that the compiler takes for the smallest kernel over the prelude.

use std::time::{Duration, Instant};

use crate::device::Device;
use crate::error::Result;
use crate::module::KernelSource;
use crate::stream::Stream;

/// Times each copy is repeated, after a first one.
const REPEATS: u32 = 8;

/// Measured ceilings of one device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Pinned host memory to the device, bytes a second.
    pub to_device: f64,
    /// The device to pinned host memory, bytes a second.
    pub to_host: f64,
    /// Within device memory, bytes copied a second: each is read once and written once.
    pub on_device: f64,
    /// One compilation, the compiler being warm.
    pub compile: Duration,
}

/// Measures them, which takes some tens of milliseconds on a GPU.
pub fn measure_rates_sync(device: &Device) -> Result<Rates> {
    let stream = device.stream()?;
    let bytes = device.pinned_slab_bytes_max();
    let device_bytes = bytes * 8;
    let reservation = device.reserve(device_bytes * 2)?;
    let first = stream.allocate_zeroed(&reservation, device_bytes)?;
    let second = stream.allocate(&reservation, device_bytes)?;
    let host = device.pinned(bytes)?.freeze(bytes)?;
    let to_device = rate(&stream, bytes, || stream.upload(&host, first.slice(0..bytes)?))?;
    let on_device = rate(&stream, device_bytes, || stream.copy(second.view(), first.view()))?;
    let mut slab = Some(device.pinned(bytes)?);
    let mut to_host = 0.0f64;
    for _ in 0..=REPEATS {
        let Some(taken) = slab.take() else { break };
        let start = stream.record()?;
        let download = stream.download(first.slice(0..bytes)?, taken)?;
        let end = stream.record()?;
        slab = Some(download.wait_sync()?.0);
        end.wait_sync()?;
        to_host = to_host.max(per_second(bytes, end.since(&start)?));
    }
    Ok(Rates {
        to_device,
        to_host,
        on_device,
        compile: compile_time(device)?,
    })
}

/// The best of several runs of `work`, which moves `bytes`.
fn rate(stream: &Stream, bytes: usize, work: impl Fn() -> Result<()>) -> Result<f64> {
    let mut best = 0.0f64;
    for _ in 0..=REPEATS {
        let start = stream.record()?;
        work()?;
        let end = stream.record()?;
        end.wait_sync()?;
        best = best.max(per_second(bytes, end.since(&start)?));
    }
    Ok(best)
}

fn per_second(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64().max(1e-9)
}

/// Compiles twice and times the second: the first one also loads the compiler.
fn compile_time(device: &Device) -> Result<Duration> {
    let text = "WF_KERNEL(32) smallest(u64* out) { out[wf_grid_thread()] = 1; }";
    let source = KernelSource::generated("smallest", text, &["smallest"]);
    let compiler = device.compiler();
    compiler.compile(&source)?;
    let start = Instant::now();
    compiler.compile(&source)?;
    Ok(start.elapsed())
}
