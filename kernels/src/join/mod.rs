//! Rows of joins by number: lists of the build side's rows by entry, pairs, and which rows have had a match. Comes in:
//! the entry of each row, which generated kernels find. Goes out: row numbers and bitmaps. It knows no keys and no types;
//! the layout is `WfJoin` of the prelude.

use crate::buffer::{Buffer, View};
use crate::device::Device;
use crate::error::Result;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::plain::Plain;
use crate::reservation::Reservation;
use crate::select::Selector;
use crate::stream::Stream;

/// The number that stands for no row, and for no entry.
pub const NO_ROW: u32 = u32::MAX;
/// Counts whose sum one block makes.
const TILE_COUNTS: usize = 2048;

pub(crate) fn source() -> KernelSource {
    let kernels = &[
        "enter_rows",
        "count_entries",
        "place_rows",
        "sum_counts",
        "write_starts_32",
        "write_starts_64",
        "write_pairs",
        "mark_numbers",
        "mark_seen",
        "keep_bits",
    ];
    KernelSource::library("join", include_str!("join.cu"), kernels)
}

/// `WfJoin` of the prelude: addresses and numbers, 0 for what there is none of.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct JoinHeader {
    /// The smallest dense key.
    pub base: u64,
    /// How many entries there are.
    pub entries: u64,
    /// `WfGroups`.
    pub groups: u64,
    /// The row of each entry, or the rows of all lists.
    pub rows: u64,
    /// Where each entry's list starts.
    pub lists: u64,
    /// A byte for each entry.
    pub seen: u64,
}
// SAFETY: six numbers of 64 bits.
unsafe impl Plain for JoinHeader {}

/// Where ranges start that counts give the lengths of.
#[derive(Debug)]
pub struct Starts {
    /// One more than there are counts.
    pub starts: Buffer,
    total: Buffer,
}

impl Starts {
    /// The sum of all counts, waiting for it.
    pub fn total_sync(&self, stream: &Stream) -> Result<u64> {
        Ok(stream.read_sync::<u64>(self.total.view())?[0])
    }
}

/// Width of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartWidth {
    /// `u32`, for sums below 2^32.
    Bits32,
    /// `u64`.
    Bits64,
}

/// The compiled kernels of this family on one device.
#[derive(Debug, Clone)]
pub struct Joiner {
    selector: Selector,
    enter_rows: Kernel,
    count_entries: Kernel,
    place_rows: Kernel,
    sum_counts: Kernel,
    write_starts_32: Kernel,
    write_starts_64: Kernel,
    write_pairs: Kernel,
    mark_numbers: Kernel,
    mark_seen: Kernel,
    keep_bits: Kernel,
}

impl Joiner {
    /// Compiles them, or finds them compiled.
    pub fn new(device: &Device) -> Result<Self> {
        let module = device.module(&source())?;
        Ok(Self {
            selector: Selector::new(device)?,
            enter_rows: module.kernel("enter_rows")?,
            count_entries: module.kernel("count_entries")?,
            place_rows: module.kernel("place_rows")?,
            sum_counts: module.kernel("sum_counts")?,
            write_starts_32: module.kernel("write_starts_32")?,
            write_starts_64: module.kernel("write_starts_64")?,
            write_pairs: module.kernel("write_pairs")?,
            mark_numbers: module.kernel("mark_numbers")?,
            mark_seen: module.kernel("mark_seen")?,
            keep_bits: module.kernel("keep_bits")?,
        })
    }

    /// Queues the making of each row the one of its entry: `row_of` is 32 bits an entry, [`NO_ROW`] before. Adds the
    /// number of rows whose entry had one already to the word `repeated`.
    pub fn enter_rows(
        &self,
        stream: &Stream,
        entries: View<'_>,
        rows: usize,
        row_of: View<'_>,
        repeated: View<'_>,
    ) -> Result<()> {
        let args = of_entries(entries, rows)?.view(row_of).view(repeated);
        launch(stream, &self.enter_rows, rows, &args)
    }

    /// Queues the adding of each entry's rows to its count of 32 bits.
    pub fn count_entries(
        &self,
        stream: &Stream,
        entries: View<'_>,
        rows: usize,
        counts: View<'_>,
    ) -> Result<()> {
        let args = of_entries(entries, rows)?.view(counts);
        launch(stream, &self.count_entries, rows, &args)
    }

    /// Queues the writing of each row into the list of its entry. `counts` become zero.
    pub fn place_rows(
        &self,
        stream: &Stream,
        entries: View<'_>,
        rows: usize,
        lists: View<'_>,
        counts: View<'_>,
        listed: View<'_>,
    ) -> Result<()> {
        listed.expect_len("rows of all lists", rows * 4)?;
        let args = of_entries(entries, rows)?.view(lists).view(counts).view(listed);
        launch(stream, &self.place_rows, rows, &args)
    }

