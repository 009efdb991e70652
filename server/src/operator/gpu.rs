//! A device with the library kernels that operators and scans use.

use kernels::group::Grouper;
use kernels::select::Selector;
use kernels::sort::Sorter;
use kernels::strings::StringWriter;
use kernels::{Device, DeviceError, DeviceOptions};

use crate::scan::ScanKernels;

/// See the module.
#[derive(Debug)]
pub struct Gpu {
    /// The device itself.
    pub device: Device,
    /// Decoding of Parquet.
    pub scan: ScanKernels,
    /// Rows by masks and numbers.
    pub selector: Selector,
    /// Strings to Arrow's layout.
    pub strings: StringWriter,
    /// Tables of groups.
    pub grouper: Grouper,
    /// Orders.
    pub sorter: Sorter,
}

impl Gpu {
    /// Opens a device and compiles its library kernels, or finds them compiled.
    ///
    /// # Errors
    /// What is missing.
    pub fn open(options: &DeviceOptions) -> Result<Self, DeviceError> {
        let device = Device::open(options)?;
        Ok(Self {
            scan: ScanKernels::new(&device)?,
            selector: Selector::new(&device)?,
            strings: StringWriter::new(&device)?,
            grouper: Grouper::new(&device)?,
            sorter: Sorter::new(&device)?,
            device,
        })
    }
}
