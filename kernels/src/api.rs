//! The one trait behind which the two devices stand. Comes in: raw addresses, streams and events, already checked by
//! the types of this crate that own them. Goes out: work queued on a device. It knows no buffers, arenas or modules.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::compress::{Codec, Library};
use crate::error::Result;
use crate::info::DeviceInfo;
use crate::launch::{Grid, PackedArgs};
use crate::module::Compiler;

macro_rules! raw_handle {
    ($($(#[$doc:meta])* $name:ident),*) => {
        $($(#[$doc])* #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) u64);)*
    };
}
raw_handle!(
    /// A stream of one device.
    RawStream,
    /// An event of one device.
    RawEvent,
    /// A loaded module.
    RawModule,
    /// A kernel of a loaded module.
    RawFunction
);

/// A module as loaded: its handle and one function for each kernel asked for, in that order.
#[derive(Debug)]
pub(crate) struct LoadedModule {
    pub(crate) module: RawModule,
    pub(crate) functions: Vec<RawFunction>,
}

/// Pieces of one codec for who decompresses what no kernel of ours does. All are addresses on the device; the tables have
/// an entry a piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawBatch {
    pub(crate) codec: Codec,
    pub(crate) count: usize,
    /// Of 64 bits: where the compressed bytes lie, how many, where the plain ones go, and for how many there is room.
    pub(crate) sources: u64,
    pub(crate) source_bytes: u64,
    pub(crate) targets: u64,
    pub(crate) target_bytes: u64,
    /// Written: how many bytes came out, in 64 bits.
    pub(crate) found_bytes: u64,
    /// Written: 0 or what was wrong, in 32 bits.
    pub(crate) statuses: u64,
    /// Of the size that [`crate::compress::Unpacker`] says.
    pub(crate) scratch: u64,
    pub(crate) scratch_bytes: usize,
}

/// What a device can do. Work is queued in stream order and the host does not wait, except in `*_sync`.
pub(crate) trait DeviceApi: Send + Sync + Debug {
    fn info(&self) -> &DeviceInfo;
    fn compiler(&self) -> Arc<dyn Compiler>;

    /// Loads an image that `compiler` made.
    fn load(&self, name: &str, image: &[u8], kernels: &[String]) -> Result<LoadedModule>;
    fn unload(&self, module: RawModule);

    /// Whether each allocation is fenced on its own, so that an arena must not cut up a larger one.
    fn fences_allocations(&self) -> bool;
    fn allocate(&self, bytes: usize) -> Result<u64>;
    /// Frees after all work queued so far on `stream`; without a stream the caller vouches that none uses it.
    fn release(&self, address: u64, stream: Option<RawStream>);
    fn allocate_pinned(&self, bytes: usize) -> Result<*mut u8>;
    /// Whether kernels may read pinned memory by its address on the host.
    fn kernels_read_pinned(&self) -> bool;
    /// # Safety
    /// `memory` came from `allocate_pinned` of the same size and no queued work uses it.
    unsafe fn release_pinned(&self, memory: *mut u8, bytes: usize);
    /// Free and total bytes of device memory.
    fn memory(&self) -> Result<(usize, usize)>;

    /// A stream; work of `urgent` ones goes before that of others that has not begun.
    fn create_stream(&self, urgent: bool) -> Result<RawStream>;
    fn destroy_stream(&self, stream: RawStream);
    fn synchronize_sync(&self, stream: RawStream) -> Result<()>;

    fn create_event(&self) -> Result<RawEvent>;
    fn destroy_event(&self, event: RawEvent);
    fn record(&self, event: RawEvent, stream: RawStream) -> Result<()>;
    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()>;
    fn is_done(&self, event: RawEvent) -> Result<bool>;
    fn wait_sync(&self, event: RawEvent) -> Result<()>;
    /// Device time between two events that are both done.
    fn elapsed(&self, start: RawEvent, end: RawEvent) -> Result<Duration>;

    /// # Safety
    /// The host bytes stay valid and unchanged until the stream has passed the copy.
    unsafe fn copy_to_device(
        &self,
        stream: RawStream,
        device: u64,
        host: *const u8,
        bytes: usize,
    ) -> Result<()>;
    /// # Safety
    /// The host bytes stay valid and unread until the stream has passed the copy.
    unsafe fn copy_to_host(&self, stream: RawStream, host: *mut u8, device: u64, bytes: usize) -> Result<()>;
    fn copy_on_device(&self, stream: RawStream, target: u64, source: u64, bytes: usize) -> Result<()>;
    fn fill(&self, stream: RawStream, address: u64, byte: u8, bytes: usize) -> Result<()>;
    /// A check for emulations: that the 64-bit word is zero when the stream comes to it. A GPU does nothing.
    fn expect_zero(&self, _stream: RawStream, _address: u64) {}
    fn launch(
        &self,
        stream: RawStream,
        name: &str,
        function: RawFunction,
        grid: Grid,
        args: &PackedArgs,
    ) -> Result<()>;
    /// Who decompresses what no kernel of ours does, if anyone.
    fn unpacking_library(&self) -> Option<Library>;
    /// Queues the decompression of a batch.
    ///
    /// # Safety
    /// Tables, pieces and scratch are as [`RawBatch`] says when the stream comes to them.
    unsafe fn unpack(&self, stream: RawStream, batch: &RawBatch) -> Result<()>;
    /// The most blocks of `threads` threads and `shared_bytes` that one multiprocessor holds.
    fn blocks_per_multiprocessor(
        &self,
        function: RawFunction,
        threads: u32,
        shared_bytes: u32,
    ) -> Result<u32>;
}
