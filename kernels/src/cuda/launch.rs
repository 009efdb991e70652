//! Launches as the driver takes them. Comes in: a kernel of a loaded module and packed arguments, already compared with
//! its parameters. The device's context is current.

use cudarc::driver::sys;

use super::driver::{check, words};
use crate::api::RawFunction;
use crate::error::Result;
use crate::launch::{Grid, PackedArgs};

/// More dynamic shared memory than this has to be asked for kernel by kernel.
const SHARED_BYTES_PLAIN: u32 = 48 << 10;

/// Queues a launch; the driver's words if it refuses.
pub(super) fn launch(
    function: RawFunction,
    stream: sys::CUstream,
    grid: Grid,
    args: &PackedArgs,
) -> Result<(), String> {
    let function = function.0 as sys::CUfunction;
    if grid.shared_bytes > SHARED_BYTES_PLAIN {
        use sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES as MAX_SHARED;
        let shared = grid.shared_bytes;
        // SAFETY: the function belongs to a loaded module.
        let code = unsafe { sys::cuFuncSetAttribute(function, MAX_SHARED, shared.cast_signed()) };
        if code != sys::CUresult::CUDA_SUCCESS {
            return Err(format!("{shared} bytes of shared memory: {}", words(code)));
        }
    }
    let ([gx, gy, gz], [bx, by, bz]) = (grid.blocks, grid.threads);
    let mut values = args.pointers();
    let (values, extra) = (values.as_mut_ptr(), std::ptr::null_mut());
    // SAFETY: the arguments match the parameters in number and size; the driver copies them.
    let code = unsafe {
        sys::cuLaunchKernel(
            function,
            gx,
            gy,
            gz,
            bx,
            by,
            bz,
            grid.shared_bytes,
            stream,
            values,
            extra,
        )
    };
    if code == sys::CUresult::CUDA_SUCCESS {
        Ok(())
    } else {
        Err(words(code))
    }
}

/// The most blocks that one multiprocessor holds at once.
pub(super) fn blocks_per_multiprocessor(
    function: RawFunction,
    threads: u32,
    shared_bytes: u32,
) -> Result<u32> {
    let function = function.0 as sys::CUfunction;
    let (threads, shared_bytes, mut blocks) = (threads.cast_signed(), shared_bytes as usize, 0);
    // SAFETY: the function belongs to a loaded module.
    let code = unsafe {
        sys::cuOccupancyMaxActiveBlocksPerMultiprocessor(&mut blocks, function, threads, shared_bytes)
    };
    check("cuOccupancyMaxActiveBlocksPerMultiprocessor", code)?;
    Ok(blocks.unsigned_abs())
}

/// Sizes of a kernel's parameters: arguments of other sizes would be read beyond their end by the driver.
pub(super) fn parameter_sizes(function: sys::CUfunction) -> Vec<usize> {
    let mut sizes = Vec::new();
    loop {
        let (mut offset, mut bytes) = (0, 0);
        // SAFETY: the function belongs to a loaded module; an index past the last parameter is refused.
        let code = unsafe { sys::cuFuncGetParamInfo(function, sizes.len(), &mut offset, &mut bytes) };
        if code != sys::CUresult::CUDA_SUCCESS {
            return sizes;
        }
        sizes.push(bytes);
    }
}
