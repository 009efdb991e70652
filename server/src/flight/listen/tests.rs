use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use super::*;
use crate::observe::shutdown::Shutdown;

const SOON: Duration = Duration::from_millis(300);

/// A server with the health service alone, and what its handlers saw.
struct Served {
    address: SocketAddr,
    shutdown: Shutdown,
    connections: ConnectionCount,
    seen: mpsc::UnboundedReceiver<ConnectionInfo>,
    serving: JoinHandle<()>,
    certificate: Option<String>,
}

fn loopback() -> ServerOptions {
    ServerOptions {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..ServerOptions::default()
    }
}

async fn serve(options: ServerOptions, with_tls: bool) -> Served {
    let shutdown = Shutdown::new(Duration::from_secs(60));
    let mut listener = bind(&options, shutdown.cut_token()).unwrap();
    listener.gate = Gate::new(Rules {
        connections_max: options.connections_max,
        first_bytes: PREFACE_BYTES,
        first_bytes_timeout: SOON,
        idle_timeout: Some(2 * SOON),
        cut: shutdown.cut_token(),
    });
    let (address, connections) = (listener.address(), listener.connections());
    let identity = with_tls.then(|| {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec!["localhost".into()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        (cert.pem(), key.serialize_pem())
    });
    let tls = identity.as_ref().map(|(cert, key)| {
        ServerTlsConfig::new()
            .identity(Identity::from_pem(cert, key))
            .timeout(SOON)
    });
    let (sender, seen) = mpsc::unbounded_channel();
    let health = crate::flight::health::service(shutdown.drain_started()).await;
    let health = tonic::service::interceptor::InterceptedService::new(health, move |request: Request<()>| {
        sender.send(connection_of(request.extensions()).unwrap()).unwrap();
        Ok::<_, Status>(request)
    });
    let stopped = shutdown.stopped();
    let server = transport(&options, tls).unwrap().add_service(health);
    let serving = tokio::spawn(async move {
        server
            .serve_with_incoming_shutdown(listener.incoming(), stopped)
            .await
            .unwrap();
    });
    tokio::spawn(shutdown.clone().run());
    let certificate = identity.map(|(cert, _)| cert);
    Served {
        address,
        shutdown,
        connections,
        seen,
        serving,
        certificate,
    }
}

impl Served {
    async fn client(&self) -> HealthClient<Channel> {
        let endpoint = match &self.certificate {
            None => Endpoint::from_shared(format!("http://{}", self.address)).unwrap(),
            Some(certificate) => Endpoint::from_shared(format!("https://localhost:{}", self.address.port()))
                .unwrap()
                .tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(certificate)))
                .unwrap(),
        };
        HealthClient::new(endpoint.connect().await.unwrap())
    }

    async fn drained_within(self, limit: Duration) {
        let started = Instant::now();
        self.shutdown.start_drain();
        tokio::time::timeout(limit, self.serving)
            .await
            .expect("held up")
            .unwrap();
        assert!(started.elapsed() < limit);
    }
}

async fn status(client: &mut HealthClient<Channel>, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest {
        service: service.into(),
    };
    client
        .check(request)
        .await
        .map(|response| response.into_inner().status())
}

/// Reads until the server closes.
async fn closed_within(mut stream: TcpStream, limit: Duration) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(limit, stream.read_to_end(&mut rest)).await;
    // A reset counts as well as an orderly end.
    read.expect("still open").ok();
}

#[tokio::test]
async fn handlers_see_their_connection_and_its_end() {
    for with_tls in [false, true] {
        let mut served = serve(loopback(), with_tls).await;
        let mut first = served.client().await;
        assert_eq!(status(&mut first, "").await.unwrap(), ServingStatus::Serving);
        assert_eq!(
            status(&mut first, "arrow.flight.protocol.FlightService")
                .await
                .unwrap(),
            ServingStatus::Serving
        );
        let (one, same) = (
            served.seen.recv().await.unwrap(),
            served.seen.recv().await.unwrap(),
        );
        let mut second = served.client().await;
        status(&mut second, "").await.unwrap();
        let other = served.seen.recv().await.unwrap();
        assert_eq!(one.id, same.id);
        assert_ne!(one.id, other.id);
        assert!(one.peer.ip().is_loopback() && one.peer.port() != served.address.port());
        assert_eq!(served.connections.now(), 2);
        drop(first);
        tokio::time::timeout(SOON, one.closed.cancelled())
            .await
            .expect("not told");
        assert!(!other.closed.is_cancelled());
        assert_eq!(served.connections.now(), 1);
    }
}

