//! The device error word. Comes in: a stream. Goes out: memory into which any kernel of a task may OR what it found
//! wrong, read once when the task ends. Kernels go on after raising: they never trap and never leave their bounds.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::buffer::{Buffer, View};
use crate::error::{DeviceError, Result};
use crate::reservation::Reservation;
use crate::stream::Stream;

/// What kernels found wrong: a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErrorFlags(pub u64);

macro_rules! error_flags {
    ($($name:ident = $bit:literal, $meaning:literal;)*) => {
        impl ErrorFlags {
            $(#[doc = $meaning] pub const $name: Self = Self(1 << $bit);)*
            /// Name, bit and meaning of each flag; the prelude defines `WF_<name>` from it.
            pub(crate) const ALL: &'static [(&'static str, u32, &'static str)] =
                &[$((stringify!($name), $bit, $meaning)),*];
        }
    };
}

error_flags! {
    OVERFLOW = 0, "arithmetic overflow";
    DIVISION_BY_ZERO = 1, "division by zero";
    BAD_CAST = 2, "value that the target type cannot hold";
    CAPACITY = 3, "more output than there is room for";
    BAD_INDEX = 4, "row number out of range";
    FALLBACK = 5, "input that only the CPU handles";
    BAD_RUN = 8, "malformed run of an RLE or bit-packed sequence";
    TRUNCATED = 9, "page shorter than its values";
    BAD_DICTIONARY_INDEX = 10, "dictionary index out of range";
    BAD_LENGTH = 11, "negative or too large length";
    BAD_COMPRESSION = 12, "malformed compressed data";
    BAD_SIZE = 13, "size other than the header says";
    BAD_LEVEL = 14, "level higher than the column's maximum";
    BAD_DELTA = 15, "malformed delta encoding";
}

impl ErrorFlags {
    /// Whether nothing was raised.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` was raised.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for ErrorFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        let mut separator = "";
        for (_, bit, meaning) in Self::ALL {
            if self.0 >> bit & 1 == 1 {
                write!(f, "{separator}{meaning}")?;
                separator = ", ";
                left &= !(1 << bit);
            }
        }
        if left != 0 {
            write!(f, "{separator}unknown flags {left:#x}")
        } else {
            Ok(())
        }
    }
}

/// What a task's kernels raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raised {
    /// All flags.
    pub flags: ErrorFlags,
    /// The smallest item at which one was raised: what an item is, a page or a row, the kernel says.
    pub first_item: u64,
}

/// The word, and the smallest item: two 64-bit words on the device.
#[derive(Debug)]
pub struct ErrorWord {
    buffer: Buffer,
    was_read: AtomicBool,
}

impl ErrorWord {
    /// Bytes that it takes of a reservation.
    pub const RESERVED_BYTES: usize = crate::arena::BLOCK_BYTES;

    /// A word with nothing raised.
    pub fn new(stream: &Stream, reservation: &Reservation) -> Result<Self> {
        let buffer = stream.allocate(reservation, 16)?;
        stream.fill(buffer.slice(0..8)?, 0)?;
        stream.fill(buffer.slice(8..16)?, 0xff)?;
        Ok(Self {
            buffer,
            was_read: AtomicBool::new(false),
        })
    }

    /// The argument for kernels.
    pub fn view(&self) -> View<'_> {
        self.buffer.view()
    }

    /// What was raised until now, waiting for it.
    pub fn read_sync(&self, stream: &Stream) -> Result<Option<Raised>> {
        self.was_read.store(true, Ordering::Release);
        let words: Vec<u64> = stream.read_sync(self.buffer.view())?;
        let flags = ErrorFlags(words[0]);
        Ok((!flags.is_empty()).then_some(Raised {
            flags,
            first_item: words[1],
        }))
    }

    /// The same as an error that names `kernel`.
    pub fn check_sync(&self, stream: &Stream, kernel: &str) -> Result<()> {
        match self.read_sync(stream)? {
            None => Ok(()),
            Some(raised) => Err(DeviceError::Data {
                kernel: kernel.to_owned(),
                flags: raised.flags.0,
                item: raised.first_item,
            }),
        }
    }
}

impl Drop for ErrorWord {
    fn drop(&mut self) {
        // Emulations report a word that was raised and not read, at the next wait for the stream.
        if !*self.was_read.get_mut() {
            self.buffer.expect_zero();
        }
    }
}
