//! Parquet pages to columns. Comes in: uncompressed pages on the device and a descriptor of each. Goes out: values,
//! validity, dictionary codes or string references, in the column's memory. Nested columns are not taken. It knows no
//! file, no schema and no thrift; what a hostile page claims is checked on the device and raises in the error word.

mod page;

use std::sync::Arc;

pub use page::{Conversion, Encoding, LEVELS_PREFIXED, NO_CODE, Page, StringRef, TILE_ROWS};

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::{DeviceError, Result};
use crate::error_word::ErrorWord;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource, Module};
use crate::reservation::Reservation;
use crate::stream::Stream;

/// Bytes that must be readable after the last page of a buffer.
pub const SLACK_BYTES: usize = 8;

const INDEX: &str = concat!(include_str!("page.cuh"), include_str!("index.cu"));
const LEVELS: &str = concat!(include_str!("page.cuh"), include_str!("levels.cu"));
const SCRATCH: &str = concat!(include_str!("page.cuh"), include_str!("scratch.cu"));
const STRINGS: &str = concat!(include_str!("page.cuh"), include_str!("strings.cu"));
const VALUES: &str = concat!(include_str!("page.cuh"), include_str!("values.cu"));

/// The sources of this family.
pub(crate) fn sources() -> Vec<KernelSource> {
    vec![
        page::source("parquet_index", INDEX, &["index_pages"]),
        page::source("parquet_levels", LEVELS, &["decode_levels", "count_values"]),
        page::source(
            "parquet_scratch",
            SCRATCH,
            &["fill_scratch", "measure_delta_byte_arrays"],
        ),
        page::source("parquet_strings", STRINGS, &["plain_strings"]),
        page::source("parquet_values", VALUES, &["decode_values"]),
    ]
}

/// The compiled kernels of this family on one device.
#[derive(Debug, Clone)]
pub struct PageDecoder {
    index_pages: Kernel,
    decode_levels: Kernel,
    count_values: Kernel,
    fill_scratch: Kernel,
    measure: Kernel,
    plain_strings: Kernel,
    decode_values: Kernel,
}

impl PageDecoder {
    /// Compiles them side by side, or finds them compiled.
    pub fn new(device: &Device) -> Result<Self> {
        let sources = sources();
        let modules: Vec<Arc<Module>> = device
            .modules(&sources.iter().collect::<Vec<_>>(), sources.len())
            .into_iter()
            .collect::<Result<_>>()?;
        Ok(Self {
            index_pages: modules[0].kernel("index_pages")?,
            decode_levels: modules[1].kernel("decode_levels")?,
            count_values: modules[1].kernel("count_values")?,
            fill_scratch: modules[2].kernel("fill_scratch")?,
            measure: modules[2].kernel("measure_delta_byte_arrays")?,
            plain_strings: modules[3].kernel("plain_strings")?,
            decode_values: modules[4].kernel("decode_values")?,
        })
    }

    /// Device bytes that [`Self::decode`] draws on its reservation for these pages.
    pub fn scratch_bytes(pages: &[Page]) -> usize {
        let tiles: usize = pages.iter().map(|page| page.tiles() as usize).sum();
        let scratch: usize = pages.iter().map(page_scratch_bytes).sum();
        let each = [
            size_of_val(pages),
            tiles * 8,
            tiles * 8,
            tiles * 4,
            tiles * 4,
            scratch,
        ];
        each.into_iter().map(crate::arena::rounded).sum()
    }

    /// Bytes of room that each page of [`Encoding::DeltaByteArray`] takes, waiting for the numbers; 0 for others. A page
    /// that contradicts itself raises and takes none.
    pub fn measure_sync(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        pages: &[Page],
        uses: &[&Buffer],
        error: &ErrorWord,
    ) -> Result<Vec<u64>> {
        let table = stream.upload_values(reservation, pages)?;
        let sizes = stream.allocate(reservation, pages.len() * 8)?;
        let args = using(Args::new().buffer(&table).value(pages.len() as u32), uses)
            .buffer(&sizes)
            .view(error.view());
        if !pages.is_empty() {
            stream.launch(&self.measure, Grid::covering(pages.len(), 4, 128), &args)?;
        }
        stream.read_sync(sizes.view())
    }

