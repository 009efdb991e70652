//! Columns in device memory, and the way between them and Arrow's.
//!
//! In: Arrow batches, or buffers that a scan or a kernel filled. Out: the same rows on the other side.
//! It does not know plans or files.

pub mod download;
mod repr;
mod space;
#[cfg(test)]
pub(crate) mod testing;
mod upload;

pub use repr::{DECIMAL_64_DIGITS, Repr, bitmap_bytes};
pub use space::Space;
pub(crate) use upload::copy_up;
pub use upload::{upload, upload_bytes};

use std::sync::Arc;

use arrow::datatypes::DataType;
use kernels::Buffer;

/// How long a copy waits for pinned memory that others hold.
const PINNED_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

/// A column in device memory. Rows that are null hold zeros, or a reference to no bytes.
#[derive(Debug, Clone)]
pub struct DeviceColumn {
    /// Arrow's type of it.
    pub data_type: DataType,
    /// How its values are held.
    pub repr: Repr,
    /// `repr.width()` bytes a row; the words of a bitmap for booleans.
    pub values: Arc<Buffer>,
    /// Arrow's bitmap in whole 32-bit words; `None` if no row is null.
    pub validity: Option<Arc<Buffer>>,
    /// Where the references of a string column lead.
    pub owners: Vec<Arc<Buffer>>,
    /// The rows that it is read through, in a pipeline before its sink: codes of a dictionary whose entries are the values,
    /// or rows of a join's table; `None` if row r is value r.
    pub through: Option<RowNumbers>,
}

/// The number of a column's value for each row, 32 bits each.
#[derive(Debug, Clone)]
pub struct RowNumbers {
    /// One a row of the batch.
    pub numbers: Arc<Buffer>,
    /// Whether some of them are `u32::MAX`, for rows that are null.
    pub may_miss: bool,
    /// Whether they are codes of a dictionary.
    pub are_codes: bool,
}

impl DeviceColumn {
    /// `WfColumn` of the kernels: where its values and its validity are, 0 for none.
    pub fn addresses(&self) -> [u64; 2] {
        let validity = self.validity.as_ref().map_or(0, |validity| validity.address());
        [self.values.address(), validity]
    }
}

/// Rows in device memory.
#[derive(Debug, Clone)]
pub struct DeviceBatch {
    /// How many.
    pub rows: usize,
    /// Their columns, of `rows` rows each.
    pub columns: Vec<DeviceColumn>,
}
