//! How one query is to be run: what planning and execution read of the options, carried in DataFusion's configuration
//! so that its rules find it.

use std::sync::Arc;

use super::Gpus;
use crate::config::carried::Carry;
use crate::config::sections::{DebugForce, EngineOptions, Executor};
use crate::operator::Force;

/// The engine's options and devices, as a session has them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The values.
    pub engine: EngineOptions,
    /// The devices to choose from.
    pub gpus: Arc<Gpus>,
}

/// Decoded bytes of a scan's partition, unless the option says otherwise: a share of the memory that queries have.
const PARTITION_SHARE: usize = 64;
const PARTITION_BYTES_MIN: usize = 16 << 20;
const PARTITION_BYTES_MAX: usize = 1 << 30;

impl Settings {
    /// The path of operators that is always taken.
    pub fn force(&self) -> Force {
        match self.engine.debug_force {
            DebugForce::None => Force::None,
            DebugForce::Groups => Force::Groups,
            DebugForce::Lists => Force::Lists,
            DebugForce::SmallTables => Force::SmallTables,
            DebugForce::Seek => Force::Seek,
            DebugForce::Swap => Force::Swap,
        }
    }

    /// Decoded bytes of a scan's partition on a device with `memory_bytes` for queries.
    pub fn partition_bytes(&self, memory_bytes: usize) -> usize {
        match (self.engine.executor, self.engine.target_partition_size.0) {
            (Executor::InMemory, _) => usize::MAX,
            (_, 0) => (memory_bytes / PARTITION_SHARE).clamp(PARTITION_BYTES_MIN, PARTITION_BYTES_MAX),
            (_, bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        }
    }
}

impl Carry for Settings {
    const PREFIX: &'static str = "warpflight";
}
