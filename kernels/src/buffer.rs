//! Device memory. Comes in: a stream and a reservation. Goes out: an owned [`Buffer`], freed in stream order, and
//! borrowed [`View`]s of it. A buffer knows bytes, not columns.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{DeviceError, Result};
use crate::reservation::Charge;
use crate::stream::{Stream, StreamInner};

/// An owned piece of device memory.
///
/// It belongs to the stream that it was allocated on: contents are ordered by that stream, and memory is reused in
/// its order. Another stream may use it: each use makes that stream wait for the home stream, and when the buffer is
/// dropped the home stream waits for every other user. The host never waits.
#[derive(Debug)]
pub struct Buffer {
    address: u64,
    bytes: usize,
    home: Arc<StreamInner>,
    users: Mutex<Vec<Arc<StreamInner>>>,
    /// Gives the bytes back to their reservation when dropped.
    _charge: Charge,
}

impl Buffer {
    pub(crate) fn new(address: u64, bytes: usize, home: Arc<StreamInner>, charge: Charge) -> Self {
        Self {
            address,
            bytes,
            home,
            users: Mutex::new(Vec::new()),
            _charge: charge,
        }
    }

    /// Size in bytes.
    pub fn len_bytes(&self) -> usize {
        self.bytes
    }

    /// Address on the device, for tables of addresses that kernels read. See [`crate::Args::also_uses`].
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The whole of it.
    pub fn view(&self) -> View<'_> {
        View {
            buffer: self,
            offset: 0,
            bytes: self.bytes,
        }
    }

    /// The bytes of `range`.
    pub fn slice(&self, range: Range<usize>) -> Result<View<'_>> {
        self.view().slice(range)
    }

    /// Tells emulations that the first word must be zero when the home stream comes here.
    pub(crate) fn expect_zero(&self) {
        self.home.expect_zero(self.address);
    }

    /// Lets `stream` use the buffer after what its home stream has queued so far.
    pub(crate) fn order_before_use_on(&self, stream: &Stream) -> Result<()> {
        self.order_before_one_of(stream, &mut Vec::new())
    }

    /// The same for one of several that are used together. `waited` are the streams that `stream` waits for already.
    pub(crate) fn order_before_one_of(
        &self,
        stream: &Stream,
        waited: &mut Vec<Arc<StreamInner>>,
    ) -> Result<()> {
        let mut wait_for = |other: &Arc<StreamInner>| {
            if waited.iter().any(|known| Arc::ptr_eq(known, other)) {
                return Ok(());
            }
            waited.push(Arc::clone(other));
            stream.wait_for(other)
        };
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&self.home, &stream.inner) {
            return users.drain(..).try_for_each(|user| wait_for(&user));
        }
        wait_for(&self.home)?;
        if !users.iter().any(|user| Arc::ptr_eq(user, &stream.inner)) {
            users.push(Arc::clone(&stream.inner));
        }
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let home = Stream {
            inner: Arc::clone(&self.home),
        };
        let users = std::mem::take(self.users.get_mut().unwrap_or_else(PoisonError::into_inner));
        // If a wait cannot be queued the device is lost: then the memory is given up, which is safe, rather than
        // handed to a stream that might race with its last user.
        if users.iter().all(|user| home.wait_for(user).is_ok()) {
            home.free(self.address, self.bytes);
        }
    }
}

/// A borrowed range of a [`Buffer`].
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    buffer: &'a Buffer,
    offset: usize,
    bytes: usize,
}

impl<'a> View<'a> {
    /// Size in bytes.
    pub fn len_bytes(&self) -> usize {
        self.bytes
    }

    /// Address of the first byte on the device.
    pub fn address(&self) -> u64 {
        self.buffer.address + self.offset as u64
    }

    /// The buffer that it is a part of.
    pub fn buffer(&self) -> &'a Buffer {
        self.buffer
    }

    /// The bytes of `range`, counted from this view's start.
    pub fn slice(&self, range: Range<usize>) -> Result<View<'a>> {
        if range.start > range.end || range.end > self.bytes {
            return Err(DeviceError::Bounds {
                what: format!("view of bytes {}..{}", range.start, range.end),
                have_bytes: self.bytes,
                need_bytes: range.end.max(range.start),
            });
        }
        Ok(View {
            buffer: self.buffer,
            offset: self.offset + range.start,
            bytes: range.end - range.start,
        })
    }

    /// Fails unless the view is exactly `bytes` long.
    pub(crate) fn expect_len(&self, what: &str, bytes: usize) -> Result<()> {
        if self.bytes == bytes {
            return Ok(());
        }
        Err(DeviceError::Bounds {
            what: what.to_owned(),
            have_bytes: self.bytes,
            need_bytes: bytes,
        })
    }
}
