//! A Flight SQL client that says what it sends, for tests of single requests and of wrong ones.
//!
//! In: SQL, commands, raw bytes. Out: batches, or the gRPC status as it came. A value is one connection, so one
//! session.

use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandPreparedStatementQuery, CommandPreparedStatementUpdate, CommandStatementQuery,
    CommandStatementUpdate, DoPutUpdateResult, ProstMessageExt,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, PutResult, Ticket};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use prost::Message;
use tonic::metadata::{AsciiMetadataKey, MetadataMap};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

use crate::server::Server;

/// The largest message that a client takes unless it is told otherwise.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// See the module.
#[derive(Debug, Clone)]
pub struct Client {
    /// The generated client below.
    pub flight: FlightServiceClient<Channel>,
    headers: MetadataMap,
}

impl Client {
    /// Connects to a server without TLS.
    ///
    /// # Panics
    /// If it cannot.
    pub async fn connect(server: &Server) -> Self {
        let endpoint =
            Endpoint::from_shared(format!("http://{}", server.address())).expect("the address is a URL");
        Self::connect_endpoint(endpoint)
            .await
            .unwrap_or_else(|error| panic!("{}: {error:?}", server.url()))
    }

    /// Connects to an endpoint.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn connect_endpoint(endpoint: Endpoint) -> Result<Self, tonic::transport::Error> {
        let channel = endpoint
            .connect_timeout(Duration::from_secs(10))
            .connect()
            .await?;
        let flight = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Ok(Self {
            flight,
            headers: MetadataMap::new(),
        })
    }

    /// Sends a header with every request from now on.
    ///
    /// # Panics
    /// If it is not one.
    pub fn set_header(&mut self, name: &'static str, value: &str) {
        let value = value.parse().expect("the value can stand in a header");
        self.headers.insert(AsciiMetadataKey::from_static(name), value);
    }

    /// A request with the headers.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.headers.clone();
        request
    }

    /// Signs in by a handshake with an `authorization: Basic` header and keeps the token; the token.
    ///
    /// # Errors
    /// What the server says.
    pub async fn sign_in(&mut self, user: &str, password: &str) -> Result<String, Status> {
        self.headers.remove("authorization");
        self.set_header(
            "authorization",
            &format!("Basic {}", base64(&format!("{user}:{password}"))),
        );
        let request = self.request(futures::stream::iter([HandshakeRequest::default()]));
        self.headers.remove("authorization");
        let response = self.flight.handshake(request).await?;
        let header = response
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let header = header
            .ok_or_else(|| Status::internal("handshake: no authorization header"))?
            .to_owned();
        let _: Vec<_> = response.into_inner().try_collect().await?;
        self.set_header("authorization", &header);
        Ok(header.trim_start_matches("Bearer ").to_owned())
    }

    /// The flight of a query.
    ///
    /// # Errors
    /// What the server says.
    pub async fn info(&mut self, sql: &str) -> Result<FlightInfo, Status> {
        self.info_of(&CommandStatementQuery {
            query: sql.to_owned(),
            transaction_id: None,
        })
        .await
    }

    /// The flight of a command.
    ///
    /// # Errors
    /// What the server says.
    pub async fn info_of(&mut self, command: &impl ProstMessageExt) -> Result<FlightInfo, Status> {
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let request = self.request(descriptor);
        Ok(self.flight.get_flight_info(request).await?.into_inner())
    }

    /// The messages behind a ticket, as they come.
    ///
    /// # Errors
    /// What the server says.
    pub async fn get(&mut self, ticket: Ticket) -> Result<Streaming<FlightData>, Status> {
        let request = self.request(ticket);
        Ok(self.flight.do_get(request).await?.into_inner())
    }

    /// The messages of a query's only endpoint, as they come.
    ///
    /// # Errors
    /// What the server says.
    pub async fn stream(&mut self, sql: &str) -> Result<Streaming<FlightData>, Status> {
        let info = self.info(sql).await?;
        self.get(only_ticket(&info)).await
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// What the server says.
    pub async fn rows(&mut self, sql: &str) -> Result<RecordBatch, Status> {
        let info = self.info(sql).await?;
        self.rows_of(info).await
    }

    /// The rows of a flight.
    ///
    /// # Errors
    /// What the server says.
    pub async fn rows_of(&mut self, info: FlightInfo) -> Result<RecordBatch, Status> {
        let announced: Schema = info.clone().try_decode_schema().map_err(undecodable)?;
        let mut batches = Vec::new();
        for endpoint in info.endpoint {
            let messages = self
                .get(endpoint.ticket.expect("an endpoint has a ticket"))
                .await?;
            batches.extend(decode(messages).await?);
        }
        let schema = batches
            .first()
            .map_or_else(|| announced.clone().into(), RecordBatch::schema);
        if announced.fields() != schema.fields() {
            return Err(Status::internal(format!("announced {announced}, sent {schema}")));
        }
        concat_batches(&schema, &batches).map_err(undecodable)
    }

    /// The first column of a query's rows, each value as text and NULL as `NULL`.
    ///
    /// # Errors
    /// What the server says.
    pub async fn column(&mut self, sql: &str) -> Result<Vec<String>, Status> {
        let rows = self.rows(sql).await?;
        Ok(column_text(rows.column(0).as_ref()))
    }

    /// The only value of a query's result, as text.
    ///
    /// # Errors
    /// What the server says, or that there is not one value.
    pub async fn value(&mut self, sql: &str) -> Result<String, Status> {
        match self.column(sql).await?.as_slice() {
            [value] => Ok(value.clone()),
            values => Err(Status::internal(format!(
                "{sql}: found {} values, expected one",
                values.len()
            ))),
        }
    }

    /// Whether the server answers `select 1`.
    ///
    /// # Panics
    /// If it does not.
    pub async fn assert_answers(server: &Server) {
        let mut client = Self::connect(server).await;
        let answer = tokio::time::timeout(Duration::from_secs(20), client.value("select 1")).await;
        assert_eq!(answer.expect("an answer within 20 s").expect("an answer"), "1");
    }

    /// Runs a statement as an update; the number of rows that it changed, -1 for unknown.
    ///
    /// # Errors
    /// What the server says.
    pub async fn update(&mut self, sql: &str) -> Result<i64, Status> {
        let command = CommandStatementUpdate {
            query: sql.to_owned(),
            transaction_id: None,
        };
        let results = self.put(&command, None).await?;
        updated(&results)
    }

    /// Sends a command by DoPut, with rows if it takes any.
    ///
    /// # Errors
    /// What the server says.
    pub async fn put(
        &mut self,
        command: &impl ProstMessageExt,
        rows: Option<RecordBatch>,
    ) -> Result<Vec<PutResult>, Status> {
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        match rows {
            None => {
                let message = FlightData {
                    flight_descriptor: Some(descriptor),
                    ..FlightData::default()
                };
                self.put_messages(futures::stream::iter([message])).await
            }
            Some(rows) => {
                let rows = futures::stream::iter([Ok(rows)]);
                let encoder = FlightDataEncoderBuilder::new()
                    .with_flight_descriptor(Some(descriptor))
                    .build(rows);
                let messages: Vec<FlightData> = encoder.try_collect().await.map_err(status_of)?;
                self.put_messages(futures::stream::iter(messages)).await
            }
        }
    }

    /// Sends messages by DoPut.
    ///
    /// # Errors
    /// What the server says.
    pub async fn put_messages(
        &mut self,
        messages: impl Stream<Item = FlightData> + Send + 'static,
    ) -> Result<Vec<PutResult>, Status> {
        let request = self.request(messages);
        self.flight
            .do_put(request)
            .await?
            .into_inner()
            .try_collect()
            .await
    }

    /// Runs an action; the bodies of its results.
    ///
    /// # Errors
    /// What the server says.
    pub async fn action(&mut self, name: &str, body: impl Into<Bytes>) -> Result<Vec<Bytes>, Status> {
        let request = self.request(Action {
            r#type: name.to_owned(),
            body: body.into(),
        });
        let results = self.flight.do_action(request).await?.into_inner();
        results.map_ok(|result| result.body).try_collect().await
    }

    /// Prepares a statement.
    ///
    /// # Errors
    /// What the server says.
    pub async fn prepare(&mut self, sql: &str) -> Result<ActionCreatePreparedStatementResult, Status> {
        let request = ActionCreatePreparedStatementRequest {
            query: sql.to_owned(),
            transaction_id: None,
        };
        let bodies = self
            .action("CreatePreparedStatement", request.as_any().encode_to_vec())
            .await?;
        let body = bodies
            .first()
            .ok_or_else(|| Status::internal("CreatePreparedStatement: no result"))?;
        let any = Any::decode(&body[..]).map_err(undecodable)?;
        any.unpack()
            .map_err(undecodable)?
            .ok_or_else(|| Status::internal(format!("found {}", any.type_url)))
    }

    /// Binds rows to a prepared statement's parameters and runs it as a query.
    ///
    /// # Errors
    /// What the server says.
    pub async fn rows_prepared(
        &mut self,
        handle: &Bytes,
        rows: Option<RecordBatch>,
    ) -> Result<RecordBatch, Status> {
        let command = CommandPreparedStatementQuery {
            prepared_statement_handle: handle.clone(),
        };
        if rows.is_some() {
            self.put(&command, rows).await?;
        }
        let info = self.info_of(&command).await?;
        self.rows_of(info).await
    }

    /// Binds rows to a prepared statement's parameters and runs it as an update, once a row.
    ///
    /// # Errors
    /// What the server says.
    pub async fn update_prepared(
        &mut self,
        handle: &Bytes,
        rows: Option<RecordBatch>,
    ) -> Result<i64, Status> {
        let command = CommandPreparedStatementUpdate {
            prepared_statement_handle: handle.clone(),
        };
        let results = self.put(&command, rows).await?;
        updated(&results)
    }
}

