//! The first rows in order, of many: the steps of `first.cu`. The device narrows the rows down to a few thousand,
//! which are then sorted; how many are left after a step is not read back, and steps that are not needed return at
//! once.

use super::{DIGITS, Keys, PLACES, Sorter, sum_rounded};
use crate::buffer::Buffer;
use crate::error::Result;
use crate::launch::{Args, Grid};
use crate::plain::Plain;
use crate::reservation::Reservation;
use crate::stream::Stream;

/// Steps are over when this many rows are left, if twice `k` is not more: about what one pass of a sort takes.
const LEFT_ROWS: usize = 4096;
/// Digits of a row number.
const ROW_PLACES: usize = 4;
/// `WfSelection` of `first.cu`.
const SELECTION_BYTES: usize = 20;

/// Sizes in bytes of what a selection allocates.
struct Sizes {
    /// Rows that are sorted in the end.
    capacity: usize,
    list: usize,
    chosen: usize,
    selections: usize,
    /// Counts of digits and cursors of lists, all zero at first.
    counts: usize,
    cursors: usize,
    /// Key words of the rows that are left, with the row number as one more.
    gathered: usize,
}

impl Sizes {
    fn new(rows: usize, words: usize, k: usize) -> Self {
        let capacity = LEFT_ROWS.max(2 * k);
        let steps = steps(words).count();
        Self {
            capacity,
            list: rows * 4,
            chosen: k * 4,
            selections: steps * SELECTION_BYTES,
            counts: 3 * PLACES * DIGITS * 4,
            cursors: steps * 8,
            gathered: capacity * (words + 1) * 8,
        }
    }

    fn sorts_all(&self, rows: usize) -> bool {
        self.capacity >= rows
    }
}

/// A step: the word that it looks at, and the place of the digit, or none if it counts the digits.
type Step = (usize, Option<usize>);

/// From the first word's highest digit to the lowest of the row number, each word counted before.
fn steps(words: usize) -> impl Iterator<Item = Step> {
    (0..=words).flat_map(move |word| {
        let places = if word == words { ROW_PLACES } else { PLACES };
        std::iter::once((word, None)).chain((0..places).rev().map(move |place| (word, Some(place))))
    })
}

/// `WfFirst` of `first.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct First {
    keys: u64,
    rows: u64,
    words: u32,
    k: u32,
    capacity: u32,
    reserved: u32,
    selections: u64,
    counts: u64,
    cursors: u64,
    lists: [u64; 2],
    chosen: u64,
}
// SAFETY: numbers only; 80 bytes without padding.
unsafe impl Plain for First {}

impl Sorter {
    /// Device bytes that [`Self::first`] draws on its reservation, the result among them.
    pub fn first_bytes(rows: usize, words: usize, k: usize) -> usize {
        let k = k.min(rows);
        let sizes = Sizes::new(rows, words, k);
        if sizes.sorts_all(rows) {
            return Self::sort_bytes(rows, words) + sum_rounded(&[k * 4]);
        }
        Self::sort_bytes(sizes.capacity, words + 1)
            + sum_rounded(&[
                k * 4,
                sizes.list,
                sizes.list,
                sizes.chosen,
                sizes.selections,
                sizes.counts + sizes.cursors,
                sizes.gathered,
            ])
    }

    /// Queues the finding of the first `k` rows in the order of [`Self::sort`], or of all rows if there are fewer.
    /// Goes out: their numbers, 32 bits each, in that order; of rows with equal words those with smaller numbers.
    pub fn first(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        keys: Keys<'_>,
        k: usize,
    ) -> Result<Buffer> {
        keys.check(&self.narrow)?;
        let k = k.min(keys.rows);
        let result = stream.allocate(reservation, k * 4)?;
        if k == 0 {
            return Ok(result);
        }
        let sizes = Sizes::new(keys.rows, keys.words, k);
        if sizes.sorts_all(keys.rows) {
            let order = self.sort(stream, reservation, keys)?;
            stream.copy(result.view(), order.slice(0..k * 4)?)?;
            return Ok(result);
        }
        let gathered = self.narrow_down(stream, reservation, keys, k, &sizes)?;
        let left = Keys {
            view: gathered.view(),
            rows: sizes.capacity,
            words: keys.words + 1,
        };
        let order = self.sort(stream, reservation, left)?;
        let row_words = gathered.slice(keys.words * sizes.capacity * 8..sizes.gathered)?;
        let args = Args::new()
            .view(row_words)
            .buffer(&order)
            .value(k as u64)
            .buffer(&result);
        stream.launch(&self.pick_rows, Grid::covering(k, 256, 256), &args)?;
        Ok(result)
    }

    /// Key words and numbers of `capacity` rows, or of fewer and of nothing, among which the first `k` are.
    fn narrow_down(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        keys: Keys<'_>,
        k: usize,
        sizes: &Sizes,
    ) -> Result<Buffer> {
        let lists = [
            stream.allocate(reservation, sizes.list)?,
            stream.allocate(reservation, sizes.list)?,
        ];
        let chosen = stream.allocate(reservation, sizes.chosen)?;
        let selections = stream.allocate(reservation, sizes.selections)?;
        let zeroed = stream.allocate_zeroed(reservation, sizes.counts + sizes.cursors)?;
        let gathered = stream.allocate(reservation, sizes.gathered)?;
        let first = First {
            keys: keys.view.address(),
            rows: keys.rows as u64,
            words: keys.words as u32,
            k: k as u32,
            capacity: sizes.capacity as u32,
            reserved: 0,
            selections: selections.address(),
            counts: zeroed.address(),
            cursors: zeroed.address() + sizes.counts as u64,
            lists: [lists[0].address(), lists[1].address()],
            chosen: chosen.address(),
        };
        let args = || {
            let args = Args::new().value(first).also_uses(keys.view.buffer());
            [&lists[0], &lists[1], &chosen, &selections, &zeroed]
                .into_iter()
                .fold(args, |args, buffer| args.also_uses(buffer))
        };
        let grid = Grid::new(self.loop_blocks(keys.rows), 256);
        let mut count = 0u32;
        for (word, place) in steps(keys.words) {
            let args = args().value(count).value(word as u32);
            match place {
                None => stream.launch(&self.count_candidates, grid, &args)?,
                Some(place) => stream.launch(&self.narrow, grid, &args.value(place as u32))?,
            }
            count += 1;
        }
        let mut grid = Grid::covering(sizes.capacity, 256, 256);
        grid.blocks[1] = keys.words as u32 + 1;
        let args = args().value(count).buffer(&gathered);
        stream.launch(&self.gather_keys, grid, &args)?;
        Ok(gathered)
    }
}
