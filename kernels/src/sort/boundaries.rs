//! Where sorted rows change: groups, distinct rows, partitions of a window.

use super::{Keys, Sorter, sum_rounded};
use crate::buffer::{Buffer, View};
use crate::error::Result;
use crate::launch::{Args, Grid};
use crate::reservation::Reservation;
use crate::stream::Stream;

impl Sorter {
    /// Device bytes that [`Self::boundaries`] draws on its reservation.
    pub fn boundaries_bytes(rows: usize) -> usize {
        sum_rounded(&[bitmap_bytes(rows)])
    }

    /// Queues a bitmap, in whole 32-bit words: bit `i` is set if row `order[i]` differs in any word of `keys` from row
    /// `order[i - 1]`, and bit 0 is. `order` is what [`Self::sort`] gave, for these words or for more of which these
    /// are a [`Keys::prefix`]. Bits after the last row are 0.
    pub fn boundaries(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        keys: Keys<'_>,
        order: View<'_>,
    ) -> Result<Buffer> {
        keys.check(&self.mark_boundaries)?;
        order.expect_len("row numbers in order", keys.rows * 4)?;
        let bitmap = stream.allocate(reservation, bitmap_bytes(keys.rows))?;
        if keys.rows == 0 {
            return Ok(bitmap);
        }
        let args = Args::new()
            .view(keys.view)
            .value(keys.rows as u64)
            .value(keys.words as u32)
            .view(order)
            .buffer(&bitmap);
        stream.launch(&self.mark_boundaries, Grid::covering(keys.rows, 256, 256), &args)?;
        Ok(bitmap)
    }
}

fn bitmap_bytes(rows: usize) -> usize {
    rows.div_ceil(32) * 4
}
