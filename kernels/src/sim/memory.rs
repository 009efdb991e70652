//! The emulated device memory: one range of addresses, with a shadow byte for each byte that says whether it is
//! allocated and whether it was ever written. Comes in: sizes. Goes out: addresses with fences between them.
//! Checks on the host side of copies are made here, those of kernels in the runtime.

use std::collections::BTreeMap;

use crate::error::{DeviceError, Result};

/// Shadow values; the runtime uses the same.
const FREE: u8 = 0;
const UNWRITTEN: u8 = 1;
const WRITTEN: u8 = 2;

/// What unwritten memory holds.
const POISON: u8 = 0xcb;
/// Alignment of an allocation, and the least distance between two.
const FENCE_BYTES: usize = 256;
/// Addresses that the emulation can give away. Only what is touched takes memory.
pub(crate) const ARENA_BYTES: usize = 64 << 30;

/// All emulated device memory of the process.
#[derive(Debug)]
pub(crate) struct Memory {
    base: *mut u8,
    shadow: *mut u8,
    /// First offset never given away.
    top: usize,
    /// Start and size of every allocation.
    live: BTreeMap<usize, usize>,
    /// Freed ranges, used again only when the addresses run out: so that stale addresses are caught.
    freed: Vec<(usize, usize)>,
}

// SAFETY: the memory behind the pointers is reached under the lock that holds this value.
unsafe impl Send for Memory {}

