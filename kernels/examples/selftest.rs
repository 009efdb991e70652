//! The kernels' checks on a device of this machine: `selftest [cuda|cuda-fenced|sim] [seeds] [prefix] [GiB]`, fenced
//! for compute-sanitizer; with a limit of its memory several can run side by side. Rates are measured where no prefix
//! is given. Ends with 1 if a check failed, with 2 if the device cannot be used.

mod libraries;

use std::process::ExitCode;

use warpflight_kernels::{Device, DeviceOptions, cuda, selftest};

#[allow(clippy::print_stdout)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let kind = arguments.first().map_or("cuda", String::as_str);
    let seeds: u64 = arguments.get(1).and_then(|seeds| seeds.parse().ok()).unwrap_or(3);
    let prefix = arguments.get(2).map_or("", String::as_str);
    if let Err(error) = libraries::load() {
        println!("{error}");
        return ExitCode::from(2);
    }
    print!("{}", cuda::probe());
    match cuda::nvcomp_version() {
        Ok(version) => println!("nvCOMP: {version}"),
        Err(reason) => println!("nvCOMP: {reason}"),
    }
    let mut options = if kind == "sim" {
        DeviceOptions::sim()
    } else {
        DeviceOptions::cuda()
    };
    options.fence_buffers |= kind == "cuda-fenced";
    let gibibytes: Option<usize> = arguments.get(3).and_then(|limit| limit.parse().ok());
    options.memory_limit_bytes = gibibytes.map(|limit| limit << 30);
    let device = match Device::open(&options) {
        Ok(device) => device,
        Err(error) => {
            println!("{error}");
            return ExitCode::from(2);
        }
    };
    println!("{}: {}", device.info().label(), device.info().name);
    match prefix.is_empty().then(|| selftest::measure_rates_sync(&device)) {
        Some(Ok(rates)) => println!("{rates:.1?}"),
        Some(Err(error)) => println!("rates: {error}"),
        None => {}
    }
    let checks: Vec<_> = selftest::checks()
        .into_iter()
        .filter(|check| check.name.starts_with(prefix))
        .collect();
    let mut failed = 0;
    for seed in 0..seeds {
        failed += selftest::run(&device, &checks, seed, |outcome| {
            let verdict = outcome
                .result
                .as_ref()
                .map_or_else(|failure| failure.0.as_str(), |()| "ok");
            let verdict = match &outcome.skipped {
                Some(reason) => format!("SKIPPED: {reason}"),
                None => verdict.to_owned(),
            };
            println!(
                "{:<32} seed {seed} {:>9.3?}  {verdict}",
                outcome.name, outcome.wall
            );
        });
    }
    println!("{failed} of {} checks failed", checks.len() * seeds as usize);
    ExitCode::from(u8::from(failed > 0))
}
