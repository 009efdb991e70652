//! Values that subqueries make before whatever reads them runs.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::physical_planning_context::{ScalarSubqueryResults, SubqueryIndex};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;

/// Digits before the point of a decimal that is not known yet.
const DIGITS: u32 = 6;

/// The value of a scalar subquery, which is there when the query runs.
#[derive(Debug, Clone)]
pub struct Subquery(Arc<dyn PhysicalExpr>);

impl Subquery {
    /// The subquery that an expression stands for, if it is one.
    pub(super) fn of(expr: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        let plain: &dyn PhysicalExpr = &**expr;
        plain.is::<ScalarSubqueryExpr>().then(|| Self(Arc::clone(expr)))
    }

    /// Its value. While it is not there, some value that is not null, if its type has one: most subqueries find one, and
    /// kernels that are made ahead are made for that.
    pub(super) fn value(&self, data_type: &DataType) -> Result<ScalarValue, String> {
        let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
        match self.0.evaluate(&no_rows) {
            Ok(ColumnarValue::Scalar(value)) => Ok(value),
            _ => likely(data_type)
                .or_else(|_| ScalarValue::try_from(data_type))
                .map_err(|error| error.to_string()),
        }
    }
}

/// A value of a type. Decimals are a million: how many digits they have shows in kernels.
fn likely(data_type: &DataType) -> datafusion::error::Result<ScalarValue> {
    match data_type {
        DataType::Decimal128(precision, scale) => {
            let digits = u32::try_from(*scale).unwrap_or(0) + DIGITS;
            let digits = digits.min(u32::from(*precision).saturating_sub(1));
            Ok(ScalarValue::Decimal128(
                Some(10i128.pow(digits)),
                *precision,
                *scale,
            ))
        }
        _ => ScalarValue::new_default(data_type),
    }
}

/// Where the value of a scalar subquery is put, for the expressions that read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubquerySlot {
    results: ScalarSubqueryResults,
    index: SubqueryIndex,
}

impl SubquerySlot {
    /// One of `results`.
    pub fn new(results: &ScalarSubqueryResults, index: SubqueryIndex) -> Self {
        Self {
            results: results.clone(),
            index,
        }
    }

    /// Takes away its value, and those beside it, as before a run.
    pub fn clear(&self) {
        self.results.clear();
    }

    /// Puts its value there.
    ///
    /// # Errors
    /// `Internal` if it has one.
    pub fn set(&self, value: ScalarValue) -> datafusion::error::Result<()> {
        self.results.set(self.index, value)
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
