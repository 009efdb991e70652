//! Optimiser rules of ours, one file each, in the order in which they run after DataFusion's.

mod yielding;

use std::sync::Arc;

use datafusion::physical_optimizer::PhysicalOptimizerRule;

/// The rules for physical plans.
pub fn physical() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    vec![Arc::new(yielding::YieldingJoins)]
}
