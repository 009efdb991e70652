//! The device layer's errors as ours: who can act on it.
//!
//! In: a `DeviceError`. Out: an [`Error`] of the kind that fits. It does not know which file or operator it was.

use kernels::DeviceError;

use crate::error::Error;

/// The error that a device error stands for.
pub fn on_device(error: DeviceError) -> Error {
    match &error {
        DeviceError::OutOfMemory { .. } => Error::resources(error.to_string()),
        DeviceError::Data { .. } => Error::data(error.to_string()),
        DeviceError::Unavailable { .. } => Error::unavailable(error.to_string()),
        _ => Error::internal(error.to_string()),
    }
}
