//! Properties of the kernels, checked against plain Rust on a given device. Comes in: an opened device and a seed.
//! Goes out: an outcome a check. The tests run it on the emulation, `warpflight selftest` on a real GPU: the same
//! checks, from the same binary.

mod compress;
mod device_layer;
mod encode;
mod group;
mod parquet;
mod prelude;
mod random;
mod rates;
mod select;
mod sort;
mod throughput;
mod window;

use std::time::{Duration, Instant};

pub use random::Random;
pub use rates::{Rates, measure_rates_sync};
pub use throughput::{Throughput, measure_throughput_sync};

use crate::device::Device;
use crate::error::DeviceError;
use crate::info::DeviceKind;
use crate::reservation::Reservation;
use crate::stream::Stream;

/// One property, or a family of them.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// What is checked, such as `prelude/block_scan`.
    pub name: &'static str,
    run: fn(&mut Context) -> Result<(), Failure>,
}

/// Why a check failed: a difference found, or an error of the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self(error.to_string())
    }
}

/// The test kernels, for whoever compiles every kernel there is.
pub(crate) fn source() -> crate::module::KernelSource {
    prelude::source()
}

/// How one check ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The check's name.
    pub name: &'static str,
    /// The seed of its random inputs.
    pub seed: u64,
    /// What was wrong, if anything.
    pub result: Result<(), Failure>,
    /// Why it was left out, if it was: then nothing is known to be right.
    pub skipped: Option<String>,
    /// How long it took, compilation included.
    pub wall: Duration,
}

/// All checks, in the order in which the layers stand on each other.
pub fn checks() -> Vec<Check> {
    [
        device_layer::CHECKS,
        prelude::CHECKS,
        parquet::CHECKS,
        compress::CHECKS,
        select::CHECKS,
        sort::CHECKS,
        group::CHECKS,
        window::CHECKS,
    ]
    .concat()
}

/// Runs `checks` on `device`, telling `report` about each as it ends, and returns how many failed.
pub fn run(device: &Device, checks: &[Check], seed: u64, mut report: impl FnMut(&Outcome)) -> usize {
    let mut failed = 0;
    for check in checks {
        let start = Instant::now();
        let mut skipped = None;
        let result = Context::new(device, seed).and_then(|mut context| {
            let result = (check.run)(&mut context);
            skipped = context.skipped;
            result
        });
        failed += usize::from(result.is_err());
        report(&Outcome {
            name: check.name,
            seed,
            result,
            skipped,
            wall: start.elapsed(),
        });
    }
    failed
}

/// What a check works with.
pub(crate) struct Context {
    pub(crate) device: Device,
    pub(crate) stream: Stream,
    pub(crate) reservation: Reservation,
    pub(crate) random: Random,
    skipped: Option<String>,
}

impl Context {
    fn new(device: &Device, seed: u64) -> Result<Self, Failure> {
        Ok(Self {
            device: device.clone(),
            stream: device.stream()?,
            reservation: device.reserve((1 << 30).min(device.memory_available_bytes() / 2))?,
            random: Random::new(seed),
            skipped: None,
        })
    }

    /// Says why a check is left out.
    pub(crate) fn skip(&mut self, reason: String) {
        self.skipped = Some(reason);
    }

    /// Whether large inputs take no time: on a GPU, without the allocation a buffer that is for sanitizers, which make
    /// kernels a thousand times slower.
    pub(crate) fn is_fast(&self) -> bool {
        self.device.info().kind == DeviceKind::Cuda && !self.device.inner.api.fences_allocations()
    }

    /// Sizes at which kernels with tiles of `tile` items go wrong, and many blocks; also a large one where that is fast.
    pub(crate) fn sizes(&mut self, tile: usize) -> Vec<usize> {
        let many = 3 * tile + 1 + self.random.below(2 * tile as u64) as usize;
        let mut sizes = vec![0, 1, 31, 32, 33, tile - 1, tile, tile + 1, many];
        if self.is_fast() {
            sizes.push((1 << 20) + 7);
        }
        sizes
    }
}

/// The bit of a row in a bitmap of 32-bit words.
pub(crate) fn is_set(words: &[u32], row: usize) -> bool {
    words[row / 32] >> (row % 32) & 1 == 1
}

/// Fails with the first place where two lists differ.
pub(crate) fn expect_equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &[T],
    expected: &[T],
) -> Result<(), Failure> {
    if found.len() != expected.len() {
        return Err(Failure(format!(
            "{what}: {} values, expected {}",
            found.len(),
            expected.len()
        )));
    }
    match found.iter().zip(expected).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(at) => Err(Failure(format!(
            "{what}: value {at} of {} is {:?}, expected {:?}",
            found.len(),
            found[at],
            expected[at]
        ))),
    }
}
