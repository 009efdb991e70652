//! A plan whose scans return all their rows. In: a plan. Out: the same plan without the predicates by which scans may leave
//! rows out that an operator above them drops; a predicate that a scan answers for itself stays.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::lit;
use datafusion::physical_plan::ExecutionPlan;

/// The plan, or none if its scans return all their rows as it is.
///
/// # Errors
/// DataFusion's own, when children are replaced.
pub fn unpruned(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let mut is_other = false;
    let whole = Arc::clone(plan).transform_down(|node| {
        Ok(match whole_scan(&node) {
            Some(scan) => {
                is_other = true;
                Transformed::yes(scan)
            }
            None => Transformed::no(node),
        })
    });
    let whole = whole.data()?;
    Ok(is_other.then_some(whole))
}

fn whole_scan(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let scan = node.downcast_ref::<DataSourceExec>()?;
    let (config, parquet) = scan.downcast_to_file_source::<ParquetSource>()?;
    let prunes =
        config.file_source().filter().is_some() && !parquet.table_parquet_options().global.pushdown_filters;
    prunes.then(|| {
        let source = Arc::new(parquet.with_predicate(lit(true)));
        let config = FileScanConfigBuilder::from(config.clone()).with_source(source);
        DataSourceExec::from_data_source(config.build()) as Arc<dyn ExecutionPlan>
    })
}
