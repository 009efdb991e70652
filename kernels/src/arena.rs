//! One large piece of device memory, cut up in stream order. Comes in: sizes and streams. Goes out: addresses, with
//! the events that the taking stream must wait for. It knows neither budgets nor what the bytes hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::RawStream;
use crate::event::Event;

/// Every block starts at, and is, a multiple of this: what `cuMemAlloc` guarantees too.
pub(crate) const BLOCK_BYTES: usize = 256;

/// How many blocks, beyond the best fit, are looked at for one that needs no wait.
const CANDIDATES_MAX: usize = 8;

/// `bytes` as the arena counts them.
pub(crate) fn rounded(bytes: usize) -> usize {
    bytes.max(1).next_multiple_of(BLOCK_BYTES)
}

/// The last use of a free block by one stream.
type LastUse = (RawStream, Arc<Event>);

#[derive(Default)]
struct FreeBlock {
    bytes: usize,
    last_uses: Vec<LastUse>,
}

/// The free blocks of one range of addresses. Neighbours are always joined.
pub(crate) struct Arena {
    by_address: BTreeMap<u64, FreeBlock>,
    by_size: BTreeSet<(usize, u64)>,
}

impl Arena {
    pub(crate) fn new(base: u64, bytes: usize) -> Self {
        let mut arena = Self {
            by_address: BTreeMap::new(),
            by_size: BTreeSet::new(),
        };
        arena.insert(
            base,
            FreeBlock {
                bytes,
                last_uses: Vec::new(),
            },
        );
        arena
    }

    /// The largest block that could be had now.
    pub(crate) fn largest_bytes(&self) -> usize {
        self.by_size.last().map_or(0, |&(bytes, _)| bytes)
    }

    /// Takes `bytes` for `stream`: the best fit, or a slightly larger block if that spares a wait. The stream must
    /// wait for the events before it uses the memory.
    pub(crate) fn take(&mut self, bytes: usize, stream: RawStream) -> Option<(u64, Vec<Arc<Event>>)> {
        let bytes = rounded(bytes);
        let fits = || self.by_size.range((bytes, 0)..).take(CANDIDATES_MAX);
        let ready = fits().find(|(_, address)| self.waits_of(*address, stream).is_empty());
        let &(block_bytes, address) = ready.or_else(|| fits().next())?;
        let waits = self.waits_of(address, stream);
        let block = self.remove(address, block_bytes);
        if block_bytes > bytes {
            let rest = FreeBlock {
                bytes: block_bytes - bytes,
                last_uses: block.last_uses,
            };
            self.insert(address + bytes as u64, rest);
        }
        Some((address, waits))
    }

    /// Returns a block that `stream` used last, up to `done`.
    pub(crate) fn give(&mut self, address: u64, bytes: usize, stream: RawStream, done: Arc<Event>) {
        let mut start = address;
        let mut joined = FreeBlock {
            bytes: rounded(bytes),
            last_uses: vec![(stream, done)],
        };
        let end = address + joined.bytes as u64;
        if let Some((&before, block)) = self.by_address.range(..address).next_back()
            && before + block.bytes as u64 == address
        {
            let block_bytes = block.bytes;
            let block = self.remove(before, block_bytes);
            joined.absorb(block);
            start = before;
        }
        if let Some(block) = self.by_address.get(&end) {
            let block_bytes = block.bytes;
            let block = self.remove(end, block_bytes);
            joined.absorb(block);
        }
        self.insert(start, joined);
    }

    fn waits_of(&self, address: u64, stream: RawStream) -> Vec<Arc<Event>> {
        let Some(block) = self.by_address.get(&address) else {
            return Vec::new();
        };
        let foreign = block.last_uses.iter().filter(|(user, _)| *user != stream);
        foreign
            .filter(|(_, done)| !done.is_done().unwrap_or(false))
            .map(|(_, done)| Arc::clone(done))
            .collect()
    }

    fn insert(&mut self, address: u64, block: FreeBlock) {
        self.by_size.insert((block.bytes, address));
        self.by_address.insert(address, block);
    }

    fn remove(&mut self, address: u64, bytes: usize) -> FreeBlock {
        self.by_size.remove(&(bytes, address));
        self.by_address.remove(&address).unwrap_or_default()
    }
}

impl FreeBlock {
    /// Joins a neighbour. Both lists are kept: which of two events of one stream is the later is not known here.
    /// Uses that are over are dropped, so that the list stays short.
    fn absorb(&mut self, neighbour: FreeBlock) {
        self.bytes += neighbour.bytes;
        self.last_uses.extend(neighbour.last_uses);
        self.last_uses
            .retain(|(_, done)| !done.is_done().unwrap_or(false));
    }
}
