//! The HTTP endpoint: `/metrics`, `/health`, `/ready`, and a status page at `/`.
//!
//! In: the metrics, and a [`StatusSource`] for the rest. Out: answers to GET. It asks nobody who they are:
//! so statements, users and names of tables are shown only where the Flight endpoint asks nobody either, on
//! loopback, to a browser that was given that address; everybody else sees counts.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::config::sections::ServerOptions;
use crate::error::{Error, Result};
use crate::observe::metrics::Metrics;
use crate::observe::shutdown::Shutdown;
use crate::socket::{self, Connection, FIRST_BYTES_TIMEOUT, Gate, Rules};

mod page;
mod status;
pub use status::{Phase, QueryRow, QueryState, Status, StatusSource};

/// Connections at once: a few scrapers, probes and browsers.
const CONNECTIONS_MAX: usize = 128;

/// The length of the shortest request line, `GET / HTTP/1.1` and its line end.
const REQUEST_LINE_BYTES: usize = 16;

/// How long a connection may be silent between requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// A bound port that is not answered on yet.
#[derive(Debug)]
pub struct HttpListener {
    tcp: TcpListener,
    address: SocketAddr,
    gate: Gate,
}

/// Listens on `options.http_listen`. Within a tokio runtime.
///
/// # Errors
/// `Sql` if the port cannot be had: the message names it and how to choose another.
pub fn bind(options: &ServerOptions, shutdown: &Shutdown) -> Result<HttpListener> {
    let tcp = socket::bind(options.http_listen, "http_listen")?;
    let address = tcp
        .local_addr()
        .map_err(|error| Error::internal(format!("address of the listening socket: {error}")))?;
    let gate = Gate::new(Rules {
        connections_max: CONNECTIONS_MAX,
        first_bytes: REQUEST_LINE_BYTES,
        first_bytes_timeout: FIRST_BYTES_TIMEOUT,
        idle_timeout: Some(IDLE_TIMEOUT),
        cut: shutdown.cut_token(),
    });
    Ok(HttpListener { tcp, address, gate })
}

impl HttpListener {
    /// The address that clients reach: with the port that was chosen where the option said 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl axum::serve::Listener for HttpListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            match self.tcp.accept().await {
                Ok((stream, peer)) => {
                    if let Some(connection) = self.gate.admit(stream) {
                        return (connection, peer);
                    }
                }
                Err(error) => tokio::time::sleep(Gate::accept_pause(&error)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Answers until the shutdown says stop.
///
/// # Errors
/// `Internal` if the endpoint fails as a whole.
pub async fn serve(
    listener: HttpListener,
    source: Arc<dyn StatusSource>,
    metrics: Arc<Metrics>,
    shutdown: &Shutdown,
) -> Result<()> {
    let routes = router(Endpoint {
        loopback: listener.address.ip().is_loopback(),
        source,
        metrics,
    });
    axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown.stopped())
        .await
        .map_err(|error| Error::internal(format!("HTTP endpoint: {error}")))
}

#[derive(Clone)]
struct Endpoint {
    source: Arc<dyn StatusSource>,
    metrics: Arc<Metrics>,
    loopback: bool,
}

fn router(endpoint: Endpoint) -> Router {
    Router::new()
        .route("/", get(whole_page))
        .route("/status", get(page_content))
        .route("/metrics", get(metrics))
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                "not here: try /, /metrics, /health or /ready\n",
            )
        })
        .with_state(endpoint)
}

impl Endpoint {
    /// Whether this request may see more than counts.
    fn shows_detail(&self, headers: &HeaderMap) -> bool {
        self.loopback && self.source.anybody_may_ask() && names_an_address(headers)
    }
}

/// Whether the request was made to an address or to localhost. A web page elsewhere can make a browser ask us under
/// its own name (DNS rebinding) and read the answer; that name is then in `Host`.
fn names_an_address(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || bare.parse::<IpAddr>().is_ok()
}

async fn whole_page(State(endpoint): State<Endpoint>, headers: HeaderMap) -> Response {
    let status = endpoint.source.status();
    let nonce = match page::nonce() {
        Ok(nonce) => nonce,
        Err(error) => return failure(&error),
    };
    let html = page::whole(
        &status,
        endpoint.source.phase(),
        endpoint.shows_detail(&headers),
        &nonce,
    );
    // Even if text of a user's got past the escaping, it could load and run nothing.
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    ([(header::CONTENT_SECURITY_POLICY, policy)], uncached(Html(html))).into_response()
}

async fn page_content(State(endpoint): State<Endpoint>, headers: HeaderMap) -> Response {
    let status = endpoint.source.status();
    let html = page::content(&status, endpoint.source.phase(), endpoint.shows_detail(&headers));
    uncached(Html(html)).into_response()
}

fn uncached(body: impl IntoResponse) -> impl IntoResponse {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body)
}

async fn metrics(State(endpoint): State<Endpoint>) -> Response {
    match endpoint.metrics.render() {
        Ok(text) => (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            text,
        )
            .into_response(),
        Err(error) => failure(&error),
    }
}

fn failure(error: &Error) -> Response {
    tracing::error!(%error, "HTTP endpoint");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
}

async fn ready(State(endpoint): State<Endpoint>) -> Response {
    let phase = endpoint.source.phase();
    let code = match phase {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, format!("{}\n", phase.word())).into_response()
}

#[cfg(test)]
mod tests;
