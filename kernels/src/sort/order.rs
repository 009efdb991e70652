//! All rows in order: the passes of `sort.cu`. Which of them run, the device decides: a pass over a digit that all
//! rows share returns at once, so nothing is read back and nobody waits.

use super::{DIGITS, Keys, PLACES, Sorter, THREADS, TILE_ROWS, sum_rounded};
use crate::buffer::Buffer;
use crate::error::Result;
use crate::launch::{Args, Grid};
use crate::plain::Plain;
use crate::reservation::Reservation;
use crate::stream::Stream;

/// Sizes in bytes of what a sort allocates.
struct Sizes {
    /// Row numbers: the result, and the other set.
    rows: usize,
    /// Key words of each of the two sets.
    keys: usize,
    /// What tiles tell those after them.
    told: usize,
    passes: usize,
    /// Counts of digits, tickets of passes, places that differ: all zero at first.
    counts: usize,
    tickets: usize,
    places: usize,
}

impl Sizes {
    fn new(rows: usize, words: usize) -> Self {
        Self {
            rows: rows * 4,
            keys: rows * 8,
            told: rows.div_ceil(TILE_ROWS) * DIGITS * 8,
            passes: words * PLACES * 4,
            counts: words * PLACES * DIGITS * 4,
            tickets: words * PLACES * 4,
            places: words * 4,
        }
    }

    fn zeroed(&self) -> usize {
        self.counts + self.tickets + self.places
    }
}

/// `WfSortBuffers` of `sort.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct SortBuffers {
    spare_keys: u64,
    result_keys: u64,
    spare_rows: u64,
    result_rows: u64,
}
// SAFETY: numbers only; 32 bytes without padding.
unsafe impl Plain for SortBuffers {}

impl Sorter {
    /// Device bytes that [`Self::sort`] draws on its reservation, the result among them.
    pub fn sort_bytes(rows: usize, words: usize) -> usize {
        let sizes = Sizes::new(rows, words);
        sum_rounded(&[
            sizes.rows,
            sizes.rows,
            sizes.keys,
            sizes.keys,
            sizes.told,
            sizes.passes,
            sizes.zeroed(),
        ])
    }

    /// Queues the sorting of all rows. Goes out: their numbers, 32 bits each, in ascending order of their words; rows
    /// with equal words stay in their order.
    pub fn sort(&self, stream: &Stream, reservation: &Reservation, keys: Keys<'_>) -> Result<Buffer> {
        keys.check(&self.sort_pass)?;
        let (rows, words) = (keys.rows, keys.words);
        let sizes = Sizes::new(rows, words);
        let result = stream.allocate(reservation, sizes.rows)?;
        if rows == 0 {
            return Ok(result);
        }
        let spare_rows = stream.allocate(reservation, sizes.rows)?;
        let spare_keys = stream.allocate(reservation, sizes.keys)?;
        let result_keys = stream.allocate(reservation, sizes.keys)?;
        let told = stream.allocate_zeroed(reservation, sizes.told)?;
        let passes = stream.allocate(reservation, sizes.passes)?;
        let zeroed = stream.allocate_zeroed(reservation, sizes.zeroed())?;
        let counts = zeroed.slice(0..sizes.counts)?;
        let tickets = zeroed.slice(sizes.counts..sizes.counts + sizes.tickets)?;
        let places = zeroed.slice(sizes.counts + sizes.tickets..sizes.zeroed())?;

        let mut grid = Grid::new(self.loop_blocks(rows), 256);
        grid.blocks[1] = words as u32;
        let args = Args::new().view(keys.view).value(rows as u64).view(counts);
        stream.launch(&self.count_digits, grid, &args)?;
        let args = Args::new().view(counts).value(rows as u64).view(places);
        stream.launch(&self.start_digits, Grid::new((words * PLACES) as u32, 256), &args)?;
        let args = Args::new().view(places).value(words as u32).buffer(&passes);
        stream.launch(&self.plan_passes, Grid::new(1, 1024), &args)?;

        let buffers = SortBuffers {
            spare_keys: spare_keys.address(),
            result_keys: result_keys.address(),
            spare_rows: spare_rows.address(),
            result_rows: result.address(),
        };
        let grid = Grid::covering(rows, TILE_ROWS, THREADS as u32).with_shared_bytes((TILE_ROWS * 8) as u32);
        for pass in 0..words * PLACES {
            let args = Args::new()
                .view(keys.view)
                .value(rows as u64)
                .value(words as u32)
                .value(pass as u32)
                .buffer(&passes)
                .view(counts)
                .view(tickets)
                .buffer(&told)
                .value(buffers)
                .also_uses(&spare_keys)
                .also_uses(&result_keys)
                .also_uses(&spare_rows)
                .also_uses(&result);
            stream.launch(&self.sort_pass, grid, &args)?;
        }
        Ok(result)
    }
}
