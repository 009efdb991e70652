//! Rows kept by a mask, and columns gathered by row number. Comes in: bitmaps, row numbers, columns. Goes out: row
//! numbers in order, and the columns of those rows. It knows no predicate and no type but a width.

use crate::buffer::{Buffer, View};
use crate::device::Device;
use crate::error::{DeviceError, Result};
use crate::error_word::ErrorWord;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::plain::Plain;
use crate::reservation::Reservation;
use crate::stream::Stream;

/// Rows of a mask that one block counts.
const TILE_ROWS: usize = 8192;

pub(crate) fn source() -> KernelSource {
    let kernels = &[
        "count_mask",
        "sum_tiles",
        "write_rows",
        "gather_rows",
        "append_rows",
    ];
    KernelSource::library("select", include_str!("select.cu"), kernels)
}

/// The compiled kernels of this family on one device.
#[derive(Debug, Clone)]
pub struct Selector {
    count_mask: Kernel,
    sum_tiles: Kernel,
    write_rows: Kernel,
    gather_rows: Kernel,
    append_rows: Kernel,
}

/// A mask whose kept rows are counted on the device.
#[derive(Debug)]
pub struct Counted {
    tiles: Buffer,
    total: Buffer,
}

impl Counted {
    /// The number of kept rows before each tile of 8192, 64-bit words.
    pub(crate) fn tiles(&self) -> View<'_> {
        self.tiles.view()
    }

    /// The number of kept rows, as a 64-bit word on the device.
    pub fn total(&self) -> View<'_> {
        self.total.view()
    }

    /// The number of kept rows, waiting for it.
    pub fn total_sync(&self, stream: &Stream) -> Result<u64> {
        Ok(stream.read_sync::<u64>(self.total.view())?[0])
    }
}

/// One column to gather or to append. `WfGather` of `select.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Gather {
    /// Address of the values, or of a bitmap.
    pub source: u64,
    /// Address of where the values go, row 0 of it; a bitmap needs whole 32-bit words, for appending zero behind the rows
    /// that it has.
    pub target: u64,
    /// Address of the validity bitmap; 0 if every row is valid.
    pub source_validity: u64,
    /// Address of where the validity goes, as the values of a bitmap do; or 0.
    pub target_validity: u64,
    /// Bytes of a value; 0 for a bitmap.
    pub width: u32,
    /// Always 0.
    pub reserved: u32,
}
// SAFETY: numbers only; 40 bytes without padding.
unsafe impl Plain for Gather {}

impl Selector {
    /// Compiles them, or finds them compiled.
    pub fn new(device: &Device) -> Result<Self> {
        let module = device.module(&source())?;
        Ok(Self {
            count_mask: module.kernel("count_mask")?,
            sum_tiles: module.kernel("sum_tiles")?,
            write_rows: module.kernel("write_rows")?,
            gather_rows: module.kernel("gather_rows")?,
            append_rows: module.kernel("append_rows")?,
        })
    }

    /// Device bytes that [`Self::count`] draws on its reservation.
    pub fn count_bytes(rows: usize) -> usize {
        crate::arena::rounded(rows.div_ceil(TILE_ROWS).max(1) * 8) + crate::arena::rounded(8)
    }

    /// Queues the counting of the rows that `mask`, and `validity` if there is one, keep.
    pub fn count(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        mask: View<'_>,
        validity: Option<View<'_>>,
        rows: usize,
    ) -> Result<Counted> {
        expect_bitmap("mask", mask, rows)?;
        if let Some(validity) = validity {
            expect_bitmap("validity of a mask", validity, rows)?;
        }
        let tiles = rows.div_ceil(TILE_ROWS).max(1);
        let counted = Counted {
            tiles: stream.allocate(reservation, tiles * 8)?,
            total: stream.allocate(reservation, 8)?,
        };
        let args = Args::new()
            .view(mask)
            .optional_view(validity)
            .value(rows as u64)
            .buffer(&counted.tiles);
        stream.launch(&self.count_mask, Grid::new(tiles as u32, 256), &args)?;
        self.sum(stream, counted.tiles.view(), counted.total.view())?;
        Ok(counted)
    }

    /// Queues the replacement of 64-bit words by the sums of all before them; the sum of all goes to `total`.
    pub fn sum(&self, stream: &Stream, words: View<'_>, total: View<'_>) -> Result<()> {
        let args = Args::new()
            .view(words)
            .value(words.len_bytes() as u64 / 8)
            .view(total);
        stream.launch(&self.sum_tiles, Grid::new(1, 1024), &args)
    }

    /// Queues the writing of the kept rows' numbers, 32 bits each, to `kept`, which has room for all of them.
    pub fn write(
        &self,
        stream: &Stream,
        mask: View<'_>,
        validity: Option<View<'_>>,
        rows: usize,
        counted: &Counted,
        kept: View<'_>,
    ) -> Result<()> {
        if u32::try_from(rows).is_err() {
            return Err(DeviceError::Launch {
                kernel: self.write_rows.name().to_owned(),
                reason: format!("{rows} rows, their numbers have 32 bits"),
            });
        }
        let args = Args::new()
            .view(mask)
            .optional_view(validity)
            .value(rows as u64)
            .buffer(&counted.tiles)
            .view(kept);
        stream.launch(&self.write_rows, Grid::covering(rows, TILE_ROWS, 256), &args)
    }

    /// Queues the gathering of `count` rows of all columns in one launch. `uses` are the buffers of the columns.
    #[allow(clippy::too_many_arguments)]
    pub fn gather(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        columns: &[Gather],
        rows: View<'_>,
        count: usize,
        source_rows: usize,
        uses: &[&Buffer],
        error: &ErrorWord,
    ) -> Result<()> {
        rows.expect_len("row numbers of a gather", count * 4)?;
        if columns.is_empty() || count == 0 {
            return Ok(());
        }
        let table = stream.upload_values(reservation, columns)?;
        let args = Args::new()
            .buffer(&table)
            .view(rows)
            .value(count as u64)
            .value(source_rows as u64)
            .view(error.view());
        let args = uses.iter().fold(args, |args, buffer| args.also_uses(buffer));
        let mut grid = Grid::covering(count, 256, 256);
        grid.blocks[1] = columns.len() as u32;
        stream.launch(&self.gather_rows, grid, &args)
    }

    /// Queues the copying of `rows` rows of all columns in one launch, behind `offset` rows of their targets. `uses` are
    /// the buffers of the columns.
    pub fn append(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        columns: &[Gather],
        rows: usize,
        offset: usize,
        uses: &[&Buffer],
    ) -> Result<()> {
        if columns.is_empty() || rows == 0 {
            return Ok(());
        }
        let table = stream.upload_values(reservation, columns)?;
        let args = Args::new().buffer(&table).value(rows as u64).value(offset as u64);
        let args = uses.iter().fold(args, |args, buffer| args.also_uses(buffer));
        let mut grid = Grid::covering(rows, 256, 256);
        grid.blocks[1] = columns.len() as u32;
        stream.launch(&self.append_rows, grid, &args)
    }
}

fn expect_bitmap(what: &str, bitmap: View<'_>, rows: usize) -> Result<()> {
    let need_bytes = rows.div_ceil(32) * 4;
    if bitmap.len_bytes() >= need_bytes {
        return Ok(());
    }
    Err(DeviceError::Bounds {
        what: format!("{what} of {rows} rows"),
        have_bytes: bitmap.len_bytes(),
        need_bytes,
    })
}
