//! A partition onto the device: upload, decompression and decoding of all its columns and pages at once.
//!
//! In: a partition in host memory, a stream, a reservation. Out: a batch, whose work is queued, and the check that must
//! pass before the batch is believed. Launches: one to decompress, and those of a library for what it decompresses; five
//! for all dictionaries, five for all data pages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernels::compress::Decompressor;
use kernels::parquet::{Encoding, NO_CODE, Page, PageDecoder, SLACK_BYTES};
use kernels::{Buffer, Device, ErrorWord, Event, Reservation, Stream};

use super::addresses::Addresses;
use super::counters::ScanCounters;
use super::early::Early;
use super::fetched::{Fetched, FetchedColumn};
use super::layout::{Layout, Placed, Region, Role};
use super::names::PageCheck;
use super::pages::{Body, HostPage};
use super::partition::repr_of;
use super::pieces::Piece;
use crate::batch::{DeviceBatch, DeviceColumn, Repr, RowNumbers, bitmap_bytes, copy_up, upload};
use crate::error::Result;
use crate::error_device::on_device;

/// What codes of rows without a value are filled with.
const NO_CODE_BYTE: u8 = NO_CODE as u8;

/// The compiled kernels of scans on one device. Clones share them.
#[derive(Debug, Clone)]
pub struct ScanKernels {
    decoder: PageDecoder,
    decompressor: Decompressor,
    /// Held by the one that queues its work: the driver takes one call at a time, and of threads that all call it none is
    /// done before the last (on one H100, 2026-11-23, nine took 6 ms each for what takes one of them 0.5).
    queueing: Arc<Mutex<()>>,
}

