//! The pool of pinned memory at its limit: what is idle serves whoever asks, in whatever size.

use std::time::Duration;

use warpflight_kernels::selftest::Random;
use warpflight_kernels::{Device, DeviceOptions, PinnedSlab};

const LIMIT: usize = 1 << 20;
const SMALL: usize = 4 << 10;

fn open() -> Device {
    let options = DeviceOptions {
        pinned_limit_bytes: LIMIT,
        ..DeviceOptions::sim()
    };
    Device::open(&options).expect("the emulation opens")
}

/// Slabs of a size until there are no more.
fn all_of(device: &Device, bytes: usize) -> Vec<PinnedSlab> {
    let mut slabs = Vec::new();
    while let Ok(slab) = device.pinned(bytes) {
        assert!(slab.len() >= bytes, "{slab:?}");
        slabs.push(slab);
    }
    assert!(device.pinned_bytes() <= LIMIT, "{} bytes", device.pinned_bytes());
    slabs
}

#[test]
fn idle_slabs_of_other_sizes_are_no_loss() {
    let device = open();
    let large = device.pinned_slab_bytes_max();
    assert!(large > SMALL && large <= LIMIT / 4, "{large}");
    // Small ones become large ones, and large ones small ones.
    for _ in 0..2 {
        assert_eq!(all_of(&device, SMALL).len(), LIMIT / SMALL);
        assert_eq!(all_of(&device, large).len(), LIMIT / large);
    }
    let used = all_of(&device, large);
    let error = device.pinned(SMALL).expect_err("all are in use");
    assert!(error.is_out_of_memory(), "{error}");
    let error = device
        .pinned_sync(SMALL, Duration::from_millis(30))
        .expect_err("none comes back");
    assert!(error.is_out_of_memory(), "{error}");
    drop(used);
    assert!(device.pinned(SMALL).is_ok());
}

#[test]
fn what_is_left_to_others_is_left() {
    let device = open();
    let left = LIMIT / 8;
    let mut slabs = Vec::new();
    while let Ok(slab) = device.pinned_leaving(SMALL, left) {
        slabs.push(slab);
    }
    assert_eq!(slabs.len(), (LIMIT - left) / SMALL);
    assert_eq!(all_of(&device, SMALL).len(), left / SMALL);
}

#[test]
fn a_slab_that_comes_back_ends_the_wait() {
    let device = open();
    let slabs = all_of(&device, device.pinned_slab_bytes_max());
    let waiter = std::thread::spawn({
        let device = device.clone();
        move || device.pinned_sync(SMALL, Duration::from_secs(60)).map(drop)
    });
    std::thread::sleep(Duration::from_millis(50));
    drop(slabs);
    assert!(waiter.join().expect("no panic").is_ok());
}

/// Slabs of all sizes come and go in any order: each is its owner's alone, and in the end nothing is lost.
#[test]
fn slabs_come_and_go() {
    for seed in 0..20 {
        let device = open();
        let mut random = Random::new(seed);
        let mut slabs: Vec<(PinnedSlab, u8)> = Vec::new();
        for step in 0..2_000 {
            if random.below(2) == 0 && !slabs.is_empty() {
                let (slab, mark) = slabs.swap_remove(random.below(slabs.len() as u64) as usize);
                let is_whole = slab.iter().all(|&byte| byte == mark);
                assert!(
                    is_whole,
                    "seed {seed}, step {step}: {slab:?} was written to by another"
                );
                continue;
            }
            let bytes = [1, SMALL, SMALL + 1, 64 << 10][random.below(4) as usize];
            if let Ok(mut slab) = device.pinned(bytes) {
                assert!(
                    slab.len() >= bytes,
                    "seed {seed}, step {step}: {slab:?} for {bytes} bytes"
                );
                let mark = step as u8;
                slab.fill(mark);
                slabs.push((slab, mark));
            }
            let used: usize = slabs.iter().map(|(slab, _)| slab.len()).sum();
            assert!(used <= device.pinned_bytes(), "seed {seed}, step {step}");
        }
        drop(slabs);
        let large = device.pinned_slab_bytes_max();
        assert_eq!(all_of(&device, large).len(), LIMIT / large, "seed {seed}");
    }
}
