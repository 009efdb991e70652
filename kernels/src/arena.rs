//! One large piece of device memory, cut up in stream order. Comes in: sizes and streams. Goes out: addresses, with
//! the events that the taking stream must wait for. It knows neither budgets nor what the bytes hold.
//!
//! A block that was given back and may still be in use stays apart until its stream has passed the end of that use:
//! joined to the rest of the free memory it would have every other stream wait for this one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::api::RawStream;
use crate::event::Event;

/// Every block starts at, and is, a multiple of this: what `cuMemAlloc` guarantees too.
pub(crate) const BLOCK_BYTES: usize = 256;

/// How many blocks, beyond the best fit, are looked at for one that needs no wait.
const CANDIDATES_MAX: usize = 8;

/// How many blocks that may still be in use are asked, at each taking, whether they are.
const ASKED_MAX: usize = 16;

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

/// A block that was given back, and may still be in use.
struct Pending {
    address: u64,
    bytes: usize,
    last_use: LastUse,
}

/// The free blocks of one range of addresses. Neighbours are joined, but for those that may still be in use.
pub(crate) struct Arena {
    by_address: BTreeMap<u64, FreeBlock>,
    by_size: BTreeSet<(usize, u64)>,
    /// In the order in which they came.
    pending: VecDeque<Pending>,
}

impl Arena {
    pub(crate) fn new(base: u64, bytes: usize) -> Self {
        let mut arena = Self {
            by_address: BTreeMap::new(),
            by_size: BTreeSet::new(),
            pending: VecDeque::new(),
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
        let free = self.by_size.last().map_or(0, |&(bytes, _)| bytes);
        let pending = self.pending.iter().map(|block| block.bytes);
        pending.fold(free, usize::max)
    }

    /// Takes `bytes` for `stream`: free memory, or what this stream gave back itself, or else what others still use.
    /// The stream must wait for the events before it uses the memory.
    pub(crate) fn take(&mut self, bytes: usize, stream: RawStream) -> Option<(u64, Vec<Arc<Event>>)> {
        let bytes = rounded(bytes);
        self.settle();
        if let Some((address, waits)) = self.take_free(bytes, stream, false) {
            return Some((address, waits));
        }
        if let Some(address) = self.take_own(bytes, stream) {
            return Some((address, Vec::new()));
        }
        // Memory is short: what is still in use is joined too, and waited for.
        for block in std::mem::take(&mut self.pending) {
            self.join(block.address, block.bytes, vec![block.last_use]);
        }
        self.take_free(bytes, stream, true)
    }

    /// Joins blocks whose use is over to the free ones; looks at some of them only.
    fn settle(&mut self) {
        for _ in 0..ASKED_MAX.min(self.pending.len()) {
            let Some(block) = self.pending.pop_front() else {
                return;
            };
            match block.last_use.1.is_done().unwrap_or(false) {
                true => self.join(block.address, block.bytes, Vec::new()),
                false => self.pending.push_back(block),
            }
        }
    }

    /// The best fit among free blocks, or a slightly larger block if that spares a wait.
    fn take_free(
        &mut self,
        bytes: usize,
        stream: RawStream,
        may_wait: bool,
    ) -> Option<(u64, Vec<Arc<Event>>)> {
        let fits = || self.by_size.range((bytes, 0)..).take(CANDIDATES_MAX);
        let ready = fits().find(|(_, address)| self.waits_of(*address, stream).is_empty());
        let &(block_bytes, address) = match may_wait {
            true => ready.or_else(|| fits().next())?,
            false => ready?,
        };
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

    /// The best fit among blocks that `stream` itself used last: its order keeps both uses apart.
    fn take_own(&mut self, bytes: usize, stream: RawStream) -> Option<u64> {
        let own = self.pending.iter().enumerate();
        let own = own.filter(|(_, block)| block.last_use.0 == stream && block.bytes >= bytes);
        let (place, _) = own.min_by_key(|(_, block)| block.bytes)?;
        let block = self.pending.remove(place)?;
        if block.bytes > bytes {
            self.pending.push_back(Pending {
                address: block.address + bytes as u64,
                bytes: block.bytes - bytes,
                last_use: block.last_use,
            });
        }
        Some(block.address)
    }

    /// Returns a block that `stream` used last, up to `done`.
    pub(crate) fn give(&mut self, address: u64, bytes: usize, stream: RawStream, done: Arc<Event>) {
        self.pending.push_back(Pending {
            address,
            bytes: rounded(bytes),
            last_use: (stream, done),
        });
    }

    fn join(&mut self, address: u64, bytes: usize, last_uses: Vec<LastUse>) {
        let mut start = address;
        let mut joined = FreeBlock { bytes, last_uses };
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