impl ScanKernels {
    /// Compiles them, or finds them compiled.
    ///
    /// # Errors
    /// `Internal` if they do not compile.
    pub fn new(device: &Device) -> Result<Self> {
        Ok(Self {
            decoder: PageDecoder::new(device).map_err(on_device)?,
            decompressor: Decompressor::new(device).map_err(on_device)?,
            queueing: Arc::default(),
        })
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.queueing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A partition on the device, its work queued.
#[derive(Debug)]
pub struct Decoded {
    /// The columns of [`super::ScanSpec::schema`].
    pub batch: DeviceBatch,
    /// Must pass before anything computed from the batch is believed. What reads the batch before that reads within
    /// bounds, but perhaps not what the file holds.
    pub check: PageCheck,
}

/// A column while its rows are decoded.
struct Output {
    values: Arc<Buffer>,
    /// A code a row, if the values are the entries of dictionaries.
    codes: Option<Arc<Buffer>>,
    validity: Option<Arc<Buffer>>,
    /// The entries of runs.
    entries: Vec<DeviceColumn>,
}

/// What came from files.
enum Packed {
    /// Yet to be copied.
    Empty(Buffer),
    Early(Arc<Early>),
}

impl Packed {
    fn buffer(&self) -> &Buffer {
        match self {
            Self::Empty(buffer) => buffer,
            Self::Early(early) => early.buffer(),
        }
    }
}

/// The device memory of a decode.
struct Memory {
    packed: Packed,
    plain: Buffer,
    text: Arc<Buffer>,
    dictionaries: Buffer,
    /// `None` for columns that came decoded.
    outputs: Vec<Option<Output>>,
}

impl Fetched {
    /// Queues the upload, the decompression and the decoding of all columns. Waits for the device only where strings
    /// share their beginnings (DELTA_BYTE_ARRAY), and for pinned memory where others hold all of it.
    ///
    /// # Errors
    /// `Resources` if the reservation is too small and cannot grow.
    pub fn decode_sync(
        self,
        stream: &Stream,
        reservation: &Reservation,
        kernels: &ScanKernels,
        counters: &ScanCounters,
    ) -> Result<Decoded> {
        let layout = Layout::of(&self);
        let left = reservation.bytes().saturating_sub(reservation.used_bytes());
        let needed = self.reservation_bytes();
        if needed > left {
            reservation.grow(needed - left).map_err(on_device)?;
        }
        let word = ErrorWord::new(stream, reservation).map_err(on_device)?;
        let memory = self.allocate(&layout, stream, reservation)?;
        let addresses = memory.addresses(&self);
        let (rooms, uploaded, begun) =
            self.queue(&layout, &memory, &addresses, stream, reservation, kernels, &word)?;
        counters.decoding(begun, stream.record().map_err(on_device)?);
        counters.read(self.read_bytes, self.read.0, self.read.1);
        counters.uploaded(uploaded);
        let check = PageCheck {
            word,
            names: layout.names,
        };
        let batch = self.finish(memory, &rooms, stream, reservation, counters)?;
        Ok(Decoded { batch, check })
    }

    fn allocate(&self, layout: &Layout<'_>, stream: &Stream, reservation: &Reservation) -> Result<Memory> {
        let allocate = |bytes: usize| stream.allocate(reservation, bytes).map_err(on_device);
        let zeroed = |bytes: usize| stream.allocate_zeroed(reservation, bytes).map_err(on_device);
        let mut outputs = Vec::with_capacity(self.columns.len());
        for (column, of_column) in self.columns.iter().enumerate() {
            let repr = repr_of(&self.spec, column);
            let (has_gaps, is_nullable) = match of_column {
                FetchedColumn::Array(_) => {
                    outputs.push(None);
                    continue;
                }
                FetchedColumn::Pages(groups) => {
                    let pages = groups.iter().flat_map(|group| &group.pages.data);
                    let rows: usize = pages.map(HostPage::kept_rows).sum();
                    let has_levels = groups.iter().any(|group| group.form.max_level > 0);
                    (rows < self.rows, has_levels || rows < self.rows)
                }
                FetchedColumn::Constant(runs) => {
                    let has_nulls = runs.pages.iter().any(Option::is_none);
                    (has_nulls, has_nulls)
                }
            };
            let coded_entries = layout.entries[column];
            let bytes = repr.bytes(coded_entries.unwrap_or(self.rows));
            let values = if coded_entries.is_none() && has_gaps || repr == Repr::Bool {
                zeroed(bytes)?
            } else {
                allocate(bytes)?
            };
            let mut codes = None;
            if coded_entries.is_some() {
                let buffer = allocate(Repr::U32.bytes(self.rows))?;
                if has_gaps {
                    stream.fill(buffer.view(), NO_CODE_BYTE).map_err(on_device)?;
                }
                codes = Some(Arc::new(buffer));
            }
            let validity = if is_nullable {
                Some(zeroed(bitmap_bytes(self.rows))?)
            } else {
                None
            };
            let mut entries = Vec::new();
            if let FetchedColumn::Constant(runs) = of_column {
                for run in 0..runs.rows.len() {
                    entries.push(upload(&runs.value(run), stream, reservation)?);
                }
            }
            outputs.push(Some(Output {
                values: Arc::new(values),
                codes,
                validity: validity.map(Arc::new),
                entries,
            }));
        }
        let with_slack = |bytes: usize| {
            let buffer = allocate(bytes + SLACK_BYTES)?;
            let slack = buffer.slice(bytes..bytes + SLACK_BYTES).map_err(on_device)?;
            stream.fill(slack, 0).map_err(on_device)?;
            Ok::<_, crate::error::Error>(buffer)
        };
        Ok(Memory {
            packed: match &self.early {
                Some(early) => Packed::Early(Arc::clone(early)),
                None => Packed::Empty(with_slack(layout.packed_bytes)?),
            },
            plain: with_slack(layout.plain_bytes)?,
            text: Arc::new(with_slack(layout.text_bytes)?),
            dictionaries: allocate(layout.dictionary_bytes)?,
            outputs,
        })
    }

    /// Queues the copies; returns how many bytes.
    fn upload(&self, layout: &Layout<'_>, memory: &Memory, stream: &Stream) -> Result<usize> {
        let mut uploaded = 0;
        for piece in self.image.pieces() {
            let end = uploaded + piece.len();
            let target = memory.packed.buffer().slice(uploaded..end).map_err(on_device)?;
            match (piece, &memory.packed) {
                (Piece::Pinned(_), Packed::Early(_)) => {}
                (Piece::Pinned(bytes), Packed::Empty(_)) => {
                    stream.upload(bytes, target).map_err(on_device)?
                }
                (Piece::Ordinary(bytes), _) => copy_up(stream, target, &[bytes])?,
            }
            uploaded = end;
        }
        for (region, at, bodies) in host_bodies(layout) {
            let buffer = match region {
                Region::Text => &memory.text,
                _ => &memory.plain,
            };
            let bytes: usize = bodies.iter().map(|body| body.len()).sum();
            let target = buffer.slice(at..at + bytes).map_err(on_device)?;
            copy_up(stream, target, &bodies)?;
            uploaded += bytes;
        }
        Ok(uploaded)
    }

    /// Queues the copies and all kernels; returns the room of strings that were put together, how many bytes are copied,
    /// and the point between copies and kernels.
    #[expect(clippy::too_many_arguments, reason = "what a decode works on, each once")]
    fn queue(
        &self,
        layout: &Layout<'_>,
        memory: &Memory,
        addresses: &Addresses,
        stream: &Stream,
        reservation: &Reservation,
        kernels: &ScanKernels,
        word: &ErrorWord,
    ) -> Result<(Option<Arc<Buffer>>, usize, Event)> {
        let mut uses: Vec<&Buffer> = vec![
            memory.packed.buffer(),
            &memory.plain,
            &memory.text,
            &memory.dictionaries,
        ];
        for output in memory.outputs.iter().flatten() {
            uses.push(&output.values);
            uses.extend(output.codes.as_deref());
            uses.extend(output.validity.as_deref());
            for entry in &output.entries {
                uses.push(&entry.values);
                uses.extend(entry.owners.iter().map(AsRef::as_ref));
            }
        }
        let mut blobs = Vec::new();
        for placed in &layout.pages {
            addresses.add_blobs(placed, &mut blobs);
        }
        let (dictionaries, data): (Vec<_>, Vec<_>) = layout
            .pages
            .iter()
            .partition(|placed| placed.role == Role::Dictionary);
        let dictionaries: Vec<Page> = dictionaries
            .into_iter()
            .map(|placed| addresses.page(placed))
            .collect();
        let mut data: Vec<Page> = data.into_iter().map(|placed| addresses.page(placed)).collect();

        let turn = kernels.turn();
        let uploaded = self.upload(layout, memory, stream)?;
        let begun = stream.record().map_err(on_device)?;
        kernels
            .decompressor
            .decompress(stream, reservation, &blobs, &uses, word)
            .map_err(on_device)?;
        let decoder = &kernels.decoder;
        decoder
            .decode(stream, reservation, &dictionaries, &uses, word)
            .map_err(on_device)?;

        let shares = |page: &Page| page.encoding == Encoding::DeltaByteArray as u32;
        let mut room = None;
        let mut turn = Some(turn);
        if data.iter().any(shares) {
            // Others have their turn while this one waits.
            drop(turn.take());
            let sizes = decoder
                .measure_sync(stream, reservation, &data, &uses, word)
                .map_err(on_device)?;
            room = Some(Arc::new(make_room(&mut data, &sizes, stream, reservation)?));
        }
        uses.extend(room.as_deref());
        let _turn = turn.unwrap_or_else(|| kernels.turn());
        decoder
            .decode(stream, reservation, &data, &uses, word)
            .map_err(on_device)?;
        Ok((room, uploaded, begun))
    }

    fn finish(
        self,
        memory: Memory,
        room: &Option<Arc<Buffer>>,
        stream: &Stream,
        reservation: &Reservation,
        counters: &ScanCounters,
    ) -> Result<DeviceBatch> {
        let schema = self.spec.schema();
        let mut columns = Vec::with_capacity(self.columns.len());
        for (index, (of_column, output)) in self.columns.into_iter().zip(memory.outputs).enumerate() {
            let data_type = schema.field(index).data_type().clone();
            columns.push(match (of_column, output) {
                (FetchedColumn::Array(array), _) => {
                    let column = upload(&array, stream, reservation)?;
                    let owners: usize = column.owners.iter().map(|owner| owner.len_bytes()).sum();
                    counters.uploaded(column.values.len_bytes() + owners);
                    column
                }
                (_, Some(output)) => {
                    let repr = repr_of(&self.spec, index);
                    let mut owners = Vec::new();
                    if repr == Repr::Str {
                        owners.push(Arc::clone(&memory.text));
                        owners.extend(room.clone());
                        owners.extend(output.entries.into_iter().flat_map(|entry| entry.owners));
                    }
                    let through = output.codes.map(|numbers| RowNumbers {
                        numbers,
                        may_miss: output.validity.is_some(),
                        are_codes: true,
                    });
                    DeviceColumn {
                        data_type,
                        repr,
                        values: output.values,
                        // Entries are never null: a row that is has no code.
                        validity: output.validity.filter(|_| through.is_none()),
                        owners,
                        through,
                    }
                }
                (_, None) => return Err(crate::error::Error::internal("scan: a column without memory")),
            });
        }
        let bytes = columns.iter().map(|column| {
            let codes = column.through.as_ref().map(|codes| &codes.numbers);
            let others = column.validity.iter().chain(codes);
            column.values.len_bytes() + others.map(|buffer| buffer.len_bytes()).sum::<usize>()
        });
        counters.decoded(self.row_groups, bytes.sum());
        Ok(DeviceBatch {
            rows: self.rows,
            columns,
        })
    }
}

impl Memory {
    fn addresses(&self, fetched: &Fetched) -> Addresses {
        let columns = self.outputs.iter().map(|output| match output {
            Some(output) => (
                output.codes.as_ref().unwrap_or(&output.values).address(),
                output.validity.as_ref().map_or(0, |words| words.address()),
            ),
            None => (0, 0),
        });
        let coded = self.outputs.iter().map(|output| match output {
            Some(output) if output.codes.is_some() => output.values.address(),
            _ => 0,
        });
        let entries = self.outputs.iter().map(|output| {
            let entries = output.iter().flat_map(|output| &output.entries);
            entries.map(|entry| entry.values.address()).collect()
        });
        Addresses {
            packed: self.packed.buffer().address(),
            plain: self.plain.address(),
            text: self.text.address(),
            dictionaries: self.dictionaries.address(),
            columns: columns.collect(),
            coded: coded.collect(),
            entries: entries.collect(),
            reprs: (0..fetched.columns.len())
                .map(|column| repr_of(&fetched.spec, column))
                .collect(),
        }
    }
}

/// Bodies in host memory that go to neighbouring places: region, first place, bodies.
fn host_bodies<'a>(layout: &Layout<'a>) -> Vec<(Region, usize, Vec<&'a [u8]>)> {
    let mut runs: Vec<(Region, usize, Vec<&[u8]>)> = Vec::new();
    for region in [Region::Plain, Region::Text] {
        let mut next = None;
        let is_brought = |placed: &&Placed<'_>| placed.region == region && !placed.is_again;
        for placed in layout.pages.iter().filter(is_brought) {
            let Body::Host(bytes) = &placed.page.body else {
                next = None;
                continue;
            };
            match runs.last_mut() {
                Some((_, _, bodies)) if next == Some(placed.at) => bodies.push(bytes),
                _ => runs.push((region, placed.at, vec![bytes])),
            }
            next = Some(placed.at + bytes.len());
        }
    }
    runs
}

/// Gives each page of strings with shared beginnings its room.
fn make_room(
    pages: &mut [Page],
    sizes: &[u64],
    stream: &Stream,
    reservation: &Reservation,
) -> Result<Buffer> {
    let total: usize = sizes.iter().map(|&bytes| bytes as usize).sum::<usize>() + SLACK_BYTES;
    let left = reservation.bytes().saturating_sub(reservation.used_bytes());
    // Of what is left, the decode that follows takes its scratch.
    let needed = Reservation::charged_bytes(total) + PageDecoder::scratch_bytes(pages);
    if needed > left {
        reservation.grow(needed - left).map_err(on_device)?;
    }
    let room = stream.allocate_zeroed(reservation, total).map_err(on_device)?;
    let mut at = room.address();
    for (page, &bytes) in pages.iter_mut().zip(sizes) {
        if page.encoding == Encoding::DeltaByteArray as u32 {
            let length = u32::try_from(bytes).map_err(|_| {
                crate::error::Error::data(format!(
                    "a page of strings takes {bytes} bytes, at most {} are taken",
                    u32::MAX
                ))
            })?;
            (page.dictionary, page.dictionary_count) = (at, length);
            at += bytes;
        }
    }
    Ok(room)
}
