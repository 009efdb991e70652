//! CommandPreparedStatementUpdate: rows of parameters in; how many rows were changed out.

use arrow::array::RecordBatch;
use arrow_flight::sql::CommandPreparedStatementUpdate;

use super::handle_of;
use crate::core::Core;
use crate::error::Result;
use crate::flight::caller::Caller;
use crate::session::handles::PreparedStatement;

/// Runs it once for each row; the rows changed in all, -1 if it does not say.
///
/// # Errors
/// `NotFound` for a handle that this session does not hold; else whatever the statement ends with.
pub async fn run(
    core: &Core,
    caller: &Caller,
    command: &CommandPreparedStatementUpdate,
    rows: Vec<RecordBatch>,
) -> Result<i64> {
    let prepared = caller
        .session
        .prepared(handle_of(&command.prepared_statement_handle)?)?;
    super::check_bound(&prepared.statement, &rows)?;
    let bound = PreparedStatement {
        statement: prepared.statement.clone(),
        unbound: None,
        bound: rows,
    };
    Ok(super::count(core.engine.change(&caller.session, &bound).await?))
}
