//! Values joined up to each row, and trees of joined values: the launches of `scan.cu`.

use std::sync::Arc;

use super::Windower;
use crate::arena::rounded;
use crate::buffer::{Buffer, View};
use crate::error::Result;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource, Module};
use crate::reservation::Reservation;
use crate::stream::Stream;

/// Rows of a warp.
const SCAN_ROWS: usize = 1024;
/// Rows of a block of 256 threads.
const BLOCK_ROWS: usize = SCAN_ROWS * 8;
/// Threads of the one block that joins tiles, each with a value and a flag in shared memory.
const CARRY_THREADS: usize = 1024;
/// Items that are joined to one of the next level: `WF_TREE_WIDTH` of the prelude.
const TREE_WIDTH: usize = 32;

/// How two values become one. The names of its kernels end in [`Join::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Join {
    /// Integers of 64 bits, which wrap.
    Add,
    /// Integers of 128 bits, which wrap.
    AddWide,
    /// Floating-point numbers of 64 bits.
    AddFloat,
    /// The smaller of unsigned numbers of 64 bits.
    Min,
    /// The larger of unsigned numbers of 64 bits.
    Max,
    /// Bits that both have.
    And,
    /// Bits that either has.
    Or,
    /// Bits that one of them has.
    Xor,
    /// Count, mean and squared differences from it: three floating-point numbers.
    Moments,
}

impl Join {
    /// All, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::Add,
        Self::AddWide,
        Self::AddFloat,
        Self::Min,
        Self::Max,
        Self::And,
        Self::Or,
        Self::Xor,
        Self::Moments,
    ];

    /// Bytes of a value.
    pub fn width(self) -> usize {
        match self {
            Self::AddWide => 16,
            Self::Moments => 24,
            _ => 8,
        }
    }

    /// The operation in kernels.
    pub fn c_type(self) -> &'static str {
        match self {
            Self::Add => "WfJoinAdd",
            Self::AddWide => "WfJoinAddWide",
            Self::AddFloat => "WfJoinAddFloat",
            Self::Min => "WfJoinMin",
            Self::Max => "WfJoinMax",
            Self::And => "WfJoinAnd",
            Self::Or => "WfJoinOr",
            Self::Xor => "WfJoinXor",
            Self::Moments => "WfJoinMoments",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::AddWide => "add_wide",
            Self::AddFloat => "add_float",
            Self::Min => "min",
            Self::Max => "max",
            Self::And => "all_bits",
            Self::Or => "any_bits",
            Self::Xor => "odd_bits",
            Self::Moments => "moments",
        }
    }
}

/// The kernels of one way to join.
#[derive(Debug, Clone)]
pub(super) struct Joiner {
    total: Kernel,
    carry: Kernel,
    scan: Kernel,
    join: Kernel,
}

pub(super) fn source() -> KernelSource {
    let mut source = KernelSource::library("scan", include_str!("scan.cu"), &[])
        .define("SCAN_ROWS", format!("{SCAN_ROWS}u"));
    let names = Join::ALL
        .iter()
        .flat_map(|join| ["total", "carry", "scan", "join"].map(|step| format!("{step}_{}", join.name())));
    source.kernels = names.map(Into::into).collect();
    source
}

pub(super) fn joiners(module: &Arc<Module>) -> Result<Vec<Joiner>> {
    let joiner = |join: &Join| {
        let kernel = |step: &str| module.kernel(&format!("{step}_{}", join.name()));
        Ok(Joiner {
            total: kernel("total")?,
            carry: kernel("carry")?,
            scan: kernel("scan")?,
            join: kernel("join")?,
        })
    };
    Join::ALL.iter().map(joiner).collect()
}

impl Windower {
    /// Device bytes that [`Self::scan`] draws on its reservation.
    pub fn scan_bytes(join: Join, rows: usize) -> usize {
        let tiles = rows.div_ceil(SCAN_ROWS).max(1);
        rounded(tiles * join.width()) + rounded(tiles * 4)
    }

    /// Queues the joining of each row's value with those of all rows before it, or of those of its segment: segments begin
    /// at the set bits of `begins`. `target` may be `values`.
    #[allow(clippy::too_many_arguments)]
    pub fn scan(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        join: Join,
        values: View<'_>,
        rows: usize,
        begins: Option<View<'_>>,
        target: View<'_>,
    ) -> Result<()> {
        values.expect_len("values of a scan", rows * join.width())?;
        target.expect_len("results of a scan", rows * join.width())?;
        if let Some(begins) = begins {
            begins.expect_len("beginnings of segments", rows.div_ceil(32) * 4)?;
        }
        if rows == 0 {
            return Ok(());
        }
        let joiner = &self.joins[join as usize];
        let tiles = rows.div_ceil(SCAN_ROWS);
        let totals = stream.allocate(reservation, tiles * join.width())?;
        let begun = stream.allocate(reservation, tiles * 4)?;
        let grid = Grid::covering(rows, BLOCK_ROWS, 256);
        let args = Args::new()
            .view(values)
            .value(rows as u64)
            .optional_view(begins)
            .buffer(&totals)
            .buffer(&begun);
        stream.launch(&joiner.total, grid, &args)?;
        let args = Args::new().buffer(&totals).buffer(&begun).value(tiles as u64);
        let places = CARRY_THREADS * (join.width() + 4);
        let grid_of_one = Grid::new(1, CARRY_THREADS as u32).with_shared_bytes(places as u32);
        stream.launch(&joiner.carry, grid_of_one, &args)?;
        let args = Args::new()
            .view(values)
            .value(rows as u64)
            .optional_view(begins)
            .buffer(&totals)
            .view(target);
        stream.launch(&joiner.scan, grid, &args)
    }

    /// Device bytes that [`Self::tree`] draws on its reservation.
    pub fn tree_bytes(join: Join, rows: usize) -> usize {
        rounded(tree_items(rows).max(1) * join.width())
    }

    /// Queues the levels of a tree over `values`, as `wf_tree_join` reads them: 32 rows joined, 32 such, and so on.
    pub fn tree(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        join: Join,
        values: View<'_>,
        rows: usize,
    ) -> Result<Buffer> {
        let width = join.width();
        values.expect_len("values of a tree", rows * width)?;
        let levels = stream.allocate(reservation, tree_items(rows).max(1) * width)?;
        let (mut count, mut written) = (rows, 0);
        let mut from = values;
        while count > TREE_WIDTH {
            let next = count.div_ceil(TREE_WIDTH);
            let to = levels.slice(written * width..(written + next) * width)?;
            let args = Args::new().view(from).value(count as u64).view(to);
            let grid = Grid::covering(count, 256, 256);
            stream.launch(&self.joins[join as usize].join, grid, &args)?;
            (count, written, from) = (next, written + next, to);
        }
        Ok(levels)
    }
}

/// Items of all levels above the rows.
fn tree_items(rows: usize) -> usize {
    let (mut count, mut items) = (rows, 0);
    while count > TREE_WIDTH {
        count = count.div_ceil(TREE_WIDTH);
        items += count;
    }
    items
}
