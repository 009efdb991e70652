//! A device with the library kernels that operators and scans use.

use kernels::group::Grouper;
use kernels::join::Joiner;
use kernels::select::Selector;
use kernels::sort::Sorter;
use kernels::strings::StringWriter;
use kernels::window::Windower;
use kernels::{Device, DeviceOptions, KernelSource};

use crate::error::Result;
use crate::error_device::on_device;
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
    /// Rows of joins.
    pub joiner: Joiner,
    /// Orders.
    pub sorter: Sorter,
    /// Segments of sorted rows.
    pub windower: Windower,
}

impl Gpu {
    /// Opens a device and compiles its library kernels, or finds them compiled.
    ///
    /// # Errors
    /// What is missing.
    pub fn open(options: &DeviceOptions) -> Result<Self> {
        let device = Device::open(options).map_err(on_device)?;
        // Side by side; what uses them finds them loaded, or reports why they are not.
        let library = kernels::operator_library();
        let sources: Vec<&KernelSource> = library.iter().collect();
        let threads_max = std::thread::available_parallelism().map_or(1, usize::from);
        drop(device.modules(&sources, threads_max));
        Ok(Self {
            scan: ScanKernels::new(&device)?,
            selector: Selector::new(&device).map_err(on_device)?,
            strings: StringWriter::new(&device).map_err(on_device)?,
            grouper: Grouper::new(&device).map_err(on_device)?,
            joiner: Joiner::new(&device).map_err(on_device)?,
            sorter: Sorter::new(&device).map_err(on_device)?,
            windower: Windower::new(&device).map_err(on_device)?,
            device,
        })
    }
}
