//! What windows need of sorted rows: segments and their numbers, values joined up to each row, and trees of joined
//! values for frames of any bounds. Comes in: bitmaps of where segments begin, values of one of the forms of [`Join`].
//! Goes out: the same by row. It knows no functions and no frames; those are in `window.cuh` of the prelude.

mod scan;

pub use scan::Join;

use crate::arena::rounded;
use crate::buffer::{Buffer, View};
use crate::device::Device;
use crate::error::Result;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::reservation::Reservation;
use crate::select::Selector;
use crate::stream::Stream;

/// Rows of a bitmap that one block numbers: those that [`Selector::count`] counts.
const TILE_ROWS: usize = 8192;

pub(crate) fn sources() -> Vec<KernelSource> {
    let segments = &["number_segments", "invert_order"];
    vec![
        KernelSource::library("segments", include_str!("segments.cu"), segments),
        scan::source(),
    ]
}

/// The compiled kernels of this family on one device.
#[derive(Debug, Clone)]
pub struct Windower {
    number_segments: Kernel,
    invert_order: Kernel,
    joins: Vec<scan::Joiner>,
}

/// Segments of sorted rows.
#[derive(Debug)]
pub struct Segments {
    /// The number of each row's segment, 32 bits each.
    pub ids: Buffer,
    /// The first row of each segment, 32 bits each, and behind the last of them the number of rows.
    pub firsts: Buffer,
}

impl Windower {
    /// Compiles them, or finds them compiled.
    pub fn new(device: &Device) -> Result<Self> {
        let sources = sources();
        let (segments, scans) = (device.module(&sources[0])?, device.module(&sources[1])?);
        Ok(Self {
            number_segments: segments.kernel("number_segments")?,
            invert_order: segments.kernel("invert_order")?,
            joins: scan::joiners(&scans)?,
        })
    }

    /// Device bytes that [`Self::segments`] draws on its reservation.
    pub fn segments_bytes(rows: usize) -> usize {
        Selector::count_bytes(rows) + rounded(rows.max(1) * 4) + rounded((rows + 1) * 4)
    }

    /// Queues the numbering of the segments that begin at the set bits of `begins`. Its first bit is set, and those after
    /// the last row are not.
    pub fn segments(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        selector: &Selector,
        begins: View<'_>,
        rows: usize,
    ) -> Result<Segments> {
        let counted = selector.count(stream, reservation, begins, None, rows)?;
        let segments = Segments {
            ids: stream.allocate(reservation, rows.max(1) * 4)?,
            firsts: stream.allocate(reservation, (rows + 1) * 4)?,
        };
        let args = Args::new()
            .view(begins)
            .value(rows as u64)
            .view(counted.tiles())
            .view(counted.total())
            .buffer(&segments.ids)
            .buffer(&segments.firsts);
        stream.launch(&self.number_segments, Grid::covering(rows, TILE_ROWS, 256), &args)?;
        Ok(segments)
    }

    /// Queues the writing of where each row stands in `order`, 32 bits each, to `places`.
    pub fn places(&self, stream: &Stream, order: View<'_>, rows: usize, places: View<'_>) -> Result<()> {
        order.expect_len("row numbers in order", rows * 4)?;
        places.expect_len("places of rows", rows * 4)?;
        if rows == 0 {
            return Ok(());
        }
        let args = Args::new().view(order).value(rows as u64).view(places);
        stream.launch(&self.invert_order, Grid::covering(rows, 256, 256), &args)
    }
}
