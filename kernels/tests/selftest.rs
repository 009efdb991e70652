//! Every check of `selftest` on the emulation, under several seeds. The same checks run on a GPU by the server's
//! command of that name.

#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use warpflight_kernels::{Device, DeviceOptions, SimOptions, selftest};

fn open(seed: u64, fence_buffers: bool) -> Device {
    let cache_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("modules");
    let compiler = std::env::var_os("CXX").map(PathBuf::from);
    // Cut from one piece, all memory is written once when the device opens.
    let memory_bytes = if fence_buffers { 8 << 30 } else { 256 << 20 };
    let sim = SimOptions {
        seed,
        compiler,
        memory_bytes,
        ..SimOptions::default()
    };
    // Little enough to be used up.
    let options = DeviceOptions {
        pinned_limit_bytes: 128 << 20,
        fence_buffers,
        nvcomp: true,
        cache_dir: Some(cache_dir),
        sim,
        ..DeviceOptions::sim()
    };
    Device::open(&options).expect("the emulation opens")
}

/// Runs the checks whose names start with `prefix` under `seeds` orders of execution.
fn run(prefix: &str, seeds: u64, fence_buffers: bool) {
    let checks: Vec<_> = selftest::checks()
        .into_iter()
        .filter(|check| check.name.starts_with(prefix))
        .collect();
    assert!(!checks.is_empty(), "no check is called {prefix}");
    let mut failures = Vec::new();
    for seed in 0..seeds {
        selftest::run(&open(seed, fence_buffers), &checks, seed, |outcome| {
            println!(
                "{} seed {seed}: {:?} in {:?}",
                outcome.name, outcome.result, outcome.wall
            );
            assert_eq!(outcome.skipped, None, "{}", outcome.name);
            if let Err(failure) = &outcome.result {
                failures.push(format!("{} seed {seed}: {}", outcome.name, failure.0));
            }
        });
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn device_layer() {
    run("device/", 2, true);
}

#[test]
fn device_layer_with_buffers_cut_from_one_piece() {
    run("device/", 6, false);
}

#[test]
fn prelude() {
    run("prelude/", 4, true);
}

#[test]
fn parquet() {
    run("parquet/", 4, true);
}

#[test]
fn compress() {
    run("compress/", 4, true);
}

#[test]
fn select() {
    run("select/", 4, true);
}

#[test]
fn sort() {
    run("sort/", 4, true);
}

#[test]
fn group() {
    run("group/", 4, true);
}

#[test]
fn window() {
    run("window/", 4, true);
}

#[test]
fn strings() {
    run("strings/", 4, true);
}

#[test]
fn rates_are_measured() {
    let rates = selftest::measure_rates_sync(&open(1, true)).expect("measured");
    println!("{rates:?}");
    assert!(rates.to_device > 0.0 && rates.to_host > 0.0 && rates.on_device > 0.0);
    assert!(!rates.compile.is_zero());
}

#[test]
fn throughput_is_measured() {
    let measured = selftest::measure_throughput_sync(&open(1, true)).expect("measured");
    for step in &measured {
        println!("{step:?}");
        assert!(step.rows_per_second() > 0.0, "{step:?}");
    }
    assert_eq!(measured.len(), 19);
}
