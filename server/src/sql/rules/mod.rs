//! Optimiser rules of ours, one file each, in the order in which they run after DataFusion's.

mod null_structs;
mod window_filters;
mod yielding;

use std::sync::Arc;

use datafusion::optimizer::{AnalyzerRule, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;

use super::join_order::JoinOrder;

/// The rules for plans that are not optimised yet.
pub fn analyzer() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    vec![Arc::new(null_structs::NullStructs)]
}

/// The rules for logical plans.
pub fn logical() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![Arc::new(JoinOrder), Arc::new(window_filters::WindowFilters)]
}

/// The rules for physical plans.
pub fn physical() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    vec![Arc::new(yielding::YieldingJoins)]
}
