//! Host memory that the driver pins. Comes in: sizes. Goes out: memory of zeros that the device reads and writes. The
//! device's context is current.
//!
//! Huge pages that were touched first are pinned in 50 ms a GiB and hold up no launch for long; memory that the driver
//! allocates itself takes 340, and launches beside it wait for up to 10 ms (one H100, 2026-11-23).

use cudarc::driver::sys;

use super::driver::{attribute, check};
use crate::error::{DeviceError, Result};

/// What the kernel of the system makes huge pages of, and aligns them to.
const HUGE_PAGE_BYTES: usize = 2 << 20;
const PAGE_BYTES: usize = 4 << 10;

/// How memory is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pinning {
    /// Memory of the process is registered with the driver.
    Registered,
    /// The driver allocates it, where it cannot register what others allocated, or kernels cannot read that where it lies.
    Allocated,
}

impl Pinning {
    /// What a device can do.
    pub(super) fn of(device: sys::CUdevice) -> Result<Self> {
        use sys::CUdevice_attribute_enum as Attribute;
        let can = attribute(device, Attribute::CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED)? != 0
            && attribute(
                device,
                Attribute::CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM,
            )? != 0;
        Ok(if can { Self::Registered } else { Self::Allocated })
    }

    pub(super) fn allocate(self, bytes: usize) -> Result<*mut u8> {
        match self {
            Self::Registered => register(bytes),
            Self::Allocated => allocate(bytes),
        }
    }

    /// # Safety
    /// `memory` came from `allocate` of the same size and nothing uses it.
    pub(super) unsafe fn release(self, memory: *mut u8, bytes: usize) {
        // An error means a lost device: there is nothing to be done about it here.
        match self {
            Self::Registered => {
                // SAFETY: registered by `register`.
                let _ = unsafe { sys::cuMemHostUnregister(memory.cast()) };
                // SAFETY: mapped by `register`; nothing uses it.
                unsafe { unmap(memory, bytes) };
            }
            // SAFETY: allocated by `allocate` below.
            Self::Allocated => drop(unsafe { sys::cuMemFreeHost(memory.cast()) }),
        }
    }
}

fn out_of_memory(bytes: usize) -> DeviceError {
    DeviceError::OutOfMemory {
        memory: "pinned host",
        wanted_bytes: bytes,
        available_bytes: 0,
    }
}

fn register(bytes: usize) -> Result<*mut u8> {
    let memory = map(bytes)?;
    let flags = sys::CU_MEMHOSTREGISTER_PORTABLE | sys::CU_MEMHOSTREGISTER_DEVICEMAP;
    // SAFETY: the range is mapped and stays so until it is unregistered.
    let code = unsafe { sys::cuMemHostRegister_v2(memory.cast(), bytes, flags) };
    if code == sys::CUresult::CUDA_SUCCESS {
        return Ok(memory);
    }
    // SAFETY: mapped above, and nobody knows of it.
    unsafe { unmap(memory, bytes) };
    match code {
        sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => Err(out_of_memory(bytes)),
        code => check("cuMemHostRegister", code).map(|()| memory),
    }
}

fn allocate(bytes: usize) -> Result<*mut u8> {
    let mut memory = std::ptr::null_mut();
    // Usable from every context. Not write-combined: the host reads results from it too.
    // SAFETY: the context is current.
    let code = unsafe { sys::cuMemHostAlloc(&mut memory, bytes, sys::CU_MEMHOSTALLOC_PORTABLE) };
    if code == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
        return Err(out_of_memory(bytes));
    }
    check("cuMemHostAlloc", code)?;
    // SAFETY: the driver gave `bytes` bytes; slabs promise initialised memory.
    unsafe { memory.cast::<u8>().write_bytes(0, bytes) };
    Ok(memory.cast())
}

/// Zeros in huge pages, if there are any, every page touched.
fn map(bytes: usize) -> Result<*mut u8> {
    // Room to begin at a multiple of a huge page.
    let mapped = bytes + HUGE_PAGE_BYTES;
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    );
    // SAFETY: a new mapping, anywhere.
    let start = unsafe { libc::mmap(std::ptr::null_mut(), mapped, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(out_of_memory(bytes));
    }
    let start = start.cast::<u8>();
    let before = start.align_offset(HUGE_PAGE_BYTES);
    let memory = start.wrapping_add(before);
    let end = bytes.next_multiple_of(PAGE_BYTES);
    // SAFETY: both are what the mapping has beyond the memory: whole pages, which nobody knows of.
    unsafe {
        if before > 0 {
            libc::munmap(start.cast(), before);
        }
        libc::munmap(memory.wrapping_add(end).cast(), mapped - before - end);
        // Only advice: without huge pages it is slower.
        libc::madvise(memory.cast(), end, libc::MADV_HUGEPAGE);
    }
    for page in (0..bytes).step_by(PAGE_BYTES) {
        // SAFETY: inside of the mapping.
        unsafe { memory.wrapping_add(page).write_volatile(0) };
    }
    Ok(memory)
}

/// # Safety
/// `memory` is what `map` gave for `bytes`, and nothing uses it.
unsafe fn unmap(memory: *mut u8, bytes: usize) {
    // SAFETY: what `map` left of its mapping.
    unsafe { libc::munmap(memory.cast(), bytes.next_multiple_of(PAGE_BYTES)) };
}
