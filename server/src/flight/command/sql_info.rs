//! `CommandGetSqlInfo`: what the server is and can do.
//!
//! In: codes, or none for all; the session, whose options decide some of the answers, and the
//! server's limits. Out: one row a code, ordered by code. Codes that are not in the specification
//! are left out of the answer.

mod convert;
mod functions;
mod limits;
mod results;
mod server;
mod syntax;
mod value;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UnionMode};
use arrow_flight::sql::CommandGetSqlInfo;
use datafusion::prelude::SessionContext;

use super::listing;
use crate::config::Config;
use crate::error::{Error, Result};
use value::Value;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("info_name", DataType::UInt32, false),
        Field::new("value", DataType::Union(value::members(), UnionMode::Dense), true),
    ]))
});

/// The columns of the result, as Arrow's `FlightSql.proto` lays them down.
pub fn schema(_command: &CommandGetSqlInfo) -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The values asked for, ordered by code; those of codes that are not known are left out.
///
/// # Errors
/// `Internal` only.
pub async fn data(
    context: &SessionContext,
    config: &Config,
    command: &CommandGetSqlInfo,
) -> Result<RecordBatch> {
    let mut values = all(context, config);
    if !command.info.is_empty() {
        values.retain(|code, _| command.info.contains(code));
    }
    let union =
        value::union(values.values()).map_err(|error| Error::internal(format!("SqlInfo: {error}")))?;
    let codes = UInt32Array::from_iter_values(values.into_keys());
    listing::batch(schema(command), vec![Arc::new(codes), Arc::new(union)])
}

/// The value of every code of the specification.
fn all(context: &SessionContext, config: &Config) -> BTreeMap<u32, Value> {
    let state = context.state();
    let groups = [
        server::values(config),
        syntax::names(&state),
        syntax::expressions(&state),
        syntax::statements(&state),
        limits::values(config),
        results::transactions(),
        results::result_sets(),
    ];
    groups
        .into_iter()
        .flatten()
        .map(|(code, value)| (code as u32, value))
        .collect()
}

#[cfg(test)]
mod tests;
