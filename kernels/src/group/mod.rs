//! Tables of groups: what generated kernels find and add groups in, and its growth. Comes in: how many words a key and
//! a group's state have. Goes out: the table's memory as kernels take it. It knows no types and no aggregates; the
//! layout is `WfGroups` of the prelude.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::buffer::{Buffer, View};
use crate::device::Device;
use crate::error::{DeviceError, Result};
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::plain::Plain;
use crate::reservation::Reservation;
use crate::stream::Stream;

pub(crate) fn source() -> KernelSource {
    let kernels = &["enter_groups", "refer_to_texts", "count_members"];
    KernelSource::library("group", include_str!("group.cu"), kernels)
}

/// The compiled kernels of this family on one device.
#[derive(Debug, Clone)]
pub struct Grouper {
    enter: Kernel,
    refer: Kernel,
    count: Kernel,
}

impl Grouper {
    /// Compiles them, or finds them compiled.
    pub fn new(device: &Device) -> Result<Self> {
        let module = device.module(&source())?;
        Ok(Self {
            enter: module.kernel("enter_groups")?,
            refer: module.kernel("refer_to_texts")?,
            count: module.kernel("count_members")?,
        })
    }
}

/// What a table holds of each group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupShape {
    /// Words of a key.
    pub key_words: usize,
    /// Which of them are strings.
    pub texts: Vec<usize>,
    /// Bytes that each word of a new group's state is filled with: 0 or 0xff.
    pub state: Vec<u8>,
}

impl GroupShape {
    /// Whether keys stand in the slots.
    fn keys_in_slots(&self) -> bool {
        self.key_words == 1 && self.texts.is_empty()
    }

    /// Bytes of the slots of a table with room for `capacity` groups: two a group, so that rows rarely meet a slot that is
    /// taken by another key, and one more for the key that cannot be told from none.
    fn slots_bytes(&self, capacity: usize) -> usize {
        match self.keys_in_slots() {
            true => (capacity * 2 + 1) * 16,
            false => capacity * 2 * 4,
        }
    }
}

/// `WfGroups` of the prelude.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
struct Header {
    slots: u64,
    keys: u64,
    texts: u64,
    slot_mask: u32,
    capacity: u32,
    count: u32,
    overflow: u32,
    heap_used: u64,
    heap_capacity: u64,
    heap_base: u64,
}
// SAFETY: numbers only; 24 + 16 + 24 bytes without padding.
unsafe impl Plain for Header {}

/// How full a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Groups.
    pub count: usize,
    /// Whether some row found no room: [`GroupTable::grow_sync`] makes some, then the launch is repeated.
    pub overflowed: bool,
}

/// A table of groups on one stream, which all kernels that use it are queued on.
#[derive(Debug)]
pub struct GroupTable {
    kernels: Grouper,
    stream: Stream,
    reservation: Reservation,
    shape: GroupShape,
    capacity: usize,
    header: Buffer,
    slots: Buffer,
    keys: Buffer,
    texts: Buffer,
    state: Arc<Buffer>,
    /// The last one has room.
    heaps: Vec<Arc<Buffer>>,
    heap_bytes: usize,
    /// When the host last looked.
    count_seen: AtomicUsize,
}

/// How much a full table grows by.
const GROWTH: usize = 4;
/// Groups of the largest table: slots, twice as many, are numbered by 32 bits.
const CAPACITY_MAX: usize = 1 << 31;
/// Bytes for long strings that a table starts with, if its keys have any.
const HEAP_BYTES: usize = 1 << 20;

impl GroupTable {
    /// An empty table with room for `capacity` groups. What it takes of device memory is added to `reservation`.
    pub fn new(
        kernels: &Grouper,
        stream: &Stream,
        reservation: &Reservation,
        shape: GroupShape,
        capacity: usize,
    ) -> Result<Self> {
        let capacity = capacity.next_power_of_two();
        reservation.grow(Self::bytes(&shape, capacity))?;
        let take = |bytes: usize| stream.allocate_zeroed(reservation, bytes.max(8));
        let heap_bytes = if shape.texts.is_empty() { 8 } else { HEAP_BYTES };
        reservation.grow(crate::arena::rounded(heap_bytes))?;
        let table = Self {
            header: take(size_of::<Header>())?,
            slots: take(shape.slots_bytes(capacity))?,
            keys: take(shape.key_words * capacity * 8)?,
            texts: take(shape.texts.len() * capacity * 16)?,
            state: Arc::new(take(shape.state.len() * capacity * 8)?),
            heaps: vec![Arc::new(take(heap_bytes)?)],
            kernels: kernels.clone(),
            stream: stream.clone(),
            reservation: reservation.clone(),
            shape,
            capacity,
            heap_bytes,
            count_seen: AtomicUsize::new(0),
        };
        table.fill_state(0)?;
        table.write_header(0, 0)?;
        Ok(table)
    }

