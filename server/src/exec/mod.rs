//! Running a pipeline graph on a device: threads, streams, reservations, and the node that stands for it in a plan.
//!
//! In: a [`PipelineGraph`](crate::pipeline::PipelineGraph). Out: record batches. What each operator does with rows is
//! [`crate::operator`]'s; this module decides when and where.

mod caught;
mod flow;
mod gpus;
mod job;
mod metrics;
mod node;
mod scans;
mod schedule;
mod settings;
mod shared;
mod stop;
mod uploading;
mod values;
mod verified;
mod verify;
mod warming;

pub use gpus::Gpus;
pub use node::GpuExec;
pub use settings::Settings;
pub use verify::{compare as compare_rows, compare_order, compare_within as compare_rows_within};
