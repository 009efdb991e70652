//! The result of a query as one stream. In: a `FlightInfo` and its endpoints. Out: batches as they
//! arrive: endpoint after endpoint if the server says that their order matters, else side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightEndpoint, FlightInfo};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use tonic::transport::Channel;

use super::super::failure::{Failure, FailureKind, Outcome};
use super::headers::{Headers, flight};
use super::{ConnectOptions, Target};

/// A location that means "ask where you asked before".
const REUSE_CONNECTION: &str = "arrow-flight-reuse-connection:";

/// A result on its way.
pub struct Rows {
    batches: BoxStream<'static, Outcome<RecordBatch>>,
    received_bytes: Arc<AtomicU64>,
    /// How many rows the server announced, if it did.
    pub total_rows: Option<u64>,
}

impl Rows {
    pub(super) async fn open(
        info: &FlightInfo,
        here: &FlightServiceClient<Channel>,
        headers: &mut Headers,
        options: &ConnectOptions,
    ) -> Outcome<Self> {
        let received_bytes = Arc::new(AtomicU64::new(0));
        let mut streams = Vec::new();
        for endpoint in &info.endpoint {
            let mut client = match elsewhere(endpoint) {
                None => here.clone(),
                Some(uri) => flight(connect_elsewhere(uri, options).await?),
            };
            let ticket = endpoint.ticket.clone().unwrap_or_default();
            let request = headers.request(ticket);
            let open = async move { client.do_get(request).await };
            streams.push((open, received_bytes.clone()));
        }
        let streams = streams.into_iter().map(|(open, received)| {
            stream::once(async move {
                let data = open.await.map_err(|e| Failure::from_status(&e))?.into_inner();
                let counted = data.map_err(FlightError::from).inspect_ok(move |message| {
                    let bytes = message.data_header.len() + message.data_body.len();
                    received.fetch_add(bytes as u64, Ordering::Relaxed);
                });
                Ok(batches(FlightRecordBatchStream::new_from_flight_data(counted)))
            })
            .try_flatten()
            .boxed()
        });
        let batches = match info.ordered {
            true => stream::iter(streams.collect::<Vec<_>>()).flatten().boxed(),
            false => stream::select_all(streams).boxed(),
        };
        Ok(Self {
            batches,
            received_bytes,
            total_rows: u64::try_from(info.total_records).ok(),
        })
    }

    /// The next batch. The first one may have no rows: it brings the schema.
    pub async fn next(&mut self) -> Option<Outcome<RecordBatch>> {
        self.batches.next().await
    }

    /// What came over the wire so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }
}

/// The batches of one endpoint; a single empty one if it has none, for the schema's sake.
fn batches(stream: FlightRecordBatchStream) -> BoxStream<'static, Outcome<RecordBatch>> {
    stream::try_unfold((stream, false), |(mut stream, any)| async move {
        match stream.try_next().await.map_err(|e| decode_failure(&e))? {
            Some(batch) => Ok(Some((batch, (stream, true)))),
            None if any => Ok(None),
            None => Ok(stream
                .schema()
                .cloned()
                .map(|schema| (RecordBatch::new_empty(schema), (stream, true)))),
        }
    })
    .boxed()
}

fn decode_failure(e: &FlightError) -> Failure {
    match e {
        FlightError::Tonic(status) => Failure::from_status(status),
        other => Failure::query(format!("the server's data cannot be read: {other}")),
    }
}

/// The first location of an endpoint, unless it means this connection.
fn elsewhere(endpoint: &FlightEndpoint) -> Option<&str> {
    let here = |uri: &str| uri.is_empty() || uri.starts_with(REUSE_CONNECTION);
    if endpoint.location.iter().any(|location| here(&location.uri)) {
        return None;
    }
    endpoint.location.first().map(|location| location.uri.as_str())
}

async fn connect_elsewhere(uri: &str, options: &ConnectOptions) -> Outcome<Channel> {
    let target = Target::parse(uri).map_err(|e| {
        Failure::new(
            FailureKind::Connection,
            format!("the server sends us to a place not known here: {e}"),
        )
    })?;
    if options.target.tls && !target.tls {
        return Err(Failure::new(
            FailureKind::Connection,
            format!(
                "the server sends us to {} without TLS: refused, the session has TLS",
                target.display
            ),
        ));
    }
    target.connect(&options.trust).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_flight::Location;

    #[test]
    fn locations() {
        let at = |uris: &[&str]| FlightEndpoint {
            location: uris
                .iter()
                .map(|uri| Location {
                    uri: (*uri).to_owned(),
                })
                .collect(),
            ..Default::default()
        };
        assert_eq!(elsewhere(&at(&[])), None);
        assert_eq!(elsewhere(&at(&["arrow-flight-reuse-connection://?"])), None);
        assert_eq!(elsewhere(&at(&["grpc://a:1", ""])), None);
        assert_eq!(elsewhere(&at(&["grpc://a:1", "grpc://b:1"])), Some("grpc://a:1"));
    }
}
