//! CommandPreparedStatementQuery: parameters bound by DoPut, then run like any query.

use arrow::array::RecordBatch;
use arrow_flight::sql::{CommandPreparedStatementQuery, DoPutPreparedStatementResult};
use arrow_flight::{FlightDescriptor, FlightInfo};

use super::{handle_of, statement_query};
use crate::core::Core;
use crate::error::Result;
use crate::flight::caller::Caller;
use crate::flight::ticket::TicketKey;
use crate::session::handles::PreparedStatement;

/// The schema of the result, and a ticket for it.
///
/// # Errors
/// `NotFound` for a handle that this session does not hold; else as a statement's text.
pub async fn info(
    core: &Core,
    key: &TicketKey,
    caller: &Caller,
    command: &CommandPreparedStatementQuery,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo> {
    let prepared = caller
        .session
        .prepared(handle_of(&command.prepared_statement_handle)?)?;
    statement_query::open(core, key, caller, PreparedStatement::clone(&prepared), descriptor).await
}

/// Binds rows to the parameters: the statement runs once for each.
///
/// # Errors
/// `NotFound` for a handle that this session does not hold; `Sql` for values that do not fit.
pub fn bind(
    caller: &Caller,
    command: &CommandPreparedStatementQuery,
    rows: Vec<RecordBatch>,
) -> Result<DoPutPreparedStatementResult> {
    let handle = handle_of(&command.prepared_statement_handle)?;
    let prepared = caller.session.prepared(handle)?;
    super::check_bound(&prepared.statement, &rows)?;
    let unbound = prepared.unbound.as_ref().unwrap_or(&prepared.statement);
    let statement = match rows.first() {
        Some(batch) => unbound.with_bound(&caller.session, batch.schema_ref())?,
        None => unbound.clone(),
    };
    let bound = PreparedStatement {
        statement,
        unbound: Some(unbound.clone()),
        bound: rows,
    };
    caller.session.rebind_prepared(handle, bound);
    // The handle stays: clients that ignore this answer go on with the one that they have.
    Ok(DoPutPreparedStatementResult {
        prepared_statement_handle: Some(command.prepared_statement_handle.clone()),
    })
}
