//! Host memory that the device copies from and to at full speed. Comes in: sizes. Goes out: slabs of a bounded pool
//! that grows with use, because pinning costs over a second a GiB. A slab knows no file and no column.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::device::DeviceInner;
use crate::error::{DeviceError, Result};

/// Sizes of slabs. Requests take the smallest that fits.
const SLAB_BYTES: [usize; 5] = [4 << 10, 64 << 10, 1 << 20, 4 << 20, 16 << 20];
/// So many of the largest slabs fit into a pool, so that several copies are under way in a small one too.
const LARGEST_SLABS: usize = 16;

#[derive(Debug)]
pub(crate) struct PinnedPool {
    limit_bytes: usize,
    state: Mutex<PoolState>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct PoolState {
    pinned_bytes: usize,
    idle_bytes: usize,
    idle: BTreeMap<usize, Vec<Memory>>,
}

impl PoolState {
    /// An idle slab of this size.
    fn idle_of(&mut self, slab_bytes: usize) -> Option<(Memory, usize)> {
        let memory = self.idle.get_mut(&slab_bytes).and_then(Vec::pop)?;
        self.idle_bytes -= slab_bytes;
        Some((memory, slab_bytes))
    }

    /// The smallest idle slab above a size.
    fn idle_above(&mut self, slab_bytes: usize) -> Option<(Memory, usize)> {
        let larger = SLAB_BYTES.into_iter().filter(|&size| size > slab_bytes);
        larger.into_iter().find_map(|size| self.idle_of(size))
    }

    /// Idle slabs of any size, no longer pinned as far as the pool is concerned, that make room for `bytes`.
    fn give_up(&mut self, bytes: usize) -> Vec<(Memory, usize)> {
        let (mut given_up, mut freed) = (Vec::new(), 0);
        while freed < bytes
            && let Some((memory, size)) = self.idle_above(0)
        {
            freed += size;
            self.pinned_bytes -= size;
            given_up.push((memory, size));
        }
        given_up
    }
}

/// Pinned memory that nobody uses.
#[derive(Debug)]
struct Memory(*mut u8);
// SAFETY: the pointer is the only way to the memory and moves with its owner.
unsafe impl Send for Memory {}

impl PinnedPool {
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

    /// The largest slab that it gives.
    pub(crate) fn slab_bytes_max(&self) -> usize {
        let share = self.limit_bytes / LARGEST_SLABS;
        let fitting = SLAB_BYTES.into_iter().rfind(|&size| size <= share);
        fitting.unwrap_or(SLAB_BYTES[0])
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes every idle slab from the pool, with its size.
    pub(crate) fn drain(&self) -> Vec<(*mut u8, usize)> {
        let mut state = self.lock();
        state.idle_bytes = 0;
        let idle = std::mem::take(&mut state.idle);
        idle.into_iter()
            .flat_map(|(bytes, all)| all.into_iter().map(move |m| (m.0, bytes)))
            .collect()
    }
}

/// A piece of pinned host memory, owned by one user at a time. It goes back to the pool when dropped.
///
/// Contents are whatever the last user left.
pub struct PinnedSlab {
    device: Arc<DeviceInner>,
    memory: Memory,
    bytes: usize,
}

// SAFETY: shared access is read-only; see `Memory` for the rest.
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
        let fitting = SLAB_BYTES.into_iter().find(|&size| size >= bytes);
        let Some(slab_bytes) = fitting.filter(|&size| size <= largest) else {
            return Err(out_of_memory(bytes, largest));
        };
        let taken = |(memory, bytes): (Memory, usize)| Self {
            device: Arc::clone(device),
            memory,
            bytes,
        };
        let given_up = {
            let mut state = pool.lock();
            let used = state.pinned_bytes - state.idle_bytes;
            let available = pool.limit_bytes.saturating_sub(used + left_bytes);
            if slab_bytes > available {
                return Err(out_of_memory(slab_bytes, available));
            }
            if let Some(idle) = state.idle_of(slab_bytes) {
                return Ok(taken(idle));
            }
            let over = (state.pinned_bytes + slab_bytes).saturating_sub(pool.limit_bytes);
            // At its limit the pool makes do with what it has, or turns idle slabs of other sizes into one of this size.
            if over > 0
                && let Some(idle) = state.idle_above(slab_bytes)
            {
                return Ok(taken(idle));
            }
            let given_up = state.give_up(over);
            state.pinned_bytes += slab_bytes;
            given_up
        };
        // Pinning is slow: not under the lock.
        for (memory, bytes) in given_up {
            // SAFETY: idle slabs are used by nobody, and these have left the pool.
            unsafe { device.api.release_pinned(memory.0, bytes) };
        }
        match device.api.allocate_pinned(slab_bytes) {
            Ok(memory) => Ok(taken((Memory(memory), slab_bytes))),
            Err(error) => {
                pool.lock().pinned_bytes -= slab_bytes;
                Err(error)
            }
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
                    // A return between the failed take and this wait is missed for a moment only.
                    let pause = left.min(Duration::from_millis(10));
                    drop(
                        device
                            .pinned()
                            .returned
                            .wait_timeout(device.pinned().lock(), pause),
                    );
                }
                taken => return taken,
            }
        }
    }

    /// Makes the first `len` bytes immutable and shareable.
    pub fn freeze(self, len: usize) -> Result<PinnedBytes> {
        if len > self.bytes {
            return Err(DeviceError::Bounds {
                what: "frozen part of a pinned slab".to_owned(),
                have_bytes: self.bytes,
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
        write!(f, "PinnedSlab({} bytes)", self.bytes)
    }
}

impl Deref for PinnedSlab {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the memory is `bytes` long, initialised when it was pinned, and owned by this slab.
        unsafe { std::slice::from_raw_parts(self.memory.0, self.bytes) }
    }
}

impl DerefMut for PinnedSlab {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`; `&mut self` makes it the only access.
        unsafe { std::slice::from_raw_parts_mut(self.memory.0, self.bytes) }
    }
}

impl Drop for PinnedSlab {
    fn drop(&mut self) {
        let pool = self.device.pinned();
        let mut state = pool.lock();
        state.idle_bytes += self.bytes;
        let idle = state.idle.entry(self.bytes).or_default();
        idle.push(Memory(self.memory.0));
        drop(state);
        pool.returned.notify_one();
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
