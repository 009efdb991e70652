//! How fast a result leaves: 640 MB of four 8-byte columns from memory over loopback, by
//! `warpflight::flight::frame` and, for comparison, by arrow-flight's `FlightDataEncoder`.
//!
//! `cargo bench --bench frame` prints GB/s of values (1 GB = 10^9 bytes), best and median of the
//! rounds. `cargo bench --bench frame -- --serve ADDRESS` serves the same for a client of
//! another language; tickets are `frames ROWS BYTES` and `encoder ROWS BYTES`: rows of a batch,
//! bytes of a message.

#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use prost::Message;
use tonic::body::Body;
use tonic::codegen::{Body as _, Service};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming, async_trait};
use warpflight::flight::frame::{DoGet, DoGetService, FrameEncoder, FrameStream, frame_stream, http2};

type Error = Box<dyn std::error::Error + Send + Sync>;

const COLUMNS: usize = 4;
const TOTAL_BYTES: usize = 640_000_000;
const TOTAL_ROWS: usize = TOTAL_BYTES / 8 / COLUMNS;
const ROUNDS: usize = 5;
const CLIENT_WINDOW_BYTES: u32 = 16 << 20;

fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().collect();
    // `cargo test --all-targets` runs this too, without `--bench`.
    if !args.iter().any(|arg| arg == "--bench") {
        println!("frame: run by `cargo bench` only");
        return Ok(());
    }
    let serve = args
        .iter()
        .position(|arg| arg == "--serve")
        .and_then(|at| args.get(at + 1));
    tokio::runtime::Runtime::new()?.block_on(async {
        match serve {
            Some(address) => serve_for_others(address.parse()?).await,
            None => compare().await,
        }
    })
}

/// `frames` on `address`, `encoder` on the next port.
async fn serve_for_others(address: SocketAddr) -> Result<(), Error> {
    let next = SocketAddr::new(address.ip(), address.port() + 1);
    println!("serving {TOTAL_BYTES} bytes a ticket: frames on {address}, encoder on {next}");
    serve(listen(address)?, listen(next)?).await
}

fn listen(address: SocketAddr) -> Result<TcpIncoming, Error> {
    Ok(TcpIncoming::bind(address)?.with_nodelay(Some(true)))
}

async fn serve(frames: TcpIncoming, encoder: TcpIncoming) -> Result<(), Error> {
    let source = Arc::new(Source::default());
    let arrow_flight = FlightServiceServer::from_arc(Arc::clone(&source));
    let ours = DoGetService::new(source, arrow_flight.clone());
    tokio::try_join!(
        http2::server().add_service(ours).serve_with_incoming(frames),
        http2::server()
            .add_service(arrow_flight)
            .serve_with_incoming(encoder),
    )?;
    Ok(())
}

async fn compare() -> Result<(), Error> {
    let any_port: SocketAddr = "127.0.0.1:0".parse()?;
    let (frames, encoder) = (listen(any_port)?, listen(any_port)?);
    let servers = [
        ("frames", frames.local_addr()?),
        ("encoder", encoder.local_addr()?),
    ];
    tokio::spawn(async move {
        if let Err(error) = serve(frames, encoder).await {
            println!("server: {error}");
        }
    });
    println!("client   server   HTTP/2 frame  batch rows  message bytes  GB/s best  median");
    for frame_bytes in [16 << 10, 1 << 20] {
        for (batch_rows, message_bytes) in [(8192, 2 << 20), (65_536, 256 << 10), (65_536, 2 << 20)] {
            for (server, address) in servers {
                let channel = connect(address, frame_bytes).await?;
                for client in [Client::Discard, Client::Flight] {
                    let rates = rates(
                        &channel,
                        client,
                        &format!("{server} {batch_rows} {message_bytes}"),
                    )
                    .await?;
                    println!(
                        "{:<8} {server:<8} {frame_bytes:>12} {batch_rows:>11} {message_bytes:>14} {:>10.2} {:>7.2}",
                        format!("{client:?}"),
                        rates[ROUNDS - 1],
                        rates[ROUNDS / 2]
                    );
                }
            }
        }
    }
    Ok(())
}

async fn connect(address: SocketAddr, frame_bytes: u32) -> Result<Channel, Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?
        .tcp_nodelay(true)
        .max_frame_size(frame_bytes)
        .initial_stream_window_size(CLIENT_WINDOW_BYTES)
        .initial_connection_window_size(CLIENT_WINDOW_BYTES);
    Ok(endpoint.connect().await?)
}

#[derive(Debug, Clone, Copy)]
enum Client {
    /// Drops the bytes as they arrive.
    Discard,
    /// Receives `FlightData` by arrow-flight's client, without decoding the batches.
    Flight,
}

/// GB/s of `ROUNDS` rounds, rising.
async fn rates(channel: &Channel, client: Client, ticket: &str) -> Result<Vec<f64>, Error> {
    let mut rates = Vec::new();
    for round in 0..=ROUNDS {
        let start = Instant::now();
        let received_bytes = match client {
            Client::Discard => discard(channel.clone(), ticket).await?,
            Client::Flight => receive(channel.clone(), ticket).await?,
        };
        assert!(
            received_bytes >= TOTAL_BYTES,
            "{ticket}: {received_bytes} bytes received"
        );
        // The first round fills caches and the allocator.
        if round > 0 {
            rates.push(TOTAL_BYTES as f64 / start.elapsed().max(Duration::from_nanos(1)).as_secs_f64() / 1e9);
        }
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates)
}