/// The ticket of a flight with one endpoint.
///
/// # Panics
/// If it has none or several.
pub fn only_ticket(info: &FlightInfo) -> Ticket {
    match info.endpoint.as_slice() {
        [endpoint] => endpoint.ticket.clone().expect("an endpoint has a ticket"),
        endpoints => panic!("found {} endpoints, expected one", endpoints.len()),
    }
}

/// Each value of a column as text, NULL as `NULL`.
pub fn column_text(column: &dyn Array) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(column, &options).expect("every column can be written as text");
    (0..column.len())
        .map(|row| formatter.value(row).to_string())
        .collect()
}

/// The batches of a stream of messages.
///
/// # Errors
/// What the server says at its end.
pub async fn decode(
    messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
) -> Result<Vec<RecordBatch>, Status> {
    let messages = messages
        .map_err(|status| FlightError::Tonic(Box::new(status)))
        .boxed();
    FlightRecordBatchStream::new_from_flight_data(messages)
        .try_collect()
        .await
        .map_err(status_of)
}

/// Standard base64 of a text.
pub fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for bytes in text.as_bytes().chunks(3) {
        let group = bytes
            .iter()
            .fold(0_u32, |group, byte| group << 8 | u32::from(*byte))
            << (8 * (3 - bytes.len()));
        for digit in 0..4 {
            let six = (group >> (18 - 6 * digit)) as usize & 63;
            encoded.push(if digit <= bytes.len() {
                DIGITS[six].into()
            } else {
                '='
            });
        }
    }
    encoded
}

fn updated(results: &[PutResult]) -> Result<i64, Status> {
    let [result] = results else {
        return Err(Status::internal(format!(
            "found {} results, expected one",
            results.len()
        )));
    };
    let count = DoPutUpdateResult::decode(&result.app_metadata[..]).map_err(undecodable)?;
    Ok(count.record_count)
}

fn undecodable(error: impl std::fmt::Display) -> Status {
    Status::internal(format!("undecodable answer: {error}"))
}

fn status_of(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        error => undecodable(error),
    }
}