    fn bytes(shape: &GroupShape, capacity: usize) -> usize {
        let parts = [
            size_of::<Header>(),
            shape.slots_bytes(capacity),
            shape.key_words * capacity * 8,
            shape.texts.len() * capacity * 16,
            shape.state.len() * capacity * 8,
        ];
        parts
            .into_iter()
            .map(|bytes| crate::arena::rounded(bytes.max(8)))
            .sum()
    }

    /// Groups that there is room for: the distance between the words of a group's state.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// `WfGroups*` for kernels.
    pub fn header(&self) -> View<'_> {
        self.header.view()
    }

    /// The state: word `w` of group `g` is the 64-bit word `w * capacity + g`.
    pub fn state(&self) -> View<'_> {
        self.state.view()
    }

    /// The keys, laid out like the state.
    pub fn keys(&self) -> View<'_> {
        self.keys.view()
    }

    /// What the header's addresses lead to: for [`Args::also_uses`].
    pub fn uses(&self) -> Vec<&Buffer> {
        let mut uses = vec![&self.slots, &self.keys, &self.texts];
        uses.extend(self.heaps.iter().map(Arc::as_ref));
        uses
    }

    /// Where long strings are kept.
    pub fn heaps(&self) -> &[Arc<Buffer>] {
        &self.heaps
    }

    /// How full the table is, waiting for it.
    pub fn fill_sync(&self) -> Result<Fill> {
        let header = self.read_header_sync()?;
        let count = (header.count as usize).min(self.capacity);
        self.count_seen.store(count, Ordering::Relaxed);
        Ok(Fill {
            count,
            overflowed: header.overflow != 0,
        })
    }

    /// Groups that there were when [`Self::fill_sync`] last looked, without waiting; 0 if it never did.
    pub fn count_seen(&self) -> usize {
        self.count_seen.load(Ordering::Relaxed)
    }

    /// Makes room after an overflow, waiting for the table's numbers. Groups keep their numbers.
    pub fn grow_sync(&mut self) -> Result<()> {
        let header = self.read_header_sync()?;
        let count = (header.count as usize).min(self.capacity);
        let mut heap_used = header.heap_used;
        if heap_used > header.heap_capacity {
            // Strings stay where they are; new ones go to a new heap.
            let bytes = (heap_used as usize).max(self.heap_bytes * GROWTH);
            self.reservation.grow(crate::arena::rounded(bytes))?;
            self.heaps
                .push(Arc::new(self.stream.allocate_zeroed(&self.reservation, bytes)?));
            (self.heap_bytes, heap_used) = (bytes, 0);
        }
        if header.count as usize > self.capacity {
            let capacity = (self.capacity * GROWTH).min(CAPACITY_MAX);
            if capacity == self.capacity {
                return Err(DeviceError::OutOfMemory {
                    memory: "group numbers of 32 bits",
                    wanted_bytes: Self::bytes(&self.shape, capacity * 2),
                    available_bytes: Self::bytes(&self.shape, capacity),
                });
            }
            self.reservation.grow(Self::bytes(&self.shape, capacity))?;
            self.enlarge(count, capacity, heap_used)?;
        } else {
            self.write_header(count, heap_used)?;
        }
        // The old arrays are gone, and so is their part of the promise.
        self.reservation.shrink_to(self.reservation.used_bytes());
        Ok(())
    }

    /// Makes room for `groups` groups before they come, waiting for the table's numbers, where there is memory for that;
    /// else they find out. Not to be called after an overflow.
    pub fn make_room_sync(&mut self, groups: usize) -> Result<()> {
        let capacity = groups.min(CAPACITY_MAX).next_power_of_two();
        if capacity <= self.capacity || self.reservation.grow(Self::bytes(&self.shape, capacity)).is_err() {
            return Ok(());
        }
        let header = self.read_header_sync()?;
        self.enlarge(header.count as usize, capacity, header.heap_used)?;
        self.reservation.shrink_to(self.reservation.used_bytes());
        Ok(())
    }

    /// Moves the first `count` groups to arrays for `new` ones, which the reservation has the memory for.
    fn enlarge(&mut self, count: usize, new: usize, heap_used: u64) -> Result<()> {
        let old = self.capacity;
        let stream = self.stream.clone();
        let reservation = self.reservation.clone();
        let spread = |source: &Buffer, words: usize, width: usize| -> Result<Buffer> {
            let target = stream.allocate_zeroed(&reservation, (words * new * width).max(8))?;
            for word in 0..words {
                let from = source.slice(word * old * width..(word * old + count) * width)?;
                stream.copy(
                    target.slice(word * new * width..(word * new + count) * width)?,
                    from,
                )?;
            }
            Ok(target)
        };
        self.keys = spread(&self.keys, self.shape.key_words, 8)?;
        self.texts = spread(&self.texts, self.shape.texts.len(), 16)?;
        self.state = Arc::new(spread(&self.state, self.shape.state.len(), 8)?);
        self.slots = stream.allocate_zeroed(&reservation, self.shape.slots_bytes(new))?;
        self.capacity = new;
        self.fill_state(count)?;
        self.write_header(count, heap_used)?;
        let args = Args::new()
            .buffer(&self.header)
            .value(self.shape.key_words as u32)
            .value(u32::from(self.shape.keys_in_slots()))
            .also_uses(&self.slots)
            .also_uses(&self.keys);
        if count > 0 {
            stream.launch(&self.kernels.enter, Grid::covering(count, 256, 256), &args)?;
        }
        Ok(())
    }

    fn fill_state(&self, from: usize) -> Result<()> {
        for (word, &byte) in self
            .shape
            .state
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte != 0)
        {
            let start = (word * self.capacity + from) * 8;
            self.stream
                .fill(self.state.slice(start..(word + 1) * self.capacity * 8)?, byte)?;
        }
        Ok(())
    }

    fn write_header(&self, count: usize, heap_used: u64) -> Result<()> {
        let heap = self
            .heaps
            .last()
            .map_or((0, 0), |heap| (heap.address(), heap.len_bytes()));
        let header = Header {
            slots: self.slots.address(),
            keys: self.keys.address(),
            texts: self.texts.address(),
            slot_mask: (self.capacity * 2 - 1) as u32,
            capacity: self.capacity as u32,
            count: count as u32,
            overflow: 0,
            heap_used,
            heap_capacity: heap.1 as u64,
            heap_base: heap.0,
        };
        let room = crate::arena::rounded(size_of::<Header>());
        self.reservation.grow(room)?;
        let source = self.stream.upload_values(&self.reservation, &[header])?;
        self.stream.copy(self.header.view(), source.view())
    }

    fn read_header_sync(&self) -> Result<Header> {
        Ok(self.stream.read_sync::<Header>(self.header.view())?[0])
    }

    /// String `text` of the first `count` groups as references, which lead into the keys and heaps of the table.
    pub fn references(&self, text: usize, count: usize, target: View<'_>) -> Result<()> {
        let args = Args::new()
            .buffer(&self.header)
            .value(text as u32)
            .value(self.shape.texts[text] as u32)
            .view(target);
        let args = self
            .uses()
            .into_iter()
            .fold(args, |args, buffer| args.also_uses(buffer));
        self.stream
            .launch(&self.kernels.refer, Grid::covering(count, 256, 256), &args)
    }

    /// Adds, for a table whose keys begin with the 32 bits of the number of a group of another table, the number of keys
    /// of each of these groups to its count, waiting for how many there are. `counts` is a word a group.
    pub fn count_members_sync(&self, counts: View<'_>) -> Result<()> {
        let members = self.fill_sync()?.count;
        let args = Args::new()
            .buffer(&self.header)
            .view(counts)
            .also_uses(&self.keys);
        match members {
            0 => Ok(()),
            _ => self
                .stream
                .launch(&self.kernels.count, Grid::covering(members, 256, 256), &args),
        }
    }

    /// Gives up everything but what references lead to.
    pub fn into_owners(self) -> Vec<Arc<Buffer>> {
        let mut owners = self.heaps;
        owners.push(Arc::new(self.keys));
        owners
    }
}
