//! Host memory that the device copies from and to at full speed. Comes in: sizes. Goes out: slabs of a bounded pool
//! that grows with use and never shrinks. A slab knows no file and no column.

mod pool;

use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use pool::Pool as PinnedPool;

use crate::device::DeviceInner;
use crate::error::{DeviceError, Result};
use pool::{Block, Taken, size_for};

/// How long a wait for a slab lasts before streams are asked again for what they keep of copies that are over.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// A piece of pinned host memory, owned by one user at a time. It goes back to the pool when dropped.
///
/// Contents are whatever the last user left.
pub struct PinnedSlab {
    device: Arc<DeviceInner>,
    block: Block,
}

// SAFETY: shared access is read-only; see `pool::Memory` for the rest.
unsafe impl Sync for PinnedSlab {}

impl PinnedSlab {
    /// A slab of at least `bytes` that leaves `left_bytes` of the pool to others, or an error if there is none.
    pub(crate) fn take(device: &Arc<DeviceInner>, bytes: usize, left_bytes: usize) -> Result<Self> {
        match Self::take_idle_or_new(device, bytes, left_bytes) {
            Err(DeviceError::OutOfMemory { .. }) => {
                // Streams may still keep slabs of copies that are over.
                device.release_retained();
                Self::take_idle_or_new(device, bytes, left_bytes)
            }
            taken => taken,
        }
    }

    fn take_idle_or_new(device: &Arc<DeviceInner>, bytes: usize, left_bytes: usize) -> Result<Self> {
        let pool = device.pinned();
        let largest = pool.slab_bytes_max();
        let Some(size) = size_for(bytes).filter(|&size| size <= largest) else {
            return Err(out_of_memory(bytes, largest));
        };
        let slab = |block: Block| Self {
            device: Arc::clone(device),
            block,
        };
        match pool.take(size, left_bytes) {
            Taken::Block(block) => Ok(slab(block)),
            Taken::None { available_bytes } => Err(out_of_memory(size, available_bytes)),
            // Pinning is slow: not under the pool's lock.
            Taken::Room(room) => match device.api.allocate_pinned(room.bytes()) {
                Ok(memory) => Ok(slab(pool.grown(room, memory, size))),
                Err(error) => {
                    pool.not_grown(room);
                    Err(error)
                }
            },
        }
    }

    /// Waits for a slab to come back, `timeout` at most.
    pub(crate) fn take_sync(device: &Arc<DeviceInner>, bytes: usize, timeout: Duration) -> Result<Self> {
        let deadline = Instant::now() + timeout;
        loop {
            match Self::take(device, bytes, 0) {
                Err(error @ DeviceError::OutOfMemory { .. }) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() || bytes > device.pinned().slab_bytes_max() {
                        return Err(error);
                    }
                    device.pinned().wait_for_return(left.min(ASK_EVERY));
                }
                taken => return taken,
            }
        }
    }

    /// Makes the first `len` bytes immutable and shareable.
    pub fn freeze(self, len: usize) -> Result<PinnedBytes> {
        if len > self.len() {
            return Err(DeviceError::Bounds {
                what: "frozen part of a pinned slab".to_owned(),
                have_bytes: self.len(),
                need_bytes: len,
            });
        }
        Ok(PinnedBytes {
            slab: Arc::new(self),
            range: 0..len,
        })
    }
}

fn out_of_memory(wanted_bytes: usize, available_bytes: usize) -> DeviceError {
    DeviceError::OutOfMemory {
        memory: "pinned host",
        wanted_bytes,
        available_bytes,
    }
}

impl std::fmt::Debug for PinnedSlab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PinnedSlab({} bytes)", self.block.bytes)
    }
}

impl Deref for PinnedSlab {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the block is `bytes` long, initialised when it was pinned, and owned by this slab.
        unsafe { std::slice::from_raw_parts(self.block.memory.0, self.block.bytes) }
    }
}

impl DerefMut for PinnedSlab {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`; `&mut self` makes it the only access.
        unsafe { std::slice::from_raw_parts_mut(self.block.memory.0, self.block.bytes) }
    }
}

impl Drop for PinnedSlab {
    fn drop(&mut self) {
        self.device.pinned().give(&self.block);
    }
}

/// Pinned bytes that no longer change. Clones share them.
#[derive(Debug, Clone)]
pub struct PinnedBytes {
    slab: Arc<PinnedSlab>,
    range: Range<usize>,
}

impl PinnedBytes {
    /// A part of it, sharing the memory.
    pub fn slice(&self, range: Range<usize>) -> Result<Self> {
        if range.start > range.end || range.end > self.len() {
            return Err(DeviceError::Bounds {
                what: format!("pinned bytes {}..{}", range.start, range.end),
                have_bytes: self.len(),
                need_bytes: range.end.max(range.start),
            });
        }
        let start = self.range.start;
        Ok(Self {
            slab: Arc::clone(&self.slab),
            range: start + range.start..start + range.end,
        })
    }
}

impl Deref for PinnedBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.slab[self.range.clone()]
    }
}
