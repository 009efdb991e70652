//! Work in order. Comes in: buffers, kernels, host memory. Goes out: work queued on a device, and handles to wait
//! for it. Nothing here makes the host wait unless its name ends in `_sync`.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::api::{RawBatch, RawStream};
use crate::buffer::{Buffer, View};
use crate::device::{Device, DeviceInner};
use crate::error::{DeviceError, Result};
use crate::event::Event;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::nvtx;
use crate::pinned::{PinnedBytes, PinnedSlab};
use crate::plain::{Plain, bytes_of, values_from_bytes};
use crate::reservation::Reservation;

/// How long a small copy waits for a slab.
const PINNED_WAIT: Duration = Duration::from_secs(30);

/// Host memory that queued work still uses, and the event after which it does not.
pub(crate) type Retained = VecDeque<(Event, Box<dyn Any + Send>)>;

/// Bytes that a kernel copies as fast as it is launched.
const SMALL_BYTES: usize = 16 << 10;

/// The kernel that copies few bytes.
pub(crate) fn copy_source() -> KernelSource {
    KernelSource::library("copy", include_str!("copy.cu"), &["copy_words"])
}

/// A queue of work on one device. Clones are the same queue. The last clone puts it back into the device's pool.
#[derive(Debug, Clone)]
pub struct Stream {
    pub(crate) inner: Arc<StreamInner>,
}

pub(crate) struct StreamInner {
    device: Arc<DeviceInner>,
    raw: RawStream,
    urgent: bool,
    retained: Mutex<Retained>,
}

impl std::fmt::Debug for StreamInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({} of {})", self.raw.0, self.device.api.info().label())
    }
}

impl Stream {
    pub(crate) fn new(device: &Arc<DeviceInner>, urgent: bool) -> Result<Self> {
        let (raw, retained) = device.take_stream(urgent)?;
        let inner = Arc::new(StreamInner {
            device: Arc::clone(device),
            raw,
            urgent,
            retained: Mutex::new(retained),
        });
        device.note_stream(&inner);
        Ok(Self { inner })
    }

    /// The device that it queues on.
    pub fn device(&self) -> Device {
        Device {
            inner: Arc::clone(&self.inner.device),
        }
    }

    /// Uninitialised memory, drawn from `reservation`, ordered by this stream.
    pub fn allocate(&self, reservation: &Reservation, bytes: usize) -> Result<Buffer> {
        let charge = reservation.charge(crate::arena::rounded(bytes))?;
        let address = self.inner.device.allocate(self, bytes)?;
        Ok(Buffer::new(address, bytes, Arc::clone(&self.inner), charge))
    }

    /// Memory of zeros.
    pub fn allocate_zeroed(&self, reservation: &Reservation, bytes: usize) -> Result<Buffer> {
        let buffer = self.allocate(reservation, bytes)?;
        self.fill(buffer.view(), 0)?;
        Ok(buffer)
    }

    /// Copies pinned bytes to the device; they are kept until the copy is over.
    pub fn upload(&self, source: &PinnedBytes, target: View<'_>) -> Result<()> {
        target.expect_len("target of an upload", source.len())?;
        if source.is_empty() {
            return Ok(());
        }
        target.buffer().order_before_use_on(self)?;
        let api = &self.inner.device.api;
        // SAFETY: `PinnedBytes` cannot change, and a clone is kept until the stream has passed the copy.
        unsafe { api.copy_to_device(self.inner.raw, target.address(), source.as_ptr(), source.len())? };
        self.retain(source.clone())
    }

    /// Copies values to the device through pinned slabs of the pool, waiting for slabs that others use.
    pub fn upload_values<T: Plain>(&self, reservation: &Reservation, values: &[T]) -> Result<Buffer> {
        let bytes = bytes_of(values);
        let buffer = self.allocate(reservation, bytes.len())?;
        let api = &self.inner.device.api;
        // Whole words are written, which an allocation that is fenced at its last byte has no room for.
        let by_kernel = api.kernels_read_pinned() && !api.fences_allocations();
        if (1..=SMALL_BYTES).contains(&bytes.len()) && by_kernel {
            self.upload_small(bytes, &buffer)?;
            return Ok(buffer);
        }
        let step = self.inner.device.pinned().slab_bytes_max();
        for (index, piece) in bytes.chunks(step).enumerate() {
            let mut slab = PinnedSlab::take_sync(&self.inner.device, piece.len(), PINNED_WAIT)?;
            slab[..piece.len()].copy_from_slice(piece);
            let start = index * step;
            self.upload(
                &slab.freeze(piece.len())?,
                buffer.slice(start..start + piece.len())?,
            )?;
        }
        Ok(buffer)
    }