#[tokio::test]
async fn clients_that_say_nothing_are_closed() {
    for with_tls in [false, true] {
        let served = serve(loopback(), with_tls).await;
        let silent = TcpStream::connect(served.address).await.unwrap();
        closed_within(silent, 3 * SOON).await;
        let mut half = TcpStream::connect(served.address).await.unwrap();
        half.write_all(b"PRI * HTTP").await.unwrap();
        closed_within(half, 3 * SOON).await;
        assert_eq!(served.connections.now(), 0);
        status(&mut served.client().await, "").await.unwrap();
    }
}

/// The preface's deadline cannot be seen from outside TLS: the limit on silence closes this one.
#[tokio::test]
async fn a_client_that_says_nothing_within_tls_is_closed() {
    let served = serve(loopback(), true).await;
    let certificate = served.certificate.clone().unwrap();
    let address = served.address;
    let end = tokio::task::spawn_blocking(move || {
        use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = std::net::TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(10 * SOON)).unwrap();
        let mut stream = rustls::StreamOwned::new(client, socket);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).map_err(|error| error.kind())
    });
    let end = end.await.unwrap();
    assert_ne!(end, Err(std::io::ErrorKind::WouldBlock), "still open");
    assert_eq!(served.connections.now(), 0);
}

#[tokio::test]
async fn an_idle_client_is_kept_by_its_probes() {
    let mut options = loopback();
    options.keepalive = crate::config::value::Duration(SOON / 2);
    let served = serve(options, false).await;
    let mut client = served.client().await;
    status(&mut client, "").await.unwrap();
    tokio::time::sleep(5 * SOON).await;
    assert_eq!(served.connections.now(), 1, "closed though it answers probes");
}

#[tokio::test]
async fn connections_over_the_limit_are_closed() {
    let mut options = loopback();
    options.connections_max = 1;
    let served = serve(options, false).await;
    let mut client = served.client().await;
    status(&mut client, "").await.unwrap();
    closed_within(TcpStream::connect(served.address).await.unwrap(), SOON / 2).await;
    status(&mut client, "").await.unwrap();
}

#[tokio::test]
async fn oversized_headers_are_refused_and_the_server_lives() {
    let served = serve(loopback(), false).await;
    let mut client = served.client().await;
    let mut request = Request::new(HealthCheckRequest::default());
    let long = "x".repeat(HEADER_LIST_BYTES_MAX as usize + 1000);
    request.metadata_mut().insert("x-long", long.parse().unwrap());
    client.check(request).await.unwrap_err();
    status(&mut served.client().await, "").await.unwrap();
}

#[tokio::test]
async fn garbage_ends_its_connection_only() {
    let served = serve(loopback(), false).await;
    let mut garbage = TcpStream::connect(served.address).await.unwrap();
    garbage
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    closed_within(garbage, SOON).await;
    status(&mut served.client().await, "").await.unwrap();
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_exit() {
    let served = serve(loopback(), false).await;
    let mut client = served.client().await;
    status(&mut client, "").await.unwrap();
    // A peer that will never answer: neither the goodbye nor anything else.
    let mut frozen = TcpStream::connect(served.address).await.unwrap();
    frozen
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    served.drained_within(Duration::from_millis(1500)).await;
}

#[tokio::test]
async fn a_health_watch_hears_of_the_drain_and_does_not_hold_the_exit() {
    let served = serve(loopback(), true).await;
    let mut client = served.client().await;
    let work = served.shutdown.enter().unwrap();
    let mut watch = client
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    served.shutdown.start_drain();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    // While work still runs, clients get an answer, also new ones.
    let mut another = served.client().await;
    assert_eq!(status(&mut another, "").await.unwrap(), ServingStatus::NotServing);
    drop(work);
    served.drained_within(Duration::from_millis(1500)).await;
}
