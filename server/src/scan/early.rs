//! Compressed bytes that go to the device piece by piece while the rest of their partition is still being read, when what
//! was just read is still in the processor's cache.
//!
//! In: pieces and where they go. Out: a buffer with all of them. Only while device memory is plentiful: it is held from
//! the beginning of the read, and whoever computes must not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kernels::parquet::SLACK_BYTES;
use kernels::{Buffer, Device, PinnedBytes, Reservation, Stream};

use crate::error::Result;
use crate::error_device::on_device;

/// Of a device's memory, what the partitions of a scan may take so.
const SHARE: usize = 16;

/// Device memory of the scan's partitions that are being read.
#[derive(Debug, Clone, Default)]
pub(super) struct InUse(Arc<AtomicUsize>);

/// Bytes of [`InUse`], counted until this is dropped.
#[derive(Debug)]
struct Counted {
    all: InUse,
    bytes: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Early {
    stream: Stream,
    buffer: Buffer,
    _counted: Counted,
}

impl Early {
    /// Memory for `bytes`; `None` if others may need it more.
    pub(super) fn begin(device: &Device, bytes: usize, in_use: &InUse) -> Result<Option<Self>> {
        let limit = device.memory_limit_bytes();
        let needed = Reservation::charged_bytes(bytes + SLACK_BYTES);
        if bytes == 0 || device.memory_available_bytes() < limit / 2 + needed {
            return Ok(None);
        }
        let counted = Counted {
            all: in_use.clone(),
            bytes: needed,
        };
        if in_use.0.fetch_add(needed, Ordering::Relaxed) + needed > limit / SHARE {
            return Ok(None);
        }
        // Others may have been faster.
        let Ok(reservation) = device.reserve(needed) else {
            return Ok(None);
        };
        let stream = device.stream().map_err(on_device)?;
        let buffer = stream
            .allocate(&reservation, bytes + SLACK_BYTES)
            .map_err(on_device)?;
        let slack = buffer.slice(bytes..bytes + SLACK_BYTES).map_err(on_device)?;
        stream.fill(slack, 0).map_err(on_device)?;
        Ok(Some(Self {
            stream,
            buffer,
            _counted: counted,
        }))
    }

    /// Queues the copy of a piece that lies at byte `at`.
    pub(super) fn copy(&self, piece: &PinnedBytes, at: usize) -> Result<()> {
        let target = self.buffer.slice(at..at + piece.len()).map_err(on_device)?;
        self.stream.upload(piece, target).map_err(on_device)
    }

    /// All bytes, and [`SLACK_BYTES`] zeros after them.
    pub(super) fn buffer(&self) -> &Buffer {
        &self.buffer
    }
}
