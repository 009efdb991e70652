use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Empty, Ticket};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use http::HeaderValue;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, async_trait};

use super::super::{DoGet, DoGetService, FrameEncoder, FrameStream, frame_stream, http2};
use super::batch_of;

/// Stands where the generated service stands, and refuses.
#[derive(Clone)]
struct Behind;

impl Service<http::Request<Body>> for Behind {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        std::future::ready(Ok(Status::unimplemented(request.uri().path()).into_http()))
    }
}

struct Handler;

#[async_trait]
impl DoGet for Handler {
    async fn do_get_frames(&self, request: Request<Ticket>) -> Result<Response<FrameStream>, Status> {
        let column: ArrayRef = Arc::new((0..100_000).collect::<Int64Array>());
        let batch = batch_of(vec![column], 100_000);
        let encoder = FrameEncoder::try_new(batch.schema_ref(), 1 << 20).unwrap();
        let batches = stream::repeat(batch).map(Ok).take(4);
        let frames = match &request.get_ref().ticket[..] {
            b"all" => frame_stream(encoder, batches),
            b"error midway" => frame_stream(
                encoder,
                batches.chain(stream::iter([Err(Status::data_loss("lost é"))])),
            ),
            b"never ends" => frame_stream(encoder, stream::repeat_with(|| Err(Status::aborted("once")))),
            _ => return Err(Status::not_found("no such ticket")),
        };
        let mut response = Response::new(frames);
        let echo = request.metadata().get("x-from-client").cloned();
        response.metadata_mut().insert(
            "x-from-server",
            echo.ok_or_else(|| Status::internal("no metadata"))?,
        );
        Ok(response)
    }
}

async fn connect() -> FlightServiceClient<Channel> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let service = DoGetService::new(Arc::new(Handler), Behind);
    tokio::spawn(http2::server().add_service(service).serve_with_incoming(incoming));
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    FlightServiceClient::new(endpoint.connect().await.unwrap())
}

fn request(ticket: &'static str) -> Request<Ticket> {
    let mut request = Request::new(Ticket::new(ticket));
    request
        .metadata_mut()
        .insert("x-from-client", "hello".parse().unwrap());
    request
}

#[tokio::test]
async fn do_get_is_answered_here() {
    let response = connect().await.do_get(request("all")).await.unwrap();
    assert_eq!(response.metadata().get("x-from-server").unwrap(), "hello");
    let messages: Vec<_> = response.into_inner().try_collect().await.unwrap();
    assert_eq!(messages.len(), 5, "schema and four batches");
    assert!(
        messages[1..]
            .iter()
            .all(|message| message.data_body.len() == 800_000)
    );
}

#[tokio::test]
async fn an_error_midway_is_the_status_of_the_call() {
    let messages = connect()
        .await
        .do_get(request("error midway"))
        .await
        .unwrap()
        .into_inner();
    let (sent, failed): (Vec<_>, Vec<_>) = messages
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!((sent.len(), failed.len()), (5, 1));
    let status = failed[0].as_ref().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DataLoss, "lost é"));
}

#[tokio::test]
async fn an_error_ends_the_stream() {
    let messages = connect()
        .await
        .do_get(request("never ends"))
        .await
        .unwrap()
        .into_inner();
    let messages = tokio::time::timeout(Duration::from_secs(10), messages.collect::<Vec<_>>())
        .await
        .unwrap();
    assert_eq!(messages.len(), 2, "schema and error");
}

#[tokio::test]
async fn a_refused_ticket_is_the_status_of_the_call() {
    let status = connect().await.do_get(request("unknown")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "no such ticket")
    );
}

#[tokio::test]
async fn other_methods_go_to_the_service_behind() {
    let status = connect().await.list_actions(Empty {}).await.unwrap_err();
    assert_eq!(
        status.message(),
        "/arrow.flight.protocol.FlightService/ListActions"
    );
}

/// The status of a DoGet whose request has this body and `grpc-encoding`.
async fn refusal(body: &'static [u8], encoding: Option<&'static str>) -> Status {
    let body = Body::new(axum::body::Body::from(body));
    let mut request = http::Request::post("/arrow.flight.protocol.FlightService/DoGet")
        .body(body)
        .unwrap();
    if let Some(encoding) = encoding {
        request
            .headers_mut()
            .insert("grpc-encoding", HeaderValue::from_static(encoding));
    }
    let mut service = DoGetService::new(Arc::new(Handler), Behind);
    let response = service.call(request).now_or_never().unwrap().unwrap();
    Status::from_header_map(response.headers()).unwrap()
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    assert_eq!(refusal(b"", None).await.code(), Code::Internal);
    assert_eq!(
        refusal(b"\0\0\0\0\x02\xff\xff", None).await.code(),
        Code::InvalidArgument
    );
    assert_eq!(
        refusal(b"\0\xff\xff\xff\xff", None).await.code(),
        Code::OutOfRange
    );
    assert_eq!(
        refusal(b"\0\0\0\0\0", Some("gzip")).await.code(),
        Code::Unimplemented
    );
    // An empty ticket is a ticket: the handler says that it knows none such.
    assert_eq!(
        refusal(b"\0\0\0\0\0", Some("identity")).await.code(),
        Code::NotFound
    );
}