    /// Queues the decoding of all pages of all columns: three launches however many pages there are, one more if some
    /// have levels, one more if some hold plain byte arrays, and one more if some hold differences.
    ///
    /// Dictionary pages are pages like any other, decoded by an earlier call: encoding plain, without levels, their
    /// output the dictionary's memory. `uses` are the buffers that the addresses in `pages` lead into. A bitmap of
    /// validity, and one of boolean values, must be zero before. A page of which several parts are kept is given once for
    /// each.
    pub fn decode(
        &self,
        stream: &Stream,
        reservation: &Reservation,
        pages: &[Page],
        uses: &[&Buffer],
        error: &ErrorWord,
    ) -> Result<()> {
        let mut pages: Vec<Page> = pages.iter().filter(|page| page.rows > 0).copied().collect();
        if pages.is_empty() {
            return Ok(());
        }
        // In front of the others, so that a launch has a block for each of them and for no other.
        pages.sort_by_key(|page| !is_plain_string(page));
        let strings = pages.partition_point(is_plain_string);
        let differences = pages[strings..].iter().any(|page| page_scratch_bytes(page) > 0);
        let (tiles, with_levels, scratch_bytes) = self.lay_out(&mut pages)?;
        let scratch = stream.allocate(reservation, scratch_bytes)?;
        for page in &mut pages {
            if page_scratch_bytes(page) > 0 {
                page.scratch += scratch.address();
            }
        }
        let count = pages.len() as u32;
        let pages = stream.upload_values(reservation, &pages)?;
        let level_starts = stream.allocate(reservation, tiles as usize * 8)?;
        let value_starts = stream.allocate(reservation, tiles as usize * 8)?;
        let tile_values = stream.allocate(reservation, tiles as usize * 4)?;
        let tile_pages = stream.allocate(reservation, tiles as usize * 4)?;

        let args = using(Args::new().buffer(&pages).value(count), uses)
            .buffer(&level_starts)
            .buffer(&value_starts)
            .buffer(&tile_values)
            .buffer(&tile_pages)
            .view(error.view());
        stream.launch(&self.index_pages, Grid::covering(count as usize, 4, 256), &args)?;

        if with_levels > 0 {
            let args = using(Args::new().buffer(&pages).buffer(&tile_pages), uses)
                .buffer(&level_starts)
                .buffer(&tile_values)
                .view(error.view());
            stream.launch(&self.decode_levels, Grid::new(with_levels, 256), &args)?;
        }

        let args = Args::new().buffer(&pages).value(count).buffer(&tile_values);
        stream.launch(&self.count_values, Grid::covering(count as usize, 8, 256), &args)?;

        if strings > 0 {
            let args = using(Args::new().buffer(&pages), uses)
                .also_uses(&scratch)
                .view(error.view());
            stream.launch(&self.plain_strings, Grid::new(strings as u32, 256), &args)?;
        }
        if differences {
            let args = using(Args::new().buffer(&pages).value(count), uses)
                .value(strings as u32)
                .also_uses(&scratch)
                .view(error.view());
            let others = count as usize - strings;
            stream.launch(&self.fill_scratch, Grid::covering(others, 4, 128), &args)?;
        }

        let args = using(Args::new().buffer(&pages).buffer(&tile_pages), uses)
            .also_uses(&scratch)
            .buffer(&value_starts)
            .buffer(&tile_values)
            .view(error.view());
        stream.launch(&self.decode_values, Grid::new(tiles, 256), &args)
    }

    /// Numbers the tiles, those of pages with levels first, and lays out the scratch memory; returns how many tiles there
    /// are, how many of pages with levels, and how many bytes.
    fn lay_out(&self, pages: &mut [Page]) -> Result<(u32, u32, usize)> {
        let (mut tiles, mut scratch_bytes) = (0u32, 0usize);
        let mut with_levels = 0;
        for is_numbered in [has_levels, |page: &Page| !has_levels(page)] {
            for page in pages.iter_mut().filter(|page| is_numbered(page)) {
                page.first_tile = tiles;
                tiles = tiles
                    .checked_add(page.tiles())
                    .filter(|&tiles| tiles <= i32::MAX as u32)
                    .ok_or_else(|| DeviceError::Launch {
                        kernel: self.decode_values.name().to_owned(),
                        reason: "more tiles than a grid has blocks".to_owned(),
                    })?;
                if has_levels(page) {
                    with_levels = tiles;
                }
            }
        }
        for page in pages {
            check(page).map_err(|reason| DeviceError::Launch {
                kernel: self.decode_values.name().to_owned(),
                reason: format!("page {}: {reason}", page.item),
            })?;
            page.scratch = scratch_bytes as u64;
            scratch_bytes += page_scratch_bytes(page);
            if page_scratch_bytes(page) == 0 {
                page.scratch = 0;
            } else {
                // In scratch a string is its reference, and a number has 64 bits of which it may use 32.
                page.source_bytes = if is_string(page) { 16 } else { page.source_bytes };
            }
        }
        Ok((tiles, with_levels, scratch_bytes))
    }
}

