//! CreatePreparedStatement and ClosePreparedStatement.

use arrow_flight::Action;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ProstMessageExt,
};
use bytes::Bytes;
use prost::Message;

use super::packed;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::flight::answer::schema_message;
use crate::flight::caller::Caller;
use crate::flight::proto::CreatePreparedStatementResult;
use crate::session::handles::PreparedStatement;
use crate::sql::{Kind, parameters};

/// Plans a statement and keeps it; both schemas come back, since JDBC needs them here.
///
/// # Errors
/// As planning; `Resources` if the session holds too many statements.
pub async fn create(core: &Core, caller: &Caller, action: &Action) -> Result<Bytes> {
    let request: ActionCreatePreparedStatementRequest = packed(action)?;
    if request.transaction_id.as_ref().is_some_and(|id| !id.is_empty()) {
        return Err(Error::unsupported(
            "transaction: this server has none, see its SqlInfo",
        ));
    }
    let mut statement = core.engine.plan(&caller.session, &request.query).await?;
    // It may run often, and `now()` is to be another each time.
    statement.optimised = None;
    let is_update = statement.kind != Kind::Query;
    let result = CreatePreparedStatementResult {
        // Older JDBC drivers take a statement without columns for an update.
        dataset_schema: if is_update {
            Bytes::new()
        } else {
            schema_message(&statement.schema)?
        },
        parameter_schema: schema_message(&parameters::client_schema(&statement.parameters))?,
        is_update: Some(is_update),
        prepared_statement_handle: caller
            .session
            .keep_prepared(PreparedStatement {
                statement,
                unbound: None,
                bound: Vec::new(),
            })?
            .into(),
    };
    Ok(result.as_any().encode_to_vec().into())
}

/// Forgets a prepared statement; an unknown one is already forgotten.
///
/// # Errors
/// `Sql` if the request is not one.
pub fn close(caller: &Caller, action: &Action) -> Result<()> {
    let request: ActionClosePreparedStatementRequest = packed(action)?;
    if let Ok(handle) = std::str::from_utf8(&request.prepared_statement_handle) {
        caller.session.close_prepared(handle);
    }
    Ok(())
}
