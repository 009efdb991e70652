//! A small Flight SQL server for the client's tests: the text of a query says how it behaves.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::metadata::SqlInfoDataBuilder;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetTables, CommandStatementQuery, CommandStatementUpdate, ProstMessageExt,
    SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket,
};
use futures::{Stream, StreamExt, stream};
use prost::Message;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

/// What the tests look at and turn.
#[derive(Default)]
pub struct State {
    /// Whether calls need a bearer token.
    pub protected: AtomicBool,
    /// The tokens handed out so far; only the last is good.
    pub handshakes: AtomicU64,
    /// Streams that were dropped before their end.
    pub dropped: AtomicU64,
    /// Actions, by name.
    pub actions: Mutex<Vec<String>>,
    /// The cookie header of the last DoGet.
    pub cookie: Mutex<Option<String>>,
}

/// The server; clones share their state.
#[derive(Clone, Default)]
pub struct Fake(pub Arc<State>);

impl Fake {
    /// Serves on a free port of the loopback address until the runtime ends. Its URL.
    pub async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("grpc://{}", listener.local_addr().unwrap());
        let service = FlightServiceServer::new(self.clone());
        let serving = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
        url
    }

    #[allow(clippy::result_large_err)]
    fn check(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let good = format!("Bearer {}", self.0.handshakes.load(Ordering::Relaxed));
        let sent = metadata
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if self.0.protected.load(Ordering::Relaxed) && sent != Some(&good) {
            return Err(Status::unauthenticated("no session"));
        }
        Ok(())
    }
}

type Batches = Pin<Box<dyn Stream<Item = Result<RecordBatch, FlightError>> + Send>>;

struct CountDrop(Arc<State>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

fn batch(numbers: impl IntoIterator<Item = i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    RecordBatch::try_new(schema(), vec![column]).unwrap()
}

fn encode(batches: Batches) -> <Fake as FlightService>::DoGetStream {
    let data = FlightDataEncoderBuilder::new()
        .with_schema(schema())
        .build(batches);
    data.map(|item| {
        item.map_err(|e| match e {
            FlightError::Tonic(status) => *status,
            other => Status::internal(other.to_string()),
        })
    })
    .boxed()
}

fn info(ordered: bool, handles: &[&str]) -> FlightInfo {
    let endpoint = |handle: &&str| {
        let statement_handle = (*handle).to_owned().into();
        FlightEndpoint::new().with_ticket(Ticket::new(
            TicketStatementQuery { statement_handle }.as_any().encode_to_vec(),
        ))
    };
    let info = FlightInfo::new().with_ordered(ordered);
    handles.iter().map(endpoint).fold(info, FlightInfo::with_endpoint)
}

#[tonic::async_trait]
impl FlightSqlService for Fake {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>, Status> {
        // "ann:secret"
        if request
            .metadata()
            .get("authorization")
            .is_none_or(|value| value != "Basic YW5uOnNlY3JldA==")
        {
            return Err(Status::unauthenticated("wrong user or password"));
        }
        let token = self.0.handshakes.fetch_add(1, Ordering::Relaxed) + 1;
        let mut response = Response::new(stream::iter([Ok(HandshakeResponse::default())]).boxed() as _);
        response
            .metadata_mut()
            .insert("authorization", format!("Bearer {token}").parse().unwrap());
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.check(request.metadata())?;
        let planned = match query.query.as_str() {
            "select wrong" => Err(Status::invalid_argument("no column wrong, at line 1, column 8")),
            "select secret" => Err(Status::permission_denied("no right to read secret")),
            "select ordered" => Ok(info(true, &["1", "2", "3"])),
            "select unordered" => Ok(info(false, &["1", "2", "3"])),
            "select planning" => {
                tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
                Err(Status::internal("never"))
            }
            other => Ok(info(true, &[other])),
        };
        let mut response = Response::new(planned?);
        response
            .metadata_mut()
            .insert("set-cookie", "session=s1; Path=/".parse().unwrap());
        Ok(response)
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        self.check(request.metadata())?;
        let cookie = request
            .metadata()
            .get("cookie")
            .map(|value| value.to_str().unwrap().to_owned());
        *self.0.cookie.lock().unwrap() = cookie;
        let handle = String::from_utf8(ticket.statement_handle.to_vec()).unwrap();
        let batches: Batches = match handle.as_str() {
            "select empty" => stream::empty().boxed(),
            "select broken" => {
                let failed = FlightError::from(Status::internal("broke midway"));
                stream::iter([Ok(batch([1])), Err(failed)]).boxed()
            }
            "select forever" => {
                let guard = CountDrop(self.0.clone());
                stream::unfold((0, guard), |(n, guard)| async move {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                    Some((Ok(batch(n..n + 100)), (n + 100, guard)))
                })
                .boxed()
            }
            number => {
                let number: i64 = number.parse().unwrap_or(7);
                stream::iter([Ok(batch([number * 10])), Ok(batch([number * 10 + 1]))]).boxed()
            }
        };
        Ok(Response::new(encode(batches)))
    }

    async fn do_put_statement_update(
        &self,
        update: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.check(request.metadata())?;
        match update.query.split_whitespace().next() {
            Some("insert") => Ok(3),
            Some("drop") => Err(Status::not_found("no table t")),
            _ => Ok(0),
        }
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(query.as_any().encode_to_vec()));
        Ok(Response::new(FlightInfo::new().with_endpoint(endpoint)))
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let mut tables = query.into_builder();
        tables
            .append("main", "public", "t", "TABLE", &schema())
            .map_err(|e| Status::internal(e.to_string()))?;
        tables
            .append("main", "public", "v", "VIEW", &schema())
            .map_err(|e| Status::internal(e.to_string()))?;
        let listed = tables.build().map_err(|e| Status::internal(e.to_string()))?;
        let data = FlightDataEncoderBuilder::new()
            .with_schema(listed.schema())
            .build(stream::iter([Ok(listed)]));
        Ok(Response::new(data.map(|item| item.map_err(Status::from)).boxed()))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(query.as_any().encode_to_vec()));
        Ok(Response::new(FlightInfo::new().with_endpoint(endpoint)))
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        _: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        let mut known = SqlInfoDataBuilder::new();
        known.append(SqlInfo::FlightSqlServerName, "fake");
        known.append(SqlInfo::FlightSqlServerVersion, "0.0.1");
        let known = known.build().map_err(|e| Status::internal(e.to_string()))?;
        let listed = query
            .into_builder(&known)
            .build()
            .map_err(|e| Status::internal(e.to_string()))?;
        let data = FlightDataEncoderBuilder::new()
            .with_schema(listed.schema())
            .build(stream::iter([Ok(listed)]));
        Ok(Response::new(data.map(|item| item.map_err(Status::from)).boxed()))
    }

    async fn do_action_fallback(
        &self,
        request: Request<Action>,
    ) -> Result<Response<<Self as FlightService>::DoActionStream>, Status> {
        self.0.actions.lock().unwrap().push(request.into_inner().r#type);
        Ok(Response::new(stream::empty().boxed()))
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}
