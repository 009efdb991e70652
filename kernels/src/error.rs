//! The one error of this crate. Comes in: what a driver, a compiler or a kernel reported. Goes out: a message that
//! names the kernel or the object, what was found and what was expected. It does not know queries or files.

use std::fmt;

/// What went wrong on, or on the way to, a device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceError {
    /// The device cannot be used on this machine or by this build.
    Unavailable {
        /// The device asked for, such as `cuda:0`.
        device: String,
        /// What is missing.
        reason: String,
    },
    /// A kernel's source was not accepted by the compiler.
    Compile {
        /// The module's name.
        kernel: String,
        /// The compiler's own words.
        log: String,
    },
    /// A launch was refused before it ran: wrong arguments, too large a block, an unknown kernel.
    Launch {
        /// The kernel's name.
        kernel: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// A kernel, or a copy, went wrong while it ran.
    Fault {
        /// The kernel's name, or `copy` and the like.
        kernel: String,
        /// What the device reported.
        reason: String,
    },
    /// A kernel found its input wrong and said so in the device error word.
    Data {
        /// The name of the task's kernel.
        kernel: String,
        /// The bits that were raised, see [`crate::ErrorFlags`].
        flags: u64,
        /// The smallest item (a page number, a row) at which a kernel raised.
        item: u64,
    },
    /// Memory of one kind is used up.
    OutOfMemory {
        /// `device`, `pinned host` or `reservation`.
        memory: &'static str,
        /// Bytes asked for.
        wanted_bytes: usize,
        /// Bytes that could still have been had.
        available_bytes: usize,
    },
    /// The driver or its compiler refused a call for a reason of its own.
    Driver {
        /// The call, such as `cuStreamCreate`.
        call: &'static str,
        /// The driver's words.
        reason: String,
    },
    /// A view was asked for that does not lie inside its buffer, or a copy between unequal sizes.
    Bounds {
        /// What was asked for.
        what: String,
        /// Bytes that there are.
        have_bytes: usize,
        /// Bytes that it takes.
        need_bytes: usize,
    },
    /// A file of the compiler or of the module cache could not be read or written.
    File {
        /// The file.
        path: String,
        /// The system's words.
        reason: String,
    },
}

impl DeviceError {
    /// The kernel that the error belongs to, where there is one.
    pub fn kernel(&self) -> Option<&str> {
        match self {
            Self::Compile { kernel, .. }
            | Self::Launch { kernel, .. }
            | Self::Fault { kernel, .. }
            | Self::Data { kernel, .. } => Some(kernel),
            _ => None,
        }
    }

    /// Whether the same work may succeed with less memory or later.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::OutOfMemory { .. })
    }

    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable { device, reason } => write!(f, "device {device} cannot be used: {reason}"),
            Self::Compile { kernel, log } => write!(f, "kernel {kernel} does not compile: {log}"),
            Self::Launch { kernel, reason } => write!(f, "kernel {kernel} was not launched: {reason}"),
            Self::Fault { kernel, reason } => write!(f, "kernel {kernel} failed: {reason}"),
            Self::Data { kernel, flags, item } => {
                write!(
                    f,
                    "kernel {kernel} refused its input at item {item}: {}",
                    crate::ErrorFlags(*flags)
                )
            }
            Self::OutOfMemory {
                memory,
                wanted_bytes,
                available_bytes,
            } => {
                write!(
                    f,
                    "out of {memory} memory: {wanted_bytes} bytes wanted, {available_bytes} available"
                )
            }
            Self::Driver { call, reason } => write!(f, "{call} failed: {reason}"),
            Self::Bounds {
                what,
                have_bytes,
                need_bytes,
            } => {
                write!(f, "{what} needs {need_bytes} bytes, there are {have_bytes}")
            }
            Self::File { path, reason } => write!(f, "file {path}: {reason}"),
        }
    }
}

impl std::error::Error for DeviceError {}

/// Result with a [`DeviceError`].
pub type Result<T, E = DeviceError> = std::result::Result<T, E>;
