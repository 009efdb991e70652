//! CommandStatementQuery: a statement's text in; its rows out.
//!
//! A query is planned when it is asked for and runs when its ticket is redeemed. A statement that
//! changes something runs at once, while its caller waits: clients that run updates through this
//! command do not all redeem the ticket.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow_flight::sql::{Any, CommandStatementQuery, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, FlightInfo};
use futures::StreamExt;
use prost::Message;
use std::sync::Arc;

use crate::core::Core;
use crate::error::Result;
use crate::flight::answer;
use crate::flight::caller::Caller;
use crate::flight::frame::FrameStream;
use crate::flight::ticket::TicketKey;
use crate::random;
use crate::session::handles::{OpenResult, PreparedStatement};
use crate::sql::Kind;

/// The first half: the schema of the result, and a ticket for it.
///
/// # Errors
/// `Sql` and the other kinds of planning; for a statement that changes something, of running.
pub async fn info(
    core: &Core,
    key: &TicketKey,
    caller: &Caller,
    command: &CommandStatementQuery,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo> {
    super::refuse_transaction(command.transaction_id.as_ref())?;
    let statement = core.engine.plan(&caller.session, &command.query).await?;
    open(
        core,
        key,
        caller,
        PreparedStatement {
            statement,
            unbound: None,
            bound: Vec::new(),
        },
        descriptor,
    )
    .await
}

/// Keeps a planned statement for its ticket, or runs it if it changes something.
///
/// # Errors
/// As [`info`].
pub async fn open(
    core: &Core,
    key: &TicketKey,
    caller: &Caller,
    prepared: PreparedStatement,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo> {
    let query = random::token(16)?;
    let schema = Arc::clone(&prepared.statement.schema);
    let result = match prepared.statement.kind {
        Kind::Query => OpenResult::Planned(Box::new(prepared)),
        Kind::Change | Kind::Define => {
            let changed = core.engine.change(&caller.session, &prepared).await?;
            OpenResult::Done(super::count_batch(&schema, changed)?)
        }
    };
    caller.session.keep_result(&query, result);
    let handle = key.seal(caller.session.id(), &query);
    let ticket = TicketStatementQuery {
        statement_handle: handle.into(),
    }
    .as_any()
    .encode_to_vec();
    answer::flight_info(&schema, descriptor, ticket.into(), &query)
}

/// The second half: the rows.
///
/// # Errors
/// `Sql`, `Denied` or `NotFound` for a ticket that is not this session's. What goes wrong later
/// ends the stream.
pub fn data(
    core: &Core,
    key: &TicketKey,
    caller: Caller,
    ticket: &TicketStatementQuery,
) -> Result<FrameStream> {
    let query = key.open(&ticket.statement_handle, caller.session.id())?;
    let result = caller.session.result(&query)?;
    caller.session.redeemed(&query);
    let limit = core.config.limits.message_size_max.0;
    match result.as_ref() {
        OpenResult::Done(batch) => answer::batches(batch.schema_ref(), vec![batch.clone()], limit),
        OpenResult::Planned(prepared) => {
            // A ticket that is redeemed twice at once runs twice, each run under an id of its own.
            let id = match core.engine.records().running(&query) {
                None => query,
                Some(_) => random::token(16)?,
            };
            let answer = core.engine.start(&caller.session, prepared, id)?;
            let busy = caller.busy;
            let batches = answer.batches.inspect(move |_| {
                let _held_while_streaming = &busy;
            });
            answer::stream(&answer.schema, batches, limit)
        }
    }
}

/// The ticket's query, if it is one of this session's.
///
/// # Errors
/// `Sql` or `Denied` for a ticket that is not.
pub fn query_of(key: &TicketKey, caller: &Caller, ticket: &[u8]) -> Result<String> {
    let any: Any = answer::unpack("ticket", ticket)?;
    let ticket: Option<TicketStatementQuery> = any
        .unpack()
        .map_err(|error| crate::error::Error::sql(format!("ticket: {error}")))?;
    let ticket = ticket.ok_or_else(|| crate::error::Error::sql("ticket: not one of a query"))?;
    key.open(&ticket.statement_handle, caller.session.id())
}

/// A batch of no rows and these columns.
pub(super) fn empty(schema: &arrow::datatypes::SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(0));
    let columns = schema
        .fields()
        .iter()
        .map(|field| arrow::array::new_empty_array(field.data_type()))
        .collect();
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| crate::error::Error::internal(format!("empty result: {error}")))
}
