//! CommandStatementUpdate: a statement's text in; how many rows it changed out.

use arrow_flight::sql::CommandStatementUpdate;

use crate::core::Core;
use crate::error::Result;
use crate::flight::caller::Caller;
use crate::session::handles::PreparedStatement;

/// Runs it; the number of rows that it changed, -1 if it does not say.
///
/// # Errors
/// Whatever the statement ends with.
pub async fn run(core: &Core, caller: &Caller, command: &CommandStatementUpdate) -> Result<i64> {
    super::refuse_transaction(command.transaction_id.as_ref())?;
    let statement = core.engine.plan(&caller.session, &command.query).await?;
    let prepared = PreparedStatement {
        statement,
        unbound: None,
        bound: Vec::new(),
    };
    Ok(super::count(
        core.engine.change(&caller.session, &prepared).await?,
    ))
}
