//! The numbers of the rows that filters keep, for the host: which of them are worth reading the rest of.

use super::{Gpu, KernelTimes, Result, Rows};
use crate::batch::{DeviceBatch, Space};
use crate::pipeline::expr::Expr;

/// Of more rows than one of so many, every page holds some.
const ROWS_A_FIND_MIN: usize = 1000;

/// Finds rows by filters.
#[derive(Debug)]
pub struct Seek {
    rows: Rows,
}

impl Seek {
    /// Finds the rows for which all `filters` are true.
    pub fn new(filters: Vec<Expr>) -> Self {
        Self {
            rows: Rows::new(filters, Vec::new()),
        }
    }

    /// The numbers of the rows of `batch` that are kept, ascending; `None` if they are too many for their pages to be few.
    /// Waits for the device.
    pub fn find_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        space: &Space,
    ) -> Result<Option<Vec<u32>>> {
        let error = space.error_word_sync()?;
        let found = self.rows.select(gpu, times, batch, space, &error)?;
        error.check_sync(&space.stream, crate::pipeline::kernels::MASK)?;
        Ok(match found {
            Some(found) if found.rows == 0 => Some(Vec::new()),
            Some(found) if found.rows <= batch.rows / ROWS_A_FIND_MIN => match found.numbers {
                Some(numbers) => Some(space.stream.read_sync(numbers.slice(0..found.rows * 4)?)?),
                None => None,
            },
            _ => None,
        })
    }
}
