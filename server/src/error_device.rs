//! The device layer's errors as ours: who can act on it.
//!
//! In: a `DeviceError`. Out: an [`Error`] of the kind that fits. It does not know which file or operator it was.

use kernels::DeviceError;

use crate::error::Error;

/// The error that a device error stands for.
pub fn on_device(error: DeviceError) -> Error {
    match &error {
        DeviceError::OutOfMemory { memory, .. } => match limit_of(memory) {
            Some(option) => Error::resources(format!("{error}; option {option} bounds it")),
            None => Error::resources(error.to_string()),
        },
        DeviceError::Data { .. } => Error::data(error.to_string()),
        DeviceError::Unavailable { .. } => Error::unavailable(error.to_string()),
        _ => Error::internal(error.to_string()),
    }
}

/// The option that bounds a kind of memory, by the name that errors have for it.
fn limit_of(memory: &str) -> Option<&'static str> {
    match memory {
        "device" | "reserved device" | "emulated device" | "contiguous device" => Some("device_memory_limit"),
        "pinned host" => Some("pinned_memory_limit"),
        _ => None,
    }
}
