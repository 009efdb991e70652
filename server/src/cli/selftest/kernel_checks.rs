//! The kernels' own checks, one after the other, and how fast some kernels are. In: a device. Out: outcomes; rates in
//! words.

use std::time::Duration;

use kernels::selftest::{self, Check};
use kernels::{Device, DeviceKind, DeviceOptions};

use super::tally::{Tally, print};
use crate::error::Result;
use crate::error_device::on_device;

/// Runs each check once a seed, until time is up.
///
/// # Errors
/// As [`Tally::note`].
pub async fn run(device: &Device, checks: &[Check], seeds: u64, tally: &Tally) -> Result<()> {
    for seed in 0..seeds {
        for &check in checks {
            if tally.is_over() {
                return Ok(());
            }
            let device = device.clone();
            // Elsewhere, so that Ctrl-C is heard.
            let ran = tokio::task::spawn_blocking(move || {
                let mut ran = (Duration::ZERO, Ok(()), None);
                selftest::run(&device, &[check], seed, |outcome| {
                    let result = outcome.result.clone().map_err(|failure| failure.0);
                    ran = (outcome.wall, result, outcome.skipped.clone());
                });
                ran
            });
            let (wall, outcome, skipped) = ran
                .await
                .unwrap_or_else(|error| (Duration::ZERO, Err(error.to_string()), None));
            let name = format!("{}, seed {seed}", check.name);
            match skipped {
                Some(reason) => tally.skip(&name, &reason)?,
                None => tally.note(&name, wall, outcome)?,
            }
        }
    }
    Ok(())
}

/// The same device, opened once more with an allocation a buffer.
///
/// # Errors
/// As [`Device::open`].
pub fn fenced(device: &Device) -> Result<Device> {
    let info = device.info();
    let options = DeviceOptions {
        fence_buffers: true,
        ordinal: info.ordinal,
        nvcomp: device.unpacker().is_some(),
        ..match info.kind {
            DeviceKind::Cuda => DeviceOptions::cuda(),
            DeviceKind::Sim => DeviceOptions::sim(),
        }
    };
    Device::open(&options).map_err(on_device)
}

/// A line a step: million rows a second, and the memory that it moves at least, in gigabytes a second.
///
/// # Errors
/// Of the device; as [`print`].
pub fn print_rates(device: &Device) -> Result<()> {
    for step in selftest::measure_throughput_sync(device).map_err(on_device)? {
        let rate = step.rows_per_second();
        let moved = rate * step.floor_bytes as f64 / 1e9;
        print(&format!(
            "{:>10.1} million rows a second, {moved:>8.1} GB/s: {}, {} rows\n",
            rate / 1e6,
            step.name,
            step.rows
        ))?;
    }
    Ok(())
}