    /// Copies a few bytes to the device by a kernel that reads them where they are: the engine that copies has large
    /// pieces of other streams to do first, for milliseconds.
    fn upload_small(&self, bytes: &[u8], buffer: &Buffer) -> Result<()> {
        let words = bytes.len().div_ceil(8);
        let mut slab = PinnedSlab::take_sync(&self.inner.device, words * 8, PINNED_WAIT)?;
        slab[..bytes.len()].copy_from_slice(bytes);
        let source = slab.freeze(words * 8)?;
        let kernel = self.device().module(&copy_source())?.kernel("copy_words")?;
        let args = Args::new()
            .value(source.as_ptr().addr() as u64)
            .value(words as u64)
            // Whole words: allocations end at multiples of them.
            .buffer(buffer);
        self.launch(&kernel, Grid::new(1, 256), &args)?;
        self.retain(source)
    }

    /// Copies a view into the start of `slab`. The slab comes back from [`Download::wait_sync`].
    pub fn download(&self, source: View<'_>, mut slab: PinnedSlab) -> Result<Download> {
        let bytes = source.len_bytes();
        if bytes > slab.len() {
            return Err(DeviceError::Bounds {
                what: "slab of a download".to_owned(),
                have_bytes: slab.len(),
                need_bytes: bytes,
            });
        }
        if bytes > 0 {
            source.buffer().order_before_use_on(self)?;
            let api = &self.inner.device.api;
            // SAFETY: the slab is owned by the `Download` and given back only after its event.
            unsafe { api.copy_to_host(self.inner.raw, slab.as_mut_ptr(), source.address(), bytes)? };
        }
        Ok(Download {
            slab: Some(slab),
            bytes,
            done: self.record()?,
        })
    }

    /// Reads a view as values, waiting for it.
    pub fn read_sync<T: Plain>(&self, source: View<'_>) -> Result<Vec<T>> {
        let step = self.inner.device.pinned().slab_bytes_max();
        let mut bytes = Vec::with_capacity(source.len_bytes());
        let mut start = 0;
        while start < source.len_bytes() {
            let end = source.len_bytes().min(start + step);
            let slab = PinnedSlab::take_sync(&self.inner.device, end - start, PINNED_WAIT)?;
            let (slab, len) = self.download(source.slice(start..end)?, slab)?.wait_sync()?;
            bytes.extend_from_slice(&slab[..len]);
            start = end;
        }
        Ok(values_from_bytes(&bytes))
    }

    /// Copies between views of one size.
    pub fn copy(&self, target: View<'_>, source: View<'_>) -> Result<()> {
        target.expect_len("target of a copy", source.len_bytes())?;
        if source.len_bytes() == 0 {
            return Ok(());
        }
        target.buffer().order_before_use_on(self)?;
        source.buffer().order_before_use_on(self)?;
        let api = &self.inner.device.api;
        api.copy_on_device(
            self.inner.raw,
            target.address(),
            source.address(),
            source.len_bytes(),
        )
    }

    /// Sets every byte of a view.
    pub fn fill(&self, target: View<'_>, byte: u8) -> Result<()> {
        if target.len_bytes() == 0 {
            return Ok(());
        }
        target.buffer().order_before_use_on(self)?;
        self.inner
            .device
            .api
            .fill(self.inner.raw, target.address(), byte, target.len_bytes())
    }

    /// Queues a kernel. A grid without blocks or threads is not an error: nothing is queued.
    pub fn launch(&self, kernel: &Kernel, grid: Grid, args: &Args<'_>) -> Result<()> {
        if grid.is_empty() {
            return Ok(());
        }
        let _range = nvtx::range(kernel.name());
        let mut waited = Vec::new();
        for buffer in &args.buffers {
            buffer.order_before_one_of(self, &mut waited)?;
        }
        let api = &self.inner.device.api;
        api.launch(
            self.inner.raw,
            kernel.name(),
            kernel.function(),
            grid,
            args.packed(),
        )
    }

