//! What each pipeline of a run did, as `EXPLAIN ANALYZE` shows it.

use std::time::Duration;

use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, Time};

use crate::operator::KernelTimes;
use crate::pipeline::PipelineId;
use crate::pipeline::expr::ColumnShape;
use crate::scan::ScanCounts;

/// The numbers of one pipeline.
#[derive(Debug)]
pub(super) struct PipelineMetrics {
    rows: Count,
    read_bytes: Count,
    copied_bytes: Count,
    decoded_bytes: Count,
    kernel_time: Time,
    join_time: Time,
    wait_time: Time,
    compile_time: Time,
    /// Where numbers are put that only some pipelines have.
    set: ExecutionPlanMetricsSet,
    id: PipelineId,
    /// What its kernels took.
    pub(super) times: KernelTimes,
    /// Those of its joins among them, which find rows in tables.
    pub(super) joins: KernelTimes,
}

impl PipelineMetrics {
    /// Of a pipeline whose kernels are compiled for columns of `shapes`.
    pub(super) fn new(id: PipelineId, shapes: Vec<Vec<ColumnShape>>, set: &ExecutionPlanMetricsSet) -> Self {
        let counter = |name: &str| MetricBuilder::new(set).counter(format!("p{id}_{name}"), 0);
        let time = |name: &str| MetricBuilder::new(set).subset_time(format!("p{id}_{name}"), 0);
        Self {
            rows: counter("rows"),
            read_bytes: counter("bytes_read"),
            copied_bytes: counter("bytes_copied"),
            decoded_bytes: counter("bytes_decoded"),
            kernel_time: time("kernel_time"),
            join_time: time("join_time"),
            wait_time: time("wait_time"),
            compile_time: time("compile_time"),
            set: set.clone(),
            id,
            times: KernelTimes::of_foreseen(shapes.clone()),
            joins: KernelTimes::of_foreseen(shapes),
        }
    }

    /// Rows that left it.
    pub(super) fn rows(&self, rows: usize) {
        self.rows.add(rows);
    }

    /// Bytes read from files, copied to the device, and decoded there.
    pub(super) fn moved(&self, read: u64, copied: u64, decoded: u64) {
        self.read_bytes.add(read as usize);
        self.copied_bytes.add(copied as usize);
        self.decoded_bytes.add(decoded as usize);
    }

    /// What its scan read and left out, and how long that took.
    pub(super) fn scanned(&self, counts: &ScanCounts) {
        for (name, time) in [
            ("read_time", counts.read_time),
            ("decode_time", counts.decode_time),
        ] {
            let total = MetricBuilder::new(&self.set).subset_time(format!("p{}_{name}", self.id), 0);
            total.add_duration(time);
        }
        let add = |name: &str, count: u64| {
            let counter = MetricBuilder::new(&self.set).counter(format!("p{}_{name}", self.id), 0);
            counter.add(usize::try_from(count).unwrap_or(usize::MAX));
        };
        add("row_groups_read", counts.row_groups_read);
        add("row_groups_pruned", counts.row_groups_pruned);
        add("row_groups_pruned_by_joins", counts.row_groups_pruned_by_joins);
        add("row_groups_pruned_by_rows", counts.row_groups_pruned_by_rows);
        add("pages_pruned", counts.pages_pruned);
        add("pages_pruned_by_joins", counts.pages_pruned_by_joins);
        add("pages_pruned_by_rows", counts.pages_pruned_by_rows);
    }

    /// The sides of one of its joins changed places.
    pub(super) fn swapped(&self) {
        let counter = MetricBuilder::new(&self.set).counter(format!("p{}_sides_swapped", self.id), 0);
        counter.add(1);
    }

    /// Time in which it waited for its source.
    pub(super) fn waited(&self, time: Duration) {
        self.wait_time.add_duration(time);
    }

    /// Puts what its kernels took into the set; once, at the end.
    pub(super) fn close(&self) {
        let (own, joins) = (&self.times, &self.joins);
        self.kernel_time
            .add_duration(Duration::from_nanos(own.run_ns() + joins.run_ns()));
        self.join_time.add_duration(Duration::from_nanos(joins.run_ns()));
        self.compile_time
            .add_duration(Duration::from_nanos(own.compile_ns() + joins.compile_ns()));
        let entries = own.entry_count() + joins.entry_count();
        if entries > 0 {
            let name = format!("p{}_dictionary_entries", self.id);
            let counter = MetricBuilder::new(&self.set).counter(name, 0);
            counter.add(usize::try_from(entries).unwrap_or(usize::MAX));
        }
    }
}
