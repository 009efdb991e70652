//! What pipelines do with rows: one operator a file, each an owned state that batches go through.
//!
//! In: device batches and an operator's specification. Out: device batches. Operators launch generated and library
//! kernels; they do not know threads, partitions or each other.

mod aggregate;
mod codes;
mod columns;
mod concat;
mod distinct;
mod force;
mod foreseen;
mod gpu;
mod group_keys;
mod growth;
mod interner;
mod join;
mod kept;
mod limit;
mod numbered;
mod numbered_rows;
mod ordered;
mod program;
mod rows;
mod seek;
mod select;
mod sort;
mod window;

pub use aggregate::Aggregate;
pub use force::Force;
pub use foreseen::Foreseen;
pub use gpu::Gpu;
pub use join::{Build, Foretold, Gathered, Side, Sides, Table, TableKeys, may_swap, settled_sync};
pub use limit::Limit;
pub use program::KernelTimes;
pub use rows::Rows;
pub use seek::Seek;
pub use sort::Sort;
pub use window::Window;

use datafusion::error::DataFusionError;
use kernels::{DeviceError, ErrorFlags, Raised};

use crate::error::Error;
use crate::error_device::on_device;

/// What an operator fails with.
#[derive(Debug)]
pub enum Failure {
    /// Whatever the user is to see.
    Error(DataFusionError),
    /// Input that only the CPU handles.
    Fallback(String),
}

/// The result of an operator's work.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Data { flags, item, .. } => Self::of_raised(Raised {
                flags: ErrorFlags(flags),
                first_item: item,
            }),
            error => Self::Error(on_device(error).into()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Self::Error(error)
    }
}

impl Failure {
    /// What expressions raised, in the words that the CPU's operators use.
    fn of_raised(raised: Raised) -> Self {
        let arrow = |error| Self::Error(DataFusionError::ArrowError(Box::new(error), None));
        let flags = raised.flags;
        if flags.contains(ErrorFlags::FALLBACK) {
            return Self::Fallback("input that only the CPU handles".into());
        }
        if flags.contains(ErrorFlags::DIVISION_BY_ZERO) {
            return arrow(arrow::error::ArrowError::DivideByZero);
        }
        if flags.contains(ErrorFlags::OVERFLOW) {
            return arrow(arrow::error::ArrowError::ArithmeticOverflow(
                "a value exceeds the range of its type".into(),
            ));
        }
        if flags.contains(ErrorFlags::BAD_CAST) {
            return arrow(arrow::error::ArrowError::CastError(
                "a value cannot be cast to the wanted type".into(),
            ));
        }
        Self::Error(Error::internal(format!("kernels raised: {flags} at {}", raised.first_item)).into())
    }
}

/// A specification that no kernel can be made of: planning should have refused it.
fn unplanned(reason: String) -> Failure {
    Failure::Error(Error::internal(format!("no kernel for a planned pipeline: {reason}")).into())
}
