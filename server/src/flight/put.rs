//! DoPut: updates, and rows bound to parameters.

use std::panic::AssertUnwindSafe;

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{Command, DoPutUpdateResult};
use arrow_flight::{FlightData, PutResult};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};
use prost::Message;
use tonic::{Status, Streaming};

use super::answer;
use super::caller::Caller;
use super::command::{prepared_query, prepared_update, statement_update};
use crate::core::Core;
use crate::error::{Error, Result};

/// Rows of parameters in one request, at most: they are held in memory.
const BOUND_BYTES_MAX: usize = 64 << 20;

/// Runs what the first message's descriptor asks for.
///
/// # Errors
/// `Sql` if it is not a command that takes DoPut; else as the command.
pub async fn put(core: &Core, caller: &Caller, messages: Streaming<FlightData>) -> Result<PutResult> {
    let mut messages = messages.peekable();
    let first = match std::pin::Pin::new(&mut messages).peek().await {
        Some(Ok(message)) => message.flight_descriptor.clone(),
        Some(Err(status)) => return Err(Error::sql(format!("DoPut: {}", status.message()))),
        None => None,
    };
    let descriptor = first.ok_or_else(|| Error::sql("DoPut: the first message has no descriptor"))?;
    let any = answer::unpack("DoPut descriptor", &descriptor.cmd)?;
    let type_url = any.type_url.clone();
    let command = Command::try_from(any).map_err(|error| Error::sql(format!("DoPut: {error}")))?;
    let app_metadata: Bytes = match command {
        Command::CommandStatementUpdate(command) => {
            update_result(statement_update::run(core, caller, &command).await?)
        }
        Command::CommandPreparedStatementUpdate(command) => {
            let rows = rows(messages).await?;
            update_result(prepared_update::run(core, caller, &command, rows).await?)
        }
        Command::CommandPreparedStatementQuery(command) => {
            let rows = rows(messages).await?;
            prepared_query::bind(caller, &command, rows)?
                .encode_to_vec()
                .into()
        }
        Command::CommandStatementIngest(_) => {
            return Err(Error::unsupported(
                "bulk ingest: not done by this server, see its SqlInfo",
            ));
        }
        _ => {
            return Err(Error::unsupported(format!(
                "DoPut of {type_url}: this command takes GetFlightInfo and DoGet"
            )));
        }
    };
    Ok(PutResult { app_metadata })
}

fn update_result(record_count: i64) -> Bytes {
    DoPutUpdateResult { record_count }.encode_to_vec().into()
}

/// The rows that follow the descriptor. arrow-ipc can panic on malformed messages: that is caught
/// here and becomes an error.
async fn rows(
    messages: impl futures::Stream<Item = Result<FlightData, Status>> + Send + 'static,
) -> Result<Vec<RecordBatch>> {
    let messages = messages.map_err(|status| FlightError::Tonic(Box::new(status)));
    // A client that binds nothing sends the descriptor alone, without a schema.
    let with_data = messages.try_filter(|message| std::future::ready(!message.data_header.is_empty()));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(with_data);
    let read = async {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = batches
            .try_next()
            .await
            .map_err(|error| Error::sql(format!("DoPut: rows of parameters: {error}")))?
        {
            bytes += batch.get_array_memory_size();
            if bytes > BOUND_BYTES_MAX {
                return Err(Error::resources(format!(
                    "DoPut: over {BOUND_BYTES_MAX} bytes of parameters"
                )));
            }
            rows.push(batch);
        }
        Ok(rows)
    };
    AssertUnwindSafe(read).catch_unwind().await.unwrap_or_else(|_| {
        Err(Error::sql(
            "DoPut: rows of parameters: malformed Arrow IPC message",
        ))
    })
}
