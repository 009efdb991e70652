//! Expressions from SQL text, computed by DataFusion and by the generated code on the emulated device: values, nulls
//! and errors must be the same at every row.

#![allow(clippy::print_stdout)]

mod batches;
mod bench;
mod decimals;
mod numbers;
mod nvrtc;
mod shape;
mod strings;
mod temporal;

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::DFSchema;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;

use self::batches::{Nulls, batch};
use self::bench::Bench;
use super::lower;

/// SQL text as DataFusion's planner makes an expression of it.
fn planned(context: &SessionContext, batch: &RecordBatch, sql: &str) -> Arc<dyn PhysicalExpr> {
    let schema = DFSchema::try_from(batch.schema().as_ref().clone()).expect("schema");
    let planned = || {
        let expr = context.parse_sql_expr(sql, &schema)?;
        let shared = Arc::new(schema.clone());
        let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(shared).build());
        let expr = simplifier.coerce(expr, &schema)?;
        context.create_physical_expr(simplifier.simplify(expr)?, &schema)
    };
    planned().unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Compares all of `sql` over batches without nulls, with some, and of nothing else.
#[track_caller]
fn same(group: &str, sql: &[impl AsRef<str>]) {
    let seed = batches::seed();
    println!("{group}: seed {seed}");
    let context = SessionContext::new();
    let bench = Bench::new();
    for nulls in [Nulls::None, Nulls::Some, Nulls::All] {
        let batch = batch(seed, 130, nulls);
        let exprs = sql.iter().map(|sql| planned(&context, &batch, sql.as_ref()));
        let exprs: Vec<_> = exprs.collect();
        bench.compare(group, &batch, &exprs, nulls != Nulls::None);
    }
}

/// The reason for which `sql` is refused.
#[track_caller]
fn refused(sql: &str) -> String {
    let context = SessionContext::new();
    let batch = batch(1, 1, Nulls::None);
    let expr = planned(&context, &batch, sql);
    lower(&expr, &batch.schema()).expect_err(sql)
}

/// Asserts that `sql` raises `flags` over a batch.
#[track_caller]
fn raises(group: &str, sql: &str, flags: kernels::ErrorFlags) {
    let context = SessionContext::new();
    let batch = batch(1, 40, Nulls::Some);
    let expr = planned(&context, &batch, sql);
    let expr = lower(&expr, &batch.schema()).expect(sql);
    let found = Bench::new().run(group, &batch, &[expr], true);
    assert_eq!(found[0].0, flags, "{sql}");
}