async fn discard(mut channel: Channel, ticket: &str) -> Result<usize, Error> {
    let ticket = Ticket::new(ticket.to_owned()).encode_to_vec();
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(ticket.len() as u32);
    message.put_slice(&ticket);
    let body = Body::new(OneMessage(Some(message.freeze())));
    let request = tonic::codegen::http::Request::post("/arrow.flight.protocol.FlightService/DoGet")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)?;
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await?;
    let mut body = channel.call(request).await?.into_body();
    let mut received_bytes = 0;
    while let Some(frame) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx))
        .await
        .transpose()?
    {
        received_bytes += frame.data_ref().map_or(0, Bytes::len);
    }
    Ok(received_bytes)
}

async fn receive(channel: Channel, ticket: &str) -> Result<usize, Error> {
    let mut client = FlightServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let mut messages = client.do_get(Ticket::new(ticket.to_owned())).await?.into_inner();
    let mut received_bytes = 0;
    while let Some(message) = messages.try_next().await? {
        received_bytes += message.data_body.len();
    }
    Ok(received_bytes)
}

/// The body of a request of one message.
struct OneMessage(Option<Bytes>);

impl tonic::codegen::Body for OneMessage {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Status>>> {
        std::task::Poll::Ready(self.0.take().map(|message| Ok(http_body::Frame::data(message))))
    }
}

fn schema() -> SchemaRef {
    let field = |column| Field::new(format!("c{column}"), DataType::Int64, false);
    Arc::new(Schema::new((0..COLUMNS).map(field).collect::<Vec<_>>()))
}

/// The values in batches of `rows`, each with buffers of its own: `FlightDataEncoder` takes a
/// slice for as large as the whole.
fn batches(rows: usize) -> Result<Vec<RecordBatch>, ArrowError> {
    let starts = (0..TOTAL_ROWS).step_by(rows);
    starts
        .map(|start| {
            let columns = (0..COLUMNS).map(|column| {
                let rows = start..TOTAL_ROWS.min(start + rows);
                let values = rows.map(|row| (row as i64).wrapping_mul(2_654_435_761) + column as i64);
                Arc::new(values.collect::<Int64Array>()) as ArrayRef
            });
            RecordBatch::try_new(schema(), columns.collect())
        })
        .collect()
}

/// The table in memory, sent by either encoder.
#[derive(Default)]
struct Source {
    /// By rows of a batch, made when first asked for.
    batches: Mutex<HashMap<usize, Arc<Vec<RecordBatch>>>>,
}

impl Source {
    fn stream(&self, rows: usize) -> Result<impl Stream<Item = RecordBatch> + Send + use<>, Status> {
        let mut made = self
            .batches
            .lock()
            .map_err(|_| Status::internal("making the batches panicked"))?;
        let batches = match made.entry(rows) {
            Entry::Occupied(entry) => Arc::clone(entry.get()),
            Entry::Vacant(entry) => {
                let batches = batches(rows).map_err(|error| Status::internal(error.to_string()))?;
                Arc::clone(entry.insert(Arc::new(batches)))
            }
        };
        Ok(stream::iter(
            (0..batches.len()).map(move |at| batches[at].clone()),
        ))
    }
}

/// Rows of a batch and bytes of a message, if `ticket` asks for `encoder`.
fn parse(ticket: &Ticket, encoder: &str) -> Result<Option<(usize, usize)>, Status> {
    let malformed = || Status::invalid_argument("ticket is not `frames|encoder ROWS BYTES`");
    let text = std::str::from_utf8(&ticket.ticket).map_err(|_| malformed())?;
    let [found, rows, bytes] = text.split(' ').collect::<Vec<_>>()[..] else {
        return Err(malformed());
    };
    let number = |text: &str| text.parse().map_err(|_| malformed());
    Ok(if found == encoder {
        Some((number(rows)?, number(bytes)?))
    } else {
        None
    })
}

#[async_trait]
impl DoGet for Source {
    async fn do_get_frames(&self, request: Request<Ticket>) -> Result<Response<FrameStream>, Status> {
        let Some((rows, message_bytes)) = parse(request.get_ref(), "frames")? else {
            return Err(Status::invalid_argument("expected a ticket `frames ROWS BYTES`"));
        };
        let encoder = FrameEncoder::try_new(&schema(), message_bytes)
            .map_err(|error| Status::internal(error.message()))?;
        Ok(Response::new(frame_stream(encoder, self.stream(rows)?.map(Ok))))
    }
}

type Answer<T> = Result<Response<BoxStream<'static, Result<T, Status>>>, Status>;

#[async_trait]
impl FlightService for Source {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    async fn do_get(&self, request: Request<Ticket>) -> Answer<FlightData> {
        let Some((rows, message_bytes)) = parse(request.get_ref(), "encoder")? else {
            return Err(Status::invalid_argument("expected a ticket `encoder ROWS BYTES`"));
        };
        let messages = FlightDataEncoderBuilder::new()
            .with_schema(schema())
            .with_max_flight_data_size(message_bytes)
            .build(self.stream(rows)?.map(Ok::<_, FlightError>));
        Ok(Response::new(messages.map_err(Status::from).boxed()))
    }

    async fn handshake(&self, _: Request<Streaming<HandshakeRequest>>) -> Answer<HandshakeResponse> {
        Err(Status::unimplemented("handshake"))
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Answer<FlightInfo> {
        Err(Status::unimplemented("list_flights"))
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        Err(Status::unimplemented("get_flight_info"))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented("poll_flight_info"))
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        Err(Status::unimplemented("get_schema"))
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Answer<PutResult> {
        Err(Status::unimplemented("do_put"))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Answer<FlightData> {
        Err(Status::unimplemented("do_exchange"))
    }

    async fn do_action(&self, _: Request<Action>) -> Answer<arrow_flight::Result> {
        Err(Status::unimplemented("do_action"))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Answer<ActionType> {
        Err(Status::unimplemented("list_actions"))
    }
}