    /// Queues the decompression of pieces by who knows their codec. `uses` are the buffers that tables, pieces and scratch
    /// lie in.
    ///
    /// # Safety
    /// They are as [`RawBatch`] says.
    pub(crate) unsafe fn unpack(&self, batch: &RawBatch, uses: &[&Buffer]) -> Result<()> {
        let _range = nvtx::range("unpack");
        let mut waited = Vec::new();
        for buffer in uses {
            buffer.order_before_one_of(self, &mut waited)?;
        }
        // SAFETY: as the caller vouches.
        unsafe { self.inner.device.api.unpack(self.inner.raw, batch) }
    }

    /// A point after everything queued so far.
    pub fn record(&self) -> Result<Event> {
        let event = Event::new(&self.inner.device)?;
        self.inner.device.api.record(event.raw(), self.inner.raw)?;
        Ok(event)
    }

    /// What is queued from now on runs after `event`.
    pub fn wait(&self, event: &Event) -> Result<()> {
        self.inner.device.api.wait(self.inner.raw, event.raw())
    }

    /// Keeps `value` alive until everything queued so far is over.
    pub fn retain(&self, value: impl Send + 'static) -> Result<()> {
        let event = self.record()?;
        self.inner.release_retained();
        let mut retained = self.inner.retained.lock().unwrap_or_else(PoisonError::into_inner);
        retained.push_back((event, Box::new(value)));
        Ok(())
    }

    /// Waits for everything queued so far.
    pub fn synchronize_sync(&self) -> Result<()> {
        self.inner.device.api.synchronize_sync(self.inner.raw)?;
        self.inner
            .retained
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        Ok(())
    }

    /// What is queued from now on runs after everything queued so far on `other`.
    pub(crate) fn wait_for(&self, other: &Arc<StreamInner>) -> Result<()> {
        if Arc::ptr_eq(&self.inner, other) {
            return Ok(());
        }
        self.wait(
            &Stream {
                inner: Arc::clone(other),
            }
            .record()?,
        )
    }

    pub(crate) fn free(&self, address: u64, bytes: usize) {
        self.inner.device.free(self, address, bytes);
    }

    pub(crate) fn raw(&self) -> RawStream {
        self.inner.raw
    }
}

impl StreamInner {
    /// Drops what was kept for work that is over.
    pub(crate) fn release_retained(&self) {
        let mut over = Vec::new();
        let mut retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
        while retained
            .front()
            .is_some_and(|(event, _)| event.is_done().unwrap_or(false))
        {
            over.extend(retained.pop_front());
        }
        drop(retained);
        // Values are dropped without the lock: they may be the last of a buffer or a slab.
        drop(over);
    }

    pub(crate) fn expect_zero(&self, address: u64) {
        self.device.api.expect_zero(self.raw, address);
    }
}

impl Drop for StreamInner {
    fn drop(&mut self) {
        let retained = std::mem::take(self.retained.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.device.give_stream(self.raw, retained, self.urgent);
    }
}

/// A copy to the host that is under way.
#[derive(Debug)]
pub struct Download {
    slab: Option<PinnedSlab>,
    bytes: usize,
    done: Event,
}

impl Download {
    /// Whether the bytes are there.
    pub fn is_done(&self) -> Result<bool> {
        self.done.is_done()
    }

    /// Waits, and gives the slab back with the number of bytes written to its start.
    pub fn wait_sync(mut self) -> Result<(PinnedSlab, usize)> {
        self.done.wait_sync()?;
        match self.slab.take() {
            Some(slab) => Ok((slab, self.bytes)),
            None => Err(DeviceError::Bounds {
                what: "download taken twice".to_owned(),
                have_bytes: 0,
                need_bytes: self.bytes,
            }),
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // A copy that nobody waits for still writes to the slab: it must not go back to the pool before the end.
        if let Some(slab) = self.slab.take()
            && !self.done.is_done().unwrap_or(false)
            && self.done.wait_sync().is_err()
        {
            std::mem::forget(slab);
        }
    }
}
