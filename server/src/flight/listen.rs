//! Listening for Flight clients.
//!
//! In: the address and the connection options. Out: a bound [`Listener`], its stream of
//! [`Connection`]s for tonic, and tonic's server builder with our bounds. It does not know the services.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::{Connected, ServerTlsConfig, TcpIncoming, TlsConnectInfo};

use super::frame::http2;
use crate::config::sections::ServerOptions;
use crate::error::{Error, Result};
use crate::socket::{self, Connection, ConnectionCount, FIRST_BYTES_TIMEOUT, Gate, Rules};

pub use crate::socket::ConnectionInfo;

/// The length of the HTTP/2 preface (RFC 9113, section 3.4); a TLS hello is longer.
const PREFACE_BYTES: usize = 24;

/// The largest list of headers that one request may have, uncompressed.
const HEADER_LIST_BYTES_MAX: u32 = 32 << 10;

/// Calls that one connection may have open at once.
const CALLS_PER_CONNECTION_MAX: u32 = 1024;

/// What may pass beyond two probes before a silent connection is closed, where HTTP/2's own probes cannot:
/// before its preface, also within TLS.
const IDLE_GRACE: Duration = Duration::from_secs(10);

impl Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info()
    }
}

/// The connection that a request came over, with or without TLS.
pub fn connection_of(extensions: &http::Extensions) -> Option<ConnectionInfo> {
    extensions.get::<ConnectionInfo>().cloned().or_else(|| {
        let tls = extensions.get::<TlsConnectInfo<ConnectionInfo>>()?;
        Some(tls.get_ref().clone())
    })
}

/// tonic's server with our bounds on headers and calls, probes of idle connections, and TLS if there is any.
///
/// # Errors
/// `Sql` if rustls refuses the TLS files.
pub fn transport(options: &ServerOptions, tls: Option<ServerTlsConfig>) -> Result<Server> {
    let keepalive = options.keepalive.limit();
    let server = http2::server()
        .http2_keepalive_interval(keepalive)
        .http2_keepalive_timeout(keepalive)
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX);
    match tls {
        None => Ok(server),
        Some(tls) => server.tls_config(tls).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            Error::sql(format!("TLS: {}", cause.unwrap_or_else(|| error.to_string())))
        }),
    }
}

/// A bound port that is not accepted from yet.
#[derive(Debug)]
pub struct Listener {
    incoming: TcpIncoming,
    address: SocketAddr,
    gate: Gate,
}

/// Listens on `options.listen`. Connections are cut when `cut` is cancelled. Within a tokio runtime.
///
/// # Errors
/// `Sql` if the port cannot be had: the message names it and how to choose another.
pub fn bind(options: &ServerOptions, cut: CancellationToken) -> Result<Listener> {
    let listener = socket::bind(options.listen, "listen")?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal(format!("address of the listening socket: {error}")))?;
    let keepalive = options.keepalive.limit();
    Ok(Listener {
        incoming: TcpIncoming::from(listener)
            .with_nodelay(Some(true))
            .with_keepalive(keepalive),
        address,
        gate: Gate::new(Rules {
            connections_max: options.connections_max,
            first_bytes: PREFACE_BYTES,
            first_bytes_timeout: FIRST_BYTES_TIMEOUT,
            idle_timeout: keepalive.map(|interval| interval * 2 + IDLE_GRACE),
            cut,
        }),
    })
}

impl Listener {
    /// The address that clients reach: with the port that was chosen where the option said 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The open connections, to be asked at any time.
    pub fn connections(&self) -> ConnectionCount {
        self.gate.count()
    }

    /// The connections, for tonic's `serve_with_incoming_shutdown`. It never ends and never fails.
    pub fn incoming(self) -> Incoming {
        Incoming {
            tcp: self.incoming,
            gate: self.gate,
            pause: None,
        }
    }
}

/// Accepted connections.
#[derive(Debug)]
pub struct Incoming {
    tcp: TcpIncoming,
    gate: Gate,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Stream for Incoming {
    type Item = std::io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match std::task::ready!(Pin::new(&mut self.tcp).poll_next(cx)) {
                Some(Ok(stream)) => {
                    if let Some(connection) = self.gate.admit(stream) {
                        return Poll::Ready(Some(Ok(connection)));
                    }
                }
                // tonic ends the endpoint at errors like "too many open files"; they pass.
                Some(Err(error)) => {
                    self.pause = Some(Box::pin(tokio::time::sleep(Gate::accept_pause(&error))));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests;
