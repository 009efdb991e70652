//! The Flight service: finds out who asks, and passes each request to its command or action.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::{Any, Command, CommandStatementQuery};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use prost::Message;
use tonic::{Request, Response, Status, Streaming};

use super::answer::{self, metadata_info};
use super::caller::Caller;
use super::command::{
    catalogs, cross_reference, db_schemas, exported_keys, imported_keys, prepared_query, primary_keys,
    sql_info, statement_query, table_types, tables, xdbc_type_info,
};
use super::frame::{DoGet, DoGetService, FrameStream};
use super::ticket::TicketKey;
use super::{action, handshake, put};
use crate::core::Core;
use crate::error::{Error, Result};

/// Requests larger than this are refused: SQL texts and bound rows are smaller.
const REQUEST_BYTES_MAX: usize = 64 << 20;

type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// The Flight SQL service of a server.
pub struct FlightSql {
    core: Arc<Core>,
    key: TicketKey,
}

/// The service as tonic serves it.
///
/// # Errors
/// `Internal` if the system has no randomness to give for a key.
pub fn new(core: Arc<Core>) -> Result<DoGetService<FlightSql, FlightServiceServer<FlightSql>>> {
    let service = Arc::new(FlightSql {
        core,
        key: TicketKey::new()?,
    });
    let rest =
        FlightServiceServer::from_arc(Arc::clone(&service)).max_decoding_message_size(REQUEST_BYTES_MAX);
    Ok(DoGetService::new(service, rest))
}

/// What a descriptor asks for.
enum Asked {
    Command(Box<Command>),
    Query(String),
}

/// A command that is no protobuf message but plain text is taken for SQL: a client of plain Flight
/// has no Flight SQL messages to pack it into.
fn asked(descriptor: &FlightDescriptor) -> Result<Asked> {
    match descriptor.r#type() {
        DescriptorType::Cmd if is_text(&descriptor.cmd) => Ok(Asked::Query(
            String::from_utf8_lossy(&descriptor.cmd).into_owned(),
        )),
        DescriptorType::Cmd => {
            command("descriptor", &descriptor.cmd).map(|command| Asked::Command(Box::new(command)))
        }
        DescriptorType::Path if !descriptor.path.is_empty() => Ok(Asked::Query(select_all(&descriptor.path))),
        _ => Err(Error::sql(
            "descriptor: neither a command nor the path of a table",
        )),
    }
}

