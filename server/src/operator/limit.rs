//! Some of the rows: those after the first `skip`, `fetch` at most.

use super::concat::gather_sync;
use super::{Gpu, Result};
use crate::batch::{DeviceBatch, Space};

/// How far a limit has come.
#[derive(Debug)]
pub struct Limit {
    skip: usize,
    left: Option<usize>,
}

impl Limit {
    /// Leaves out `skip` rows and then passes `fetch`.
    pub fn new(skip: usize, fetch: Option<usize>) -> Self {
        Self { skip, left: fetch }
    }

    /// Whether no row will pass any more.
    pub fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// The rows of `batch` that pass.
    pub fn apply_sync(&mut self, gpu: &Gpu, batch: DeviceBatch, space: &Space) -> Result<DeviceBatch> {
        let skipped = self.skip.min(batch.rows);
        self.skip -= skipped;
        let rest = batch.rows - skipped;
        let passed = self.left.map_or(rest, |left| rest.min(left));
        if let Some(left) = &mut self.left {
            *left -= passed;
        }
        if skipped == 0 {
            // Columns may be longer than their batch.
            return Ok(DeviceBatch {
                rows: passed,
                ..batch
            });
        }
        let last = skipped + passed;
        let numbers: Vec<u32> = (skipped as u32..last as u32).collect();
        let numbers = space.upload_sync(&numbers)?;
        gather_sync(gpu, &batch, numbers.view(), passed, space)
    }
}