impl Memory {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            base: reserve()?,
            shadow: reserve()?,
            top: FENCE_BYTES,
            live: BTreeMap::new(),
            freed: Vec::new(),
        })
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    pub(crate) fn shadow(&self) -> *mut u8 {
        self.shadow
    }

    pub(crate) fn allocate(&mut self, bytes: usize) -> Result<u64> {
        let span = bytes.next_multiple_of(FENCE_BYTES) + FENCE_BYTES;
        let start = if self.top + span <= ARENA_BYTES {
            self.top += span;
            self.top - span
        } else {
            let Some(at) = self.freed.iter().position(|&(_, size)| size >= span) else {
                return Err(DeviceError::OutOfMemory {
                    memory: "emulated device",
                    wanted_bytes: bytes,
                    available_bytes: ARENA_BYTES - self.top,
                });
            };
            let (start, size) = self.freed.swap_remove(at);
            if size > span {
                self.freed.push((start + span, size - span));
            }
            start
        };
        self.live.insert(start, bytes);
        self.mark(start, bytes, UNWRITTEN);
        // SAFETY: the range was reserved and belongs to this allocation.
        unsafe { self.base.add(start).write_bytes(POISON, bytes) };
        Ok(self.base.addr() as u64 + start as u64)
    }

    pub(crate) fn free(&mut self, address: u64) {
        let start = address as usize - self.base.addr();
        if let Some(bytes) = self.live.remove(&start) {
            self.mark(start, bytes, FREE);
            let span = bytes.next_multiple_of(FENCE_BYTES) + FENCE_BYTES;
            self.freed.push((start, span));
            if span >= 1 << 20 {
                self.give_pages_back(start, span);
            }
        }
    }

    pub(crate) fn allocated_bytes(&self, address: u64) -> usize {
        self.live
            .get(&(address as usize - self.base.addr()))
            .copied()
            .unwrap_or(0)
    }

    /// The host pointer to `bytes` that are to be written, which counts as writing them.
    pub(crate) fn writable(&mut self, address: u64, bytes: usize) -> Result<*mut u8, String> {
        let start = self.checked(address, bytes, UNWRITTEN, "write")?;
        self.mark(start, bytes, WRITTEN);
        // SAFETY: `checked` found the range inside the reserved addresses.
        Ok(unsafe { self.base.add(start) })
    }

    /// The host pointer to `bytes` that are to be read.
    pub(crate) fn readable(&self, address: u64, bytes: usize) -> Result<*const u8, String> {
        let start = self.checked(address, bytes, WRITTEN, "read")?;
        // SAFETY: `checked` found the range inside the reserved addresses.
        Ok(unsafe { self.base.add(start) })
    }

    /// Copies within the device: what was unwritten stays unwritten.
    pub(crate) fn copy(&mut self, target: u64, source: u64, bytes: usize) -> Result<(), String> {
        let to = self.checked(target, bytes, UNWRITTEN, "write")?;
        let from = self.checked(source, bytes, UNWRITTEN, "read")?;
        for plane in [self.base, self.shadow] {
            // SAFETY: both ranges were checked; they may overlap.
            unsafe { std::ptr::copy(plane.add(from), plane.add(to), bytes) };
        }
        Ok(())
    }

    /// Names the allocation that `address` belongs to or lies next to.
    pub(crate) fn describe(&self, address: u64) -> String {
        let Some(offset) = (address as usize).checked_sub(self.base.addr()) else {
            return "outside device memory".to_owned();
        };
        if offset >= ARENA_BYTES {
            return "outside device memory".to_owned();
        }
        match self.live.range(..=offset).next_back() {
            Some((&start, &bytes)) if offset < start + bytes => {
                format!("byte {} of an allocation of {bytes} bytes", offset - start)
            }
            Some((&start, &bytes)) if offset < start + bytes.next_multiple_of(FENCE_BYTES) + FENCE_BYTES => {
                format!(
                    "{} bytes past the end of an allocation of {bytes} bytes",
                    offset - start - bytes
                )
            }
            _ => "in no living allocation".to_owned(),
        }
    }

    fn checked(&self, address: u64, bytes: usize, least: u8, what: &str) -> Result<usize, String> {
        let start = (address as usize).wrapping_sub(self.base.addr());
        if start >= ARENA_BYTES || bytes > ARENA_BYTES - start {
            return Err(format!("{what} of {bytes} bytes outside device memory"));
        }
        // SAFETY: the range lies inside the reserved shadow, which is always readable.
        let states = unsafe { std::slice::from_raw_parts(self.shadow.add(start), bytes) };
        match first_below(states, least) {
            None => Ok(start),
            Some(at) => {
                let fault = if states[at] == FREE {
                    "out of bounds"
                } else {
                    "never written"
                };
                let place = self.describe(address + at as u64);
                Err(format!("{what} of {bytes} bytes {fault}: {place}"))
            }
        }
    }

    fn mark(&mut self, start: usize, bytes: usize, state: u8) {
        // SAFETY: callers pass ranges inside the reserved addresses.
        unsafe { self.shadow.add(start).write_bytes(state, bytes) };
    }

    /// Lets the system have the memory of a freed range; it reads as zeros, which the shadow does not allow.
    fn give_pages_back(&mut self, start: usize, span: usize) {
        const PAGE: usize = 4096;
        let (first, last) = (start.next_multiple_of(PAGE), (start + span) / PAGE * PAGE);
        for plane in [self.base, self.shadow] {
            // SAFETY: whole pages inside a range that nobody owns. A refusal changes nothing that matters: freed
            // bytes are marked free before, and zero is the mark.
            unsafe { libc::madvise(plane.add(first).cast(), last - first, libc::MADV_DONTNEED) };
        }
    }
}

/// The first state below `least`. Whole pieces of one state are compared at once: builds for tests are not optimised.
fn first_below(states: &[u8], least: u8) -> Option<usize> {
    const PIECE: usize = 4096;
    const UNIFORM: [[u8; PIECE]; 2] = [[UNWRITTEN; PIECE], [WRITTEN; PIECE]];
    for (index, piece) in states.chunks(PIECE).enumerate() {
        let is_uniform = UNIFORM
            .iter()
            .any(|all| all[0] >= least && piece == &all[..piece.len()]);
        if !is_uniform && let Some(at) = piece.iter().position(|&state| state < least) {
            return Some(index * PIECE + at);
        }
    }
    None
}

fn reserve() -> Result<*mut u8> {
    // SAFETY: a fresh private mapping, which changes nothing that exists.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            ARENA_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if memory == libc::MAP_FAILED {
        return Err(DeviceError::Driver {
            call: "mmap",
            reason: std::io::Error::last_os_error().to_string(),
        });
    }
    Ok(memory.cast())
}
