//! The gRPC health service (`grpc.health.v1.Health`).
//!
//! In: whether the server drains. Out: SERVING or NOT_SERVING for the server as a whole (the empty
//! name) and for the Flight service, also to those who watch.

use std::future::Future;

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;

/// The services that have a status.
const SERVICES: [&str; 2] = ["", "arrow.flight.protocol.FlightService"];

/// The service, serving until `drain_started` is over. Within a tokio runtime.
pub async fn service(drain_started: impl Future<Output = ()> + Send + 'static) -> HealthServer<impl Health> {
    let (reporter, server) = tonic_health::server::health_reporter();
    set_all(&reporter, ServingStatus::Serving).await;
    tokio::spawn(async move {
        drain_started.await;
        set_all(&reporter, ServingStatus::NotServing).await;
    });
    server
}

async fn set_all(reporter: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        reporter.set_service_status(service, status).await;
    }
}
