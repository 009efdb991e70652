//! String references to strings. Comes in: where the bytes of each row lie. Goes out: offsets and bytes in Arrow's
//! layout. References are made by Parquet decoding and may be gathered like any 16-byte value before.

use crate::buffer::{Buffer, View};
use crate::device::Device;
use crate::error::{DeviceError, Result};
use crate::error_word::ErrorWord;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::reservation::Reservation;
use crate::select::Selector;
use crate::stream::Stream;

/// Strings that one block writes.
const TILE_STRINGS: usize = 256;
/// Bytes of a reference.
const REF_BYTES: usize = 16;

pub(crate) fn source() -> KernelSource {
    let kernels = &["measure_strings", "write_strings_32", "write_strings_64"];
    KernelSource::library("strings", include_str!("strings.cu"), kernels)
}

/// The compiled kernels of this family on one device.
#[derive(Debug, Clone)]
pub struct StringWriter {
    selector: Selector,
    measure: Kernel,
    write_32: Kernel,
    write_64: Kernel,
}

/// Strings whose bytes are counted on the device.
#[derive(Debug)]
pub struct Measured {
    tiles: Buffer,
    total: Buffer,
    count: usize,
}

impl Measured {
    /// Bytes of all strings, waiting for the number.
    pub fn total_sync(&self, stream: &Stream) -> Result<u64> {
        Ok(stream.read_sync::<u64>(self.total.view())?[0])
    }
}

/// Width of offsets: 32 bits hold up to 2 GiB of string bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetWidth {
    /// `i32`.
    Bits32,
    /// `i64`.
    Bits64,
}

impl OffsetWidth {
    /// Bytes of one offset.
    pub fn bytes(self) -> usize {
        match self {
            Self::Bits32 => 4,
            Self::Bits64 => 8,
        }
    }
}

impl StringWriter {
    /// Compiles them, or finds them compiled.
    pub fn new(device: &Device) -> Result<Self> {
        let module = device.module(&source())?;
        Ok(Self {
            selector: Selector::new(device)?,
            measure: module.kernel("measure_strings")?,
            write_32: module.kernel("write_strings_32")?,
            write_64: module.kernel("write_strings_64")?,
        })
    }

    /// Queues the measuring of all strings that `refs` lead to.
    pub fn measure(&self, stream: &Stream, reservation: &Reservation, refs: View<'_>) -> Result<Measured> {
        let count = refs.len_bytes() / REF_BYTES;
        let tiles = count.div_ceil(TILE_STRINGS).max(1);
        let measured = Measured {
            tiles: stream.allocate(reservation, tiles * 8)?,
            total: stream.allocate(reservation, 8)?,
            count,
        };
        let args = Args::new().view(refs).value(count as u64).buffer(&measured.tiles);
        stream.launch(&self.measure, Grid::new(tiles as u32, 256), &args)?;
        self.selector
            .sum(stream, measured.tiles.view(), measured.total.view())?;
        Ok(measured)
    }

    /// Queues the writing of `count + 1` offsets and of all bytes. `uses` are the buffers that the references lead
    /// into. If `bytes` is too small, the error word says so and what does not fit is left out.
    #[allow(clippy::too_many_arguments)]
    pub fn write(
        &self,
        stream: &Stream,
        refs: View<'_>,
        measured: &Measured,
        width: OffsetWidth,
        offsets: View<'_>,
        bytes: View<'_>,
        uses: &[&Buffer],
        error: &ErrorWord,
    ) -> Result<()> {
        refs.expect_len("string references", measured.count * REF_BYTES)?;
        offsets.expect_len("offsets", (measured.count + 1) * width.bytes())?;
        let kernel = match width {
            OffsetWidth::Bits32 => &self.write_32,
            OffsetWidth::Bits64 => &self.write_64,
        };
        if width == OffsetWidth::Bits32 && bytes.len_bytes() > i32::MAX as usize {
            return Err(DeviceError::Launch {
                kernel: kernel.name().to_owned(),
                reason: format!(
                    "{} string bytes, offsets of 32 bits reach 2147483647",
                    bytes.len_bytes()
                ),
            });
        }
        if measured.count == 0 {
            return stream.fill(offsets, 0);
        }
        let args = Args::new()
            .view(refs)
            .value(measured.count as u64)
            .buffer(&measured.tiles)
            .view(offsets)
            .view(bytes)
            .value(bytes.len_bytes() as u64)
            .view(error.view());
        let args = uses.iter().fold(args, |args, buffer| args.also_uses(buffer));
        stream.launch(kernel, Grid::covering(measured.count, TILE_STRINGS, 256), &args)
    }
}
