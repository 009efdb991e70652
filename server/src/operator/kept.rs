//! Batches that an operator keeps until all have come.

use super::columns::used;
use super::concat::concat_sync;
use super::{Gpu, Result};
use crate::batch::{DeviceBatch, Space};

/// Batches in the order in which they came, each with the space that holds it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    batches: Vec<(DeviceBatch, Space)>,
}

impl Kept {
    /// Keeps `batch`, which `space` holds, if it has rows; whatever else `space` reserved is free again.
    pub(super) fn push(&mut self, batch: DeviceBatch, space: Space) {
        space.shrink();
        if batch.rows > 0 {
            self.batches.push((batch, space));
        }
    }

    /// How many rows are kept.
    pub(super) fn rows(&self) -> usize {
        self.batches.iter().map(|(batch, _)| batch.rows).sum()
    }

    /// What is kept.
    pub(super) fn batches(&self) -> impl Iterator<Item = &DeviceBatch> {
        self.batches.iter().map(|(batch, _)| batch)
    }

    /// Bytes of what is kept, those that several batches lead to as often.
    pub(super) fn bytes(&self) -> usize {
        let buffers = self.batches().flat_map(used);
        buffers.map(kernels::Buffer::len_bytes).sum()
    }

    /// The batches themselves, each with the space that holds it.
    pub(super) fn take_batches(&mut self) -> Vec<(DeviceBatch, Space)> {
        std::mem::take(&mut self.batches)
    }

    /// All rows as one batch, which `space` holds if there was more than one; `None` if there are none.
    pub(super) fn take_sync(&mut self, gpu: &Gpu, space: &Space) -> Result<Option<DeviceBatch>> {
        if self.batches.is_empty() {
            return Ok(None);
        }
        let batches = self.batches.drain(..).map(|(batch, _)| batch).collect();
        concat_sync(gpu, batches, space).map(Some)
    }
}
