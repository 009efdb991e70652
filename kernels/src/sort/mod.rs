//! Rows in the order of their key words. Comes in: key words of 64 bits, in which a row before another is the smaller
//! unsigned number; `order.cuh` and `strings.cuh` of the prelude make them of SQL's types. Goes out: row numbers, and
//! where sorted rows change. It knows no types, no NULLs and no direction: those are in the words.

mod boundaries;
mod first;
mod order;

use crate::arena::rounded;
use crate::buffer::View;
use crate::device::Device;
use crate::error::{DeviceError, Result};
use crate::module::{Kernel, KernelSource};

/// Threads of a block of a pass, at least one a digit, and rows of a thread. The more rows a tile has, the longer the
/// runs of one digit that are written side by side; its keys lie in shared memory, of which the smallest devices give
/// a block 99 KiB.
const THREADS: usize = 768;
const ITEMS: usize = 16;
/// Blocks of a pass that a multiprocessor should hold: what registers are given out by.
const BLOCKS: usize = 1;
/// Rows that one block sorts in a pass.
pub(crate) const TILE_ROWS: usize = THREADS * ITEMS;
/// Digits of 8 bits in a word, and values of a digit.
const PLACES: usize = 8;
const DIGITS: usize = 256;

pub(crate) fn sources() -> Vec<KernelSource> {
    let sort = [
        "count_digits",
        "start_digits",
        "plan_passes",
        "sort_pass",
        "mark_boundaries",
    ];
    let first = ["count_candidates", "narrow", "gather_keys", "pick_rows"];
    vec![
        KernelSource::library("sort", include_str!("sort.cu"), &sort)
            .define("SORT_THREADS", format!("{THREADS}u"))
            .define("SORT_ITEMS", format!("{ITEMS}u"))
            .define("SORT_BLOCKS", format!("{BLOCKS}u")),
        KernelSource::library("first", include_str!("first.cu"), &first),
    ]
}

/// Key words of rows: word 0 decides first; word `w` of row `r` is the 64-bit number at `w * rows + r`.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// The words, all rows of word 0 first.
    pub view: View<'a>,
    /// Number of rows, below 2^32.
    pub rows: usize,
    /// Words of a row, at least 1.
    pub words: usize,
}

impl Keys<'_> {
    /// Fails unless rows can be numbered by 32 bits, there is a word, and the view holds them all.
    fn check(&self, kernel: &Kernel) -> Result<()> {
        // A grid has at most 65535 blocks along the axis of words; one word more is made of row numbers.
        let fault = if u32::try_from(self.rows).is_err() {
            format!("{} rows, their numbers have 32 bits", self.rows)
        } else if self.words == 0 || self.words >= 65535 {
            format!("{} key words, expected 1 to 65534", self.words)
        } else {
            let what = format!("key words of {} rows", self.rows);
            return self.view.expect_len(&what, self.rows * self.words * 8);
        };
        Err(DeviceError::Launch {
            kernel: kernel.name().to_owned(),
            reason: fault,
        })
    }

    /// The same rows by their first `words` words.
    pub fn prefix(&self, words: usize) -> Result<Self> {
        Ok(Self {
            view: self.view.slice(0..words * self.rows * 8)?,
            words,
            ..*self
        })
    }
}

/// The compiled kernels of this family on one device.
#[derive(Debug, Clone)]
pub struct Sorter {
    count_digits: Kernel,
    start_digits: Kernel,
    plan_passes: Kernel,
    sort_pass: Kernel,
    mark_boundaries: Kernel,
    count_candidates: Kernel,
    narrow: Kernel,
    gather_keys: Kernel,
    pick_rows: Kernel,
    /// Blocks that fill the device when each loops over rows.
    loop_blocks: u32,
}

impl Sorter {
    /// Compiles them, or finds them compiled.
    pub fn new(device: &Device) -> Result<Self> {
        let sources = sources();
        let (sort, first) = (device.module(&sources[0])?, device.module(&sources[1])?);
        Ok(Self {
            count_digits: sort.kernel("count_digits")?,
            start_digits: sort.kernel("start_digits")?,
            plan_passes: sort.kernel("plan_passes")?,
            sort_pass: sort.kernel("sort_pass")?,
            mark_boundaries: sort.kernel("mark_boundaries")?,
            count_candidates: first.kernel("count_candidates")?,
            narrow: first.kernel("narrow")?,
            gather_keys: first.kernel("gather_keys")?,
            pick_rows: first.kernel("pick_rows")?,
            loop_blocks: device.info().multiprocessors.max(1) * 8,
        })
    }

    /// Blocks of 256 threads, with 8 rows or more a thread, for a kernel that loops over `rows`.
    fn loop_blocks(&self, rows: usize) -> u32 {
        self.loop_blocks.min(rows.div_ceil(256 * 8).max(1) as u32)
    }
}

/// Bytes of a list of allocations.
fn sum_rounded(sizes: &[usize]) -> usize {
    sizes.iter().map(|&bytes| rounded(bytes)).sum()
}