fn using<'a>(args: Args<'a>, uses: &[&'a Buffer]) -> Args<'a> {
    uses.iter().fold(args, |args, buffer| args.also_uses(buffer))
}

/// Whether there is something to find out of which rows have values, or to write of it.
fn has_levels(page: &Page) -> bool {
    page.max_level > 0 || page.validity != 0
}

fn is_string(page: &Page) -> bool {
    page.conversion == Conversion::String as u32
}

fn is_plain_string(page: &Page) -> bool {
    is_string(page) && page.encoding == Encoding::Plain as u32
}

/// Bytes of scratch for the values of `page`, a multiple of 16.
fn page_scratch_bytes(page: &Page) -> usize {
    let delta = page.encoding == Encoding::DeltaBinaryPacked as u32;
    let arrays = page.encoding == Encoding::DeltaByteArray as u32;
    if arrays || is_string(page) && page.encoding != Encoding::Dictionary as u32 {
        page.rows as usize * 16
    } else if delta {
        (page.rows as usize * 8).next_multiple_of(16)
    } else {
        0
    }
}

/// What the kernels rely on and do not check.
fn check(page: &Page) -> Result<(), &'static str> {
    let is = |conversion: Conversion| page.conversion == conversion as u32;
    let encoded = |encoding: Encoding| page.encoding == encoding as u32;
    let output = page.output_bytes;
    if u64::from(page.skip) + u64::from(page.kept) > u64::from(page.rows) {
        return Err("it keeps more rows than it has");
    }
    if page.max_level > 0 && page.validity == 0 {
        return Err("it has levels but nowhere to write validity");
    }
    let fits = if encoded(Encoding::Dictionary) && !is(Conversion::Code) {
        !is(Conversion::Boolean)
    } else {
        match page.conversion {
            conversion if conversion == Conversion::Same as u32 => output == page.source_bytes,
            conversion if conversion == Conversion::Signed as u32 => {
                matches!(page.source_bytes, 4 | 8) && matches!(output, 1 | 2 | 4 | 8 | 16)
            }
            conversion if conversion == Conversion::BigEndian as u32 => {
                matches!(output, 4 | 8 | 16)
                    && (page.source_bytes <= 16 || !encoded(Encoding::ByteStreamSplit))
            }
            conversion if conversion == Conversion::Int96 as u32 => page.source_bytes == 12 && output == 8,
            conversion if conversion == Conversion::Code as u32 => {
                output == 4 && encoded(Encoding::Dictionary)
            }
            conversion if conversion == Conversion::Boolean as u32 => {
                encoded(Encoding::Plain) || encoded(Encoding::RunLength)
            }
            conversion if conversion == Conversion::String as u32 => output == 16,
            _ => false,
        }
    };
    if !fits {
        return Err("its conversion does not go with its encoding and widths");
    }
    if encoded(Encoding::RunLength) && !is(Conversion::Boolean) {
        return Err("only booleans are encoded in runs");
    }
    if encoded(Encoding::DeltaBinaryPacked) && !(is(Conversion::Same) || is(Conversion::Signed)) {
        return Err("only integers are encoded as differences");
    }
    if encoded(Encoding::DeltaByteArray) && page.dictionary == 0 {
        return Err("there is no room for its values");
    }
    if encoded(Encoding::DeltaByteArray)
        && !(is(Conversion::String) || is(Conversion::Same) || is(Conversion::BigEndian))
    {
        return Err("only byte arrays share their beginnings");
    }
    if encoded(Encoding::DeltaLengthByteArray) && !is(Conversion::String) {
        return Err("only byte arrays have lengths as differences");
    }
    Ok(())
}
