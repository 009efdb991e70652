//! Device memory for one piece of work. In: a device's budget. Out: buffers on one stream, waited for when the budget
//! is used up. It does not know what the bytes are for.

use std::time::{Duration, Instant};

use kernels::{Buffer, Device, DeviceError, ErrorWord, Reservation, Stream};

/// How long an allocation waits for others to give memory back.
const WAIT: Duration = Duration::from_secs(30);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(2);

/// A stream, and a reservation that grows with what is taken.
#[derive(Debug, Clone)]
pub struct Space {
    /// Where work is queued.
    pub stream: Stream,
    /// What its buffers are drawn from.
    pub reservation: Reservation,
    device: Device,
}

impl Space {
    /// A stream of `device` with `bytes` promised, waiting for them.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new_sync(device: &Device, bytes: usize) -> Result<Self, DeviceError> {
        Self::of(device, device.reserve_sync(bytes, WAIT)?)
    }

    /// A stream of `device`, with memory from `reservation`.
    ///
    /// # Errors
    /// Those of making a stream.
    pub fn of(device: &Device, reservation: Reservation) -> Result<Self, DeviceError> {
        Ok(Self {
            stream: device.stream()?,
            reservation,
            device: device.clone(),
        })
    }

    /// The same memory, with its work queued on `stream`.
    pub fn on(self, stream: &Stream) -> Self {
        Self {
            stream: stream.clone(),
            ..self
        }
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sees to it that `bytes` more can be drawn from the reservation, waiting for them.
    ///
    /// # Errors
    /// Out of memory.
    pub fn room_sync(&self, bytes: usize) -> Result<(), DeviceError> {
        let give_up = Instant::now() + WAIT;
        loop {
            let free = self
                .reservation
                .bytes()
                .saturating_sub(self.reservation.used_bytes());
            let missing = bytes.saturating_sub(free);
            if missing == 0 {
                return Ok(());
            }
            match self.reservation.grow(missing) {
                Err(error) if missing > self.device.memory_limit_bytes() || Instant::now() > give_up => {
                    return Err(error);
                }
                Err(_) => std::thread::sleep(PAUSE),
                Ok(()) => {}
            }
        }
    }

    /// Memory with any contents, waiting for it.
    ///
    /// # Errors
    /// Out of memory.
    pub fn take_sync(&self, bytes: usize) -> Result<Buffer, DeviceError> {
        let bytes = bytes.max(8);
        self.room_sync(Reservation::charged_bytes(bytes))?;
        self.stream.allocate(&self.reservation, bytes)
    }

    /// Memory of zeros, waiting for it.
    ///
    /// # Errors
    /// Out of memory.
    pub fn zeros_sync(&self, bytes: usize) -> Result<Buffer, DeviceError> {
        let buffer = self.take_sync(bytes)?;
        self.stream.fill(buffer.view(), 0)?;
        Ok(buffer)
    }

    /// A copy of `values`, waiting for room.
    ///
    /// # Errors
    /// Out of device or pinned memory.
    pub fn upload_sync<T: kernels::Plain>(&self, values: &[T]) -> Result<Buffer, DeviceError> {
        self.room_sync(Reservation::charged_bytes(size_of_val(values)))?;
        self.stream.upload_values(&self.reservation, values)
    }

    /// A word for what kernels find wrong, waiting for room.
    ///
    /// # Errors
    /// Out of memory.
    pub fn error_word_sync(&self) -> Result<ErrorWord, DeviceError> {
        self.room_sync(ErrorWord::RESERVED_BYTES)?;
        ErrorWord::new(&self.stream, &self.reservation)
    }

    /// Gives back what is promised and not in use.
    pub fn shrink(&self) {
        self.reservation.shrink_to(self.reservation.used_bytes());
    }
}
