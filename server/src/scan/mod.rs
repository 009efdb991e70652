//! Parquet files to device batches.
//!
//! In: DataFusion's scan node. Out: partitions of its rows, decoded in device memory. Each step is a value: a
//! [`ScanSpec`] says what is read; a [`Scan`] knows the footers and the partitions; a [`Fetched`] holds a partition's
//! bytes in host memory; a [`Decoded`] its columns on the device, with the check that must pass before they are used.
//! It knows no operators, and nobody's schedule.

mod addresses;
mod chunk;
mod codes;
mod constant;
mod counters;
mod decode;
mod early;
mod fetch;
mod fetched;
mod form;
mod host;
mod kept;
mod layout;
mod listing;
mod names;
mod narrow;
mod open;
mod page_header;
mod pages;
mod partition;
mod pieces;
mod prune;
mod readers;
mod repeats;
mod seek;
mod spec;
#[cfg(test)]
mod tests;
mod thrift;
mod unpruned;

pub use counters::{ScanCounters, ScanCounts};
pub use decode::{Decoded, ScanKernels};
pub use fetched::Fetched;
pub use names::{PageCheck, PageNames};
pub use narrow::{Narrowing, numbers};
pub use readers::Turn;
pub use repeats::ColumnAbout;
pub use seek::{SomeColumns, Sought};
pub use spec::ScanSpec;
pub use unpruned::unpruned;

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use kernels::Device;
use kernels::compress::Unpacker;
use object_store::ObjectStore;
use tokio::runtime::Handle;

use crate::error::Result;
use chunk::Way;
use open::Group;
use partition::Partition;

/// What is not read because no row of it can be wanted.
#[derive(Debug, Clone, Copy, Default)]
struct Pruned {
    /// Row groups.
    row_groups: usize,
    /// Those among them that joins ruled out.
    row_groups_by_joins: usize,
    /// Pages that joins ruled out, of row groups of which others are read.
    pages_by_joins: usize,
}

/// Data pages that partitions do not read of their chunks.
fn pages_left_out(partitions: &[Partition]) -> usize {
    let chunks = partitions.iter().flat_map(|partition| &partition.chunks);
    chunks
        .flat_map(|chunk| &chunk.pages)
        .map(|pages| pages.left_out)
        .sum()
}

/// A scan whose footers were read: row groups chosen, partitions made.
#[derive(Debug)]
pub struct Scan {
    spec: Arc<ScanSpec>,
    groups: Vec<Group>,
    partitions: Vec<Partition>,
    pruned: Pruned,
    target_partition_bytes: usize,
    unpacker: Option<Unpacker>,
    early_in_use: early::InUse,
    store: Arc<dyn ObjectStore>,
    runtime: Handle,
}

impl Scan {
    /// Reads the footers, through DataFusion's cache of them, leaves out row groups without a row that is wanted, and
    /// cuts the rest into partitions of up to `target_partition_bytes` in device memory, one row group at least. Must
    /// be called on the runtime that objects are to be read on. `unpacker` is that of the device on which partitions
    /// are decoded.
    ///
    /// # Errors
    /// `Data` for a footer that is missing, damaged, or does not go with the table, naming the file.
    pub async fn open(
        spec: Arc<ScanSpec>,
        context: &TaskContext,
        target_partition_bytes: usize,
        unpacker: Option<Unpacker>,
    ) -> Result<Scan, DataFusionError> {
        let opened = open::open(&spec, context).await?;
        let mut partitions = Vec::new();
        partition::cut(
            &spec,
            &opened.groups,
            target_partition_bytes,
            unpacker,
            &mut partitions,
        )?;
        Ok(Scan {
            spec,
            groups: opened.groups,
            partitions,
            pruned: Pruned {
                row_groups: opened.pruned,
                ..Pruned::default()
            },
            target_partition_bytes,
            unpacker,
            early_in_use: early::InUse::default(),
            store: opened.store,
            runtime: Handle::current(),
        })
    }

    /// What it reads.
    pub fn spec(&self) -> &Arc<ScanSpec> {
        &self.spec
    }

    /// How many partitions there are: none if no row is left.
    pub fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// Rows of a partition, at least one.
    ///
    /// # Panics
    /// As all methods that take a partition: if there is none of this number.
    pub fn rows(&self, partition: usize) -> usize {
        self.partitions[partition].rows
    }

    /// Row groups of a partition.
    pub fn row_groups(&self, partition: usize) -> usize {
        self.partitions[partition].groups.len()
    }

    /// Row groups that no partition holds, because no row of them can be wanted.
    pub fn row_groups_pruned(&self) -> usize {
        self.pruned.row_groups
    }

    /// Data pages that are not read, of row groups of which others are.
    pub fn pages_pruned(&self) -> usize {
        pages_left_out(&self.partitions)
    }

    /// Adds what is left out to `counters`; to be called once.
    pub fn count_pruned(&self, counters: &ScanCounters) {
        counters.pruned(self.pruned, self.pages_pruned());
    }

    /// Device bytes that decoding the partition takes, as far as footers tell; [`Fetched::reservation_bytes`] knows
    /// better. A decode that needs more asks its reservation to grow.
    pub fn reservation_bytes(&self, partition: usize) -> usize {
        self.partitions[partition].reservation_bytes
    }

    /// Columns that the CPU decodes in some partition, as far as footers tell, and why; each reason once.
    pub fn cpu_columns(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for chunk in self.partitions.iter().flat_map(|partition| &partition.chunks) {
            if let Way::Cpu(reason) = &chunk.way {
                let named = (self.spec.column_name(chunk.column).to_owned(), reason.clone());
                if !found.contains(&named) {
                    found.push(named);
                }
            }
        }
        found
    }

    /// Host bytes that the partition takes until it is decoded: those of its chunks in files.
    pub fn host_bytes(&self, partition: usize) -> usize {
        self.partitions[partition].host_bytes
    }

    /// Reads a partition's bytes into pinned memory, several ranges at once, and decompresses and decodes what the
    /// device does not. Reads at its `turn` among all scans. Returns early when `stop` says so. Not to be called on a thread of an async runtime.
    ///
    /// # Errors
    /// `Data` for a file that cannot be read or is malformed, naming it; `Cancelled` if it was stopped.
    pub fn fetch_sync(
        &self,
        partition: usize,
        turn: Turn,
        device: &Device,
        stop: &dyn Fn() -> bool,
    ) -> Result<Fetched> {
        fetched::fetch_sync(self, &self.partitions[partition], turn, device, stop)
    }
}
