//! The smallest and the largest of a table's keys, found on the device.

use super::super::program::{More, Programs};
use super::super::{Gpu, KernelTimes, Result};
use crate::batch::{DeviceBatch, Repr, Space};
use crate::pipeline::expr::Expr;
use crate::pipeline::kernels::{KEY_RANGE, is_unsigned, key_range};

/// The smallest and the largest key as words that sort as keys do, and how many keys are not null.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyRange {
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) count: u64,
    unsigned: bool,
}

impl KeyRange {
    /// The key that a word stands for.
    pub(super) fn value(&self, word: u64) -> u64 {
        if self.unsigned { word } else { word ^ 1 << 63 }
    }
}

/// Finds it for a key that may be dense, over all rows of `batches`. Waits for it.
pub(super) fn key_range_sync(
    gpu: &Gpu,
    times: &KernelTimes,
    batches: &[&DeviceBatch],
    key: &Expr,
    space: &Space,
) -> Result<KeyRange> {
    let error = space.error_word_sync()?;
    let mut programs: Programs<()> = Programs::default();
    let range = space.upload_sync(&[u64::MAX, 0, 0])?;
    for batch in batches {
        let program = programs.of(gpu, times, batch, (), |columns| key_range(columns, key))?;
        program.run(space, times, batch, &error, &[More::View(range.view())])?;
    }
    let words: Vec<u64> = space.stream.read_sync(range.slice(0..24)?)?;
    error.check_sync(&space.stream, KEY_RANGE)?;
    Ok(KeyRange {
        least: words[0],
        most: words[1],
        count: words[2],
        unsigned: Repr::of(&key.data_type).is_some_and(is_unsigned),
    })
}
