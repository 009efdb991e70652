//! The device layer and the kernels of warpflight: every line of CUDA, every launch and every unsafe block.
//!
//! Read in this order: [`Device`] opens a GPU or its emulation; a [`Stream`] orders work; a [`Reservation`] promises
//! memory for the [`Buffer`]s that the work needs; a [`KernelSource`] becomes a [`Module`]; [`ErrorWord`] says what
//! kernels found wrong. The library kernels follow. Nothing here knows Arrow, SQL, plans or tokio.

mod api;
mod arena;
mod buffer;
pub mod compress;
pub mod cuda;
mod device;
mod error;
mod error_word;
mod event;
pub mod group;
mod info;
pub mod join;
mod launch;
pub mod module;
pub mod nvtx;
pub mod parquet;
mod pinned;
mod plain;
pub mod prelude;
mod reservation;
pub mod select;
pub mod selftest;
pub mod sim;
pub mod sort;
mod stream;
pub mod strings;
pub mod window;

/// Every library kernel and test kernel: what a cache filled ahead of time holds.
pub fn library() -> Vec<KernelSource> {
    let mut sources = operator_library();
    sources.push(selftest::source());
    sources
}

/// The library kernels that queries use.
pub fn operator_library() -> Vec<KernelSource> {
    let mut sources = parquet::sources();
    sources.extend(compress::sources());
    sources.extend(sort::sources());
    sources.extend(window::sources());
    sources.extend([
        stream::copy_source(),
        group::source(),
        join::source(),
        select::source(),
        strings::source(),
    ]);
    sources
}

pub use buffer::{Buffer, View};
pub use device::{Device, DeviceOptions};
pub use error::{DeviceError, Result};
pub use error_word::{ErrorFlags, ErrorWord, Raised};
pub use event::Event;
pub use info::{DeviceInfo, DeviceKind};
pub use launch::{Args, Grid};
pub use module::{Compiler, DiskCache, Kernel, KernelSource, Module};
pub use pinned::{PinnedBytes, PinnedSlab};
pub use plain::{Plain, bytes_of, bytes_of_mut, values_from_bytes};
pub use reservation::Reservation;
pub use sim::SimOptions;
pub use stream::{Download, Stream};
