//! Points in a stream. Comes in: a stream. Goes out: whether the device has passed a point, or a wait for it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::api::RawEvent;
use crate::device::DeviceInner;
use crate::error::Result;

/// A point in a stream that the device passes once. The handle goes back to the device's pool when dropped.
#[derive(Debug)]
pub struct Event {
    /// Weak, because the arena and idle streams keep events inside the device.
    device: Weak<DeviceInner>,
    raw: RawEvent,
}

impl Event {
    pub(crate) fn new(device: &Arc<DeviceInner>) -> Result<Self> {
        let raw = device.take_event()?;
        Ok(Self {
            device: Arc::downgrade(device),
            raw,
        })
    }

    pub(crate) fn raw(&self) -> RawEvent {
        self.raw
    }

    /// Whether the device has passed it; an error if something before it failed.
    pub fn is_done(&self) -> Result<bool> {
        self.device
            .upgrade()
            .map_or(Ok(true), |device| device.api.is_done(self.raw))
    }

    /// Waits until the device has passed it.
    pub fn wait_sync(&self) -> Result<()> {
        self.device
            .upgrade()
            .map_or(Ok(()), |device| device.api.wait_sync(self.raw))
    }

    /// Device time from `start` to this event. Both must be done.
    pub fn since(&self, start: &Event) -> Result<Duration> {
        self.device.upgrade().map_or(Ok(Duration::ZERO), |device| {
            device.api.elapsed(start.raw, self.raw)
        })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if let Some(device) = self.device.upgrade() {
            device.give_event(self.raw);
        }
    }
}
