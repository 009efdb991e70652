//! The pool that slabs come from. Comes in: sizes, and regions that were pinned. Goes out: blocks of a few sizes, or room
//! for one more region. It pins nothing itself.
//!
//! Regions are cut up and put together again, and stay until the device is closed: unpinning waits for all work on the
//! device and holds up every launch meanwhile (104 ms beside a kernel of 100 ms on one H100, 2026-11-23).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Sizes of blocks, each a multiple of the one before. Requests take the smallest that fits.
const BLOCK_BYTES: [usize; 5] = [4 << 10, 64 << 10, 1 << 20, 4 << 20, 16 << 20];
/// So many of the largest blocks fit into a pool, so that several copies are under way in a small one too.
const LARGEST_BLOCKS: usize = 16;

/// The smallest size that holds `bytes`.
pub(super) fn size_for(bytes: usize) -> Option<usize> {
    BLOCK_BYTES.into_iter().find(|&size| size >= bytes)
}

/// Where pinned memory begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory(pub(super) *mut u8);
// SAFETY: the memory belongs to the pool, which gives each part of it to one owner at a time.
unsafe impl Send for Memory {}

/// Memory that one owner has until it is given back.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) memory: Memory,
    pub(super) bytes: usize,
}

/// Bytes that are counted as pinned and are yet to be.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    pub(super) fn bytes(&self) -> usize {
        self.0
    }
}

/// What came of asking for a block.
#[derive(Debug)]
pub(super) enum Taken {
    Block(Block),
    /// None is idle, and there is room for a region. [`Pool::grown`] or [`Pool::not_grown`] must follow.
    Room(Room),
    None {
        available_bytes: usize,
    },
}

#[derive(Debug)]
pub(crate) struct Pool {
    limit_bytes: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Where each region begins, by address.
    regions: BTreeMap<usize, Memory>,
    pinned_bytes: usize,
    used_bytes: usize,
    /// Addresses of idle blocks of each size.
    idle: [BTreeSet<usize>; BLOCK_BYTES.len()],
    /// Whether blocks came back since idle ones were last put together.
    may_join: bool,
}

impl Pool {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    pub(crate) fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    pub(crate) fn pinned_bytes(&self) -> usize {
        self.lock().pinned_bytes
    }

    /// The largest block that it gives, and the size of a region.
    pub(crate) fn slab_bytes_max(&self) -> usize {
        let share = self.limit_bytes / LARGEST_BLOCKS;
        let fitting = BLOCK_BYTES.into_iter().rfind(|&size| size <= share);
        fitting.unwrap_or(BLOCK_BYTES[0])
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block of `size`, one of [`BLOCK_BYTES`] and at most [`Self::slab_bytes_max`], if `left_bytes` are left to others.
    pub(super) fn take(&self, size: usize, left_bytes: usize) -> Taken {
        let mut state = self.lock();
        let available_bytes = self.limit_bytes.saturating_sub(state.used_bytes + left_bytes);
        if size > available_bytes {
            return Taken::None { available_bytes };
        }
        if let Some(block) = state.take(size) {
            return Taken::Block(block);
        }
        let region = self.slab_bytes_max();
        if state.pinned_bytes + region > self.limit_bytes {
            // What is idle lies in pieces.
            let available_bytes = state.largest_idle_bytes();
            return Taken::None { available_bytes };
        }
        state.pinned_bytes += region;
        Taken::Room(Room(region))
    }

    /// Adds the region that was pinned for `room`, and takes a block of it.
    pub(super) fn grown(&self, room: Room, memory: *mut u8, size: usize) -> Block {
        let mut state = self.lock();
        state.regions.insert(memory.addr(), Memory(memory));
        state.used_bytes += size;
        state.cut(memory.addr(), level_of(room.0), level_of(size));
        Block {
            memory: Memory(memory),
            bytes: size,
        }
    }

    /// The room is not used after all.
    pub(super) fn not_grown(&self, room: Room) {
        self.lock().pinned_bytes -= room.0;
    }

    /// Takes a block back.
    pub(super) fn give(&self, block: &Block) {
        let mut state = self.lock();
        state.used_bytes -= block.bytes;
        state.may_join = true;
        state.idle[level_of(block.bytes)].insert(block.memory.0.addr());
        drop(state);
        self.returned.notify_one();
    }

    /// Waits until a block comes back, `timeout` at most. One that came back just before is missed.
    pub(super) fn wait_for_return(&self, timeout: Duration) {
        drop(self.returned.wait_timeout(self.lock(), timeout));
    }

    /// Removes every region from the pool, with its size. No block may be in use.
    pub(crate) fn drain(&self) -> Vec<(*mut u8, usize)> {
        let region = self.slab_bytes_max();
        let state = std::mem::take(&mut *self.lock());
        let regions = state.regions.into_values();
        regions.map(|memory| (memory.0, region)).collect()
    }
}

/// Which of the sizes.
fn level_of(size: usize) -> usize {
    BLOCK_BYTES.partition_point(|&smaller| smaller < size)
}

impl State {
    /// The first idle block of this size, or a part of a larger one.
    fn take(&mut self, size: usize) -> Option<Block> {
        let level = level_of(size);
        let is_enough = |state: &Self| state.idle[level..].iter().any(|idle| !idle.is_empty());
        if !is_enough(self) && self.may_join {
            self.join();
        }
        let from = (level..BLOCK_BYTES.len()).find(|&larger| !self.idle[larger].is_empty())?;
        // The lowest address: what is used stays together, and larger blocks become whole again.
        let address = self.idle[from].pop_first()?;
        self.cut(address, from, level);
        self.used_bytes += size;
        let (base, memory) = self.region_of(address)?;
        Some(Block {
            memory: Memory(memory.0.wrapping_add(address - base)),
            bytes: size,
        })
    }

    /// Leaves of a block of size `from` its beginning of size `to`: the rest is idle.
    fn cut(&mut self, address: usize, from: usize, to: usize) {
        for level in to..from {
            let (size, whole) = (BLOCK_BYTES[level], BLOCK_BYTES[level + 1]);
            self.idle[level].extend((size..whole).step_by(size).map(|offset| address + offset));
        }
    }

    /// Puts idle neighbours together that were one block.
    fn join(&mut self) {
        self.may_join = false;
        for level in 0..BLOCK_BYTES.len() - 1 {
            let (size, whole) = (BLOCK_BYTES[level], BLOCK_BYTES[level + 1]);
            let mut parts: BTreeMap<usize, usize> = BTreeMap::new();
            for &address in &self.idle[level] {
                if let Some((base, _)) = self.region_of(address) {
                    *parts.entry(address - (address - base) % whole).or_default() += 1;
                }
            }
            for (address, count) in parts {
                if count == whole / size {
                    for part in (0..whole).step_by(size) {
                        self.idle[level].remove(&(address + part));
                    }
                    self.idle[level + 1].insert(address);
                }
            }
        }
    }

    fn region_of(&self, address: usize) -> Option<(usize, Memory)> {
        let (&base, &memory) = self.regions.range(..=address).next_back()?;
        Some((base, memory))
    }

    fn largest_idle_bytes(&self) -> usize {
        let mut sizes = BLOCK_BYTES.into_iter().zip(&self.idle);
        sizes
            .rfind(|(_, idle)| !idle.is_empty())
            .map_or(0, |(size, _)| size)
    }
}