    /// Device bytes that [`Self::starts`] draws on its reservation.
    pub fn starts_bytes(count: usize, width: StartWidth) -> usize {
        let parts = [
            count.div_ceil(TILE_COUNTS).max(1) * 8,
            8,
            (count + 1) * width_bytes(width),
        ];
        parts.into_iter().map(crate::arena::rounded).sum()
    }

    /// Queues the summing of `count` counts of 32 bits, at least one.
    pub fn starts(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        counts: View<'_>,
        count: usize,
        width: StartWidth,
    ) -> Result<Starts> {
        counts.expect_len("counts", count * 4)?;
        let tiles = count.div_ceil(TILE_COUNTS).max(1);
        let sums = stream.allocate(reservation, tiles * 8)?;
        let total = stream.allocate(reservation, 8)?;
        let starts = stream.allocate(reservation, (count + 1) * width_bytes(width))?;
        let grid = Grid::new(tiles as u32, 256);
        let args = Args::new().view(counts).value(count as u64).buffer(&sums);
        stream.launch(&self.sum_counts, grid, &args)?;
        self.selector.sum(stream, sums.view(), total.view())?;
        let kernel = match width {
            StartWidth::Bits32 => &self.write_starts_32,
            StartWidth::Bits64 => &self.write_starts_64,
        };
        let args = Args::new()
            .view(counts)
            .value(count as u64)
            .buffer(&sums)
            .buffer(&starts);
        stream.launch(kernel, grid, &args)?;
        Ok(Starts { starts, total })
    }

    /// Queues the writing of `pairs` pairs from number `first` on: the rows whose ranges of [`Self::starts`] (64 bits) they
    /// lie in to `left`, and what they match to `right`, 32 bits each. `matches` are places in `listed`, or rows where
    /// there is no `listed`; [`NO_ROW`] stays what it is.
    #[allow(clippy::too_many_arguments)]
    pub fn pairs(
        &self,
        stream: &Stream,
        starts: &Starts,
        rows: usize,
        matches: View<'_>,
        listed: Option<View<'_>>,
        first: u64,
        left: View<'_>,
        right: View<'_>,
    ) -> Result<()> {
        let pairs = left.len_bytes() / 4;
        right.expect_len("right rows of pairs", pairs * 4)?;
        matches.expect_len("matches of rows", rows * 4)?;
        let args = Args::new()
            .buffer(&starts.starts)
            .value(rows as u64)
            .view(matches)
            .optional_view(listed)
            .value(first)
            .value(pairs as u64)
            .view(left)
            .view(right);
        launch(stream, &self.write_pairs, pairs, &args)
    }

    /// Queues the setting of the bits whose numbers `mask` keeps, or of all without one.
    pub fn mark_numbers(
        &self,
        stream: &Stream,
        mask: Option<View<'_>>,
        numbers: View<'_>,
        bits: View<'_>,
    ) -> Result<()> {
        let count = numbers.len_bytes() / 4;
        let args = Args::new()
            .optional_view(mask)
            .view(numbers)
            .value(count as u64)
            .view(bits);
        launch(stream, &self.mark_numbers, count, &args)
    }

    /// Queues the writing of a bit a row: whether its entry was seen.
    pub fn mark_seen(
        &self,
        stream: &Stream,
        entries: View<'_>,
        rows: usize,
        seen: View<'_>,
        bits: View<'_>,
    ) -> Result<()> {
        let args = of_entries(entries, rows)?.view(seen).view(bits);
        launch(stream, &self.mark_seen, rows, &args)
    }

    /// Queues `out = mask & bits`, or `mask & !bits`, for bitmaps of `rows` bits; a mask that is not there is all ones.
    /// Rows without an entry are left out if `entries` are given.
    #[allow(clippy::too_many_arguments)]
    pub fn keep_bits(
        &self,
        stream: &Stream,
        mask: Option<View<'_>>,
        bits: View<'_>,
        turned: bool,
        entries: Option<View<'_>>,
        rows: usize,
        out: View<'_>,
    ) -> Result<()> {
        let args = Args::new()
            .optional_view(mask)
            .view(bits)
            .value(u32::from(turned))
            .optional_view(entries)
            .value(rows as u64)
            .view(out);
        launch(stream, &self.keep_bits, rows, &args)
    }
}

fn width_bytes(width: StartWidth) -> usize {
    match width {
        StartWidth::Bits32 => 4,
        StartWidth::Bits64 => 8,
    }
}

/// The arguments that kernels over the entries of rows, 32 bits each, begin with.
fn of_entries(entries: View<'_>, rows: usize) -> Result<Args<'_>> {
    entries.expect_len("entries of rows", rows * 4)?;
    Ok(Args::new().view(entries).value(rows as u64))
}

/// A thread an item.
fn launch(stream: &Stream, kernel: &Kernel, items: usize, args: &Args<'_>) -> Result<()> {
    match items {
        0 => Ok(()),
        _ => stream.launch(kernel, Grid::covering(items, 256, 256), args),
    }
}
