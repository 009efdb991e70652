//! Values that other queries make before this one runs.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;

/// The value of a scalar subquery, which is there when the query runs.
#[derive(Debug, Clone)]
pub struct Subquery(Arc<dyn PhysicalExpr>);

impl Subquery {
    /// The subquery that an expression stands for, if it is one.
    pub(super) fn of(expr: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        let plain: &dyn PhysicalExpr = &**expr;
        plain.is::<ScalarSubqueryExpr>().then(|| Self(Arc::clone(expr)))
    }

    /// Its value; a null while it is not there, as in plans.
    pub(super) fn value(&self, data_type: &DataType) -> Result<ScalarValue, String> {
        let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
        match self.0.evaluate(&no_rows) {
            Ok(ColumnarValue::Scalar(value)) => Ok(value),
            _ => ScalarValue::try_from(data_type).map_err(|error| error.to_string()),
        }
    }
}

impl PartialEq for Subquery {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl Eq for Subquery {}

impl Hash for Subquery {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