fn command(what: &str, bytes: &[u8]) -> Result<Command> {
    let any: Any = answer::unpack(what, bytes)?;
    let type_url = any.type_url.clone();
    if type_url.is_empty() {
        return Err(Error::sql(format!(
            "{what}: {} bytes without a command",
            bytes.len()
        )));
    }
    match Command::try_from(any) {
        Ok(Command::Unknown(_)) => Err(Error::unsupported(format!(
            "{what}: unknown command {type_url:?}"
        ))),
        Ok(command) => Ok(command),
        Err(error) => Err(Error::sql(format!("{what}: {type_url}: {error}"))),
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let printable = |text: &str| text.chars().all(|c| !c.is_control() || c.is_whitespace());
    !bytes.is_empty() && Any::decode(bytes).is_err() && std::str::from_utf8(bytes).is_ok_and(printable)
}

fn select_all(path: &[String]) -> String {
    let quoted: Vec<String> = path
        .iter()
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    format!("SELECT * FROM {}", quoted.join("."))
}

fn later(what: &str) -> Error {
    Error::unsupported(format!("{what}: not done by this server, see its SqlInfo"))
}

impl FlightSql {
    async fn info(&self, caller: &Caller, descriptor: FlightDescriptor) -> Result<FlightInfo> {
        let (core, key) = (&self.core, &self.key);
        let asked = match asked(&descriptor)? {
            Asked::Query(query) => {
                let command = CommandStatementQuery {
                    query,
                    transaction_id: None,
                };
                return statement_query::info(core, key, caller, &command, descriptor).await;
            }
            Asked::Command(command) => *command,
        };
        match asked {
            Command::CommandStatementQuery(command) => {
                statement_query::info(core, key, caller, &command, descriptor).await
            }
            Command::CommandPreparedStatementQuery(command) => {
                prepared_query::info(core, key, caller, &command, descriptor).await
            }
            Command::CommandGetCatalogs(command) => {
                metadata_info(&catalogs::schema(&command), descriptor, &command)
            }
            Command::CommandGetDbSchemas(command) => {
                metadata_info(&db_schemas::schema(&command), descriptor, &command)
            }
            Command::CommandGetTables(command) => {
                metadata_info(&tables::schema(&command), descriptor, &command)
            }
            Command::CommandGetTableTypes(command) => {
                metadata_info(&table_types::schema(&command), descriptor, &command)
            }
            Command::CommandGetPrimaryKeys(command) => {
                metadata_info(&primary_keys::schema(&command), descriptor, &command)
            }
            Command::CommandGetExportedKeys(command) => {
                metadata_info(&exported_keys::schema(&command), descriptor, &command)
            }
            Command::CommandGetImportedKeys(command) => {
                metadata_info(&imported_keys::schema(&command), descriptor, &command)
            }
            Command::CommandGetCrossReference(command) => {
                metadata_info(&cross_reference::schema(&command), descriptor, &command)
            }
            Command::CommandGetSqlInfo(command) => {
                metadata_info(&sql_info::schema(&command), descriptor, &command)
            }
            Command::CommandGetXdbcTypeInfo(command) => {
                metadata_info(&xdbc_type_info::schema(&command), descriptor, &command)
            }
            Command::CommandStatementSubstraitPlan(_) => Err(later("Substrait plan")),
            Command::CommandStatementIngest(_) => Err(later("bulk ingest")),
            Command::CommandStatementUpdate(_) | Command::CommandPreparedStatementUpdate(_) => {
                Err(Error::sql("descriptor: an update takes DoPut, not GetFlightInfo"))
            }
            other => Err(Error::unsupported(format!(
                "descriptor: {other:?} is not a command that has a result"
            ))),
        }
    }

    async fn schema(&self, caller: &Caller, descriptor: &FlightDescriptor) -> Result<SchemaRef> {
        let text = match asked(descriptor)? {
            Asked::Query(query) => query,
            Asked::Command(command) => match *command {
                Command::CommandStatementQuery(command) => command.query,
                Command::CommandPreparedStatementQuery(command) => {
                    let handle = String::from_utf8_lossy(&command.prepared_statement_handle).into_owned();
                    return Ok(Arc::clone(&caller.session.prepared(&handle)?.statement.schema));
                }
                Command::CommandGetCatalogs(command) => return Ok(catalogs::schema(&command)),
                Command::CommandGetDbSchemas(command) => return Ok(db_schemas::schema(&command)),
                Command::CommandGetTables(command) => return Ok(tables::schema(&command)),
                Command::CommandGetTableTypes(command) => return Ok(table_types::schema(&command)),
                Command::CommandGetPrimaryKeys(command) => return Ok(primary_keys::schema(&command)),
                Command::CommandGetExportedKeys(command) => return Ok(exported_keys::schema(&command)),
                Command::CommandGetImportedKeys(command) => return Ok(imported_keys::schema(&command)),
                Command::CommandGetCrossReference(command) => return Ok(cross_reference::schema(&command)),
                Command::CommandGetSqlInfo(command) => return Ok(sql_info::schema(&command)),
                Command::CommandGetXdbcTypeInfo(command) => return Ok(xdbc_type_info::schema(&command)),
                _ => return Err(later("GetSchema of this command")),
            },
        };
        Ok(self.core.engine.plan(&caller.session, &text).await?.schema)
    }

    async fn rows(&self, caller: Caller, ticket: &Ticket) -> Result<FrameStream> {
        let context = caller.session.context().clone();
        let batch = match command("ticket", &ticket.ticket)? {
            Command::TicketStatementQuery(ticket) => {
                return statement_query::data(&self.core, &self.key, caller, &ticket);
            }
            Command::CommandGetCatalogs(command) => catalogs::data(&context, &command).await?,
            Command::CommandGetDbSchemas(command) => db_schemas::data(&context, &command).await?,
            Command::CommandGetTables(command) => tables::data(&context, &command).await?,
            Command::CommandGetTableTypes(command) => table_types::data(&context, &command).await?,
            Command::CommandGetPrimaryKeys(command) => primary_keys::data(&context, &command).await?,
            Command::CommandGetExportedKeys(command) => exported_keys::data(&context, &command).await?,
            Command::CommandGetImportedKeys(command) => imported_keys::data(&context, &command).await?,
            Command::CommandGetCrossReference(command) => cross_reference::data(&context, &command).await?,
            Command::CommandGetSqlInfo(command) => {
                sql_info::data(&context, &self.core.config, &command).await?
            }
            Command::CommandGetXdbcTypeInfo(command) => xdbc_type_info::data(&context, &command).await?,
            other => {
                return Err(Error::sql(format!(
                    "ticket: {other:?} is not one that this server issued"
                )));
            }
        };
        let schema = batch.schema();
        answer::batches(&schema, vec![batch], self.core.config.limits.message_size_max.0)
    }
}

#[async_trait]
impl DoGet for FlightSql {
    async fn do_get_frames(&self, request: Request<Ticket>) -> Result<Response<FrameStream>, Status> {
        let caller = Caller::of(&self.core, &request).await?;
        let response = caller.respond(());
        let frames = self.rows(caller, request.get_ref()).await?;
        Ok(response.map(|()| frames))
    }
}

#[async_trait]
impl FlightService for FlightSql {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoExchangeStream = Answers<FlightData>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        handshake::handshake(&self.core, request).await
    }

    /// The tables that the caller may read, each behind the path that names it.
    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        let caller = Caller::of(&self.core, &request).await?;
        let context = caller.session.context();
        let state = context.state();
        let names = &state.config_options().catalog;
        let schema = context
            .catalog(&names.default_catalog)
            .and_then(|catalog| catalog.schema(&names.default_schema));
        let mut infos = Vec::new();
        for name in schema.map(|schema| schema.table_names()).unwrap_or_default() {
            let descriptor = FlightDescriptor::new_path(vec![name.clone()]);
            match self.schema(&caller, &descriptor).await {
                Ok(schema) => infos.push(Ok(FlightInfo {
                    schema: answer::schema_message(&schema)?,
                    flight_descriptor: Some(descriptor),
                    total_records: -1,
                    total_bytes: -1,
                    ..Default::default()
                })),
                Err(error) => tracing::warn!(table = name, %error, "left out of ListFlights"),
            }
        }
        Ok(caller.respond(futures::stream::iter(infos).boxed()))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let caller = Caller::of(&self.core, &request).await?;
        let info = self.info(&caller, request.into_inner()).await?;
        Ok(caller.respond(info))
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        Caller::of(&self.core, &request).await?;
        Err(later("PollFlightInfo").into())
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let caller = Caller::of(&self.core, &request).await?;
        let schema = self.schema(&caller, request.get_ref()).await?;
        Ok(caller.respond(SchemaResult {
            schema: answer::schema_message(&schema)?,
        }))
    }

    /// Never called: [`DoGetService`] answers DoGet through [`FlightSql::do_get_frames`].
    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        Err(Error::internal("DoGet went past the service that answers it").into())
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let caller = Caller::of(&self.core, &request).await?;
        let result = put::put(&self.core, &caller, request.into_inner()).await?;
        Ok(caller.respond(futures::stream::once(async { Ok(result) }).boxed()))
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Caller::of(&self.core, &request).await?;
        Err(later("DoExchange").into())
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let caller = Caller::of(&self.core, &request).await?;
        let bodies = action::run(&self.core, &self.key, &caller, request.get_ref()).await?;
        let results = bodies.into_iter().map(|body| Ok(arrow_flight::Result { body }));
        Ok(caller.respond(futures::stream::iter(results).boxed()))
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let caller = Caller::of(&self.core, &request).await?;
        Ok(caller.respond(futures::stream::iter(action::list().into_iter().map(Ok)).boxed()))
    }
}
