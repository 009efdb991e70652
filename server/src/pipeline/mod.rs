//! Pipelines as specifications: typed expressions and what becomes of their values, cut at the breakers.
//!
//! In: what [`crate::offload`] read from DataFusion's physical plan. Out: plain values that print themselves, and the
//! CUDA C++ text of their kernels. It launches nothing and holds no data.

pub mod aggregate;
pub mod expr;
mod graph;
mod join;
pub mod kernels;
mod scan_keys;
mod shared;
mod sort;
pub mod window;

pub use aggregate::AggregateSpec;
pub use graph::{Pipeline, PipelineGraph, PipelineId, Sink, Source};
pub use join::{BuildSpec, JoinSpec, Stage};
pub use scan_keys::ScanKey;
pub use sort::{SortKey, SortSpec};
pub use window::WindowSpec;
