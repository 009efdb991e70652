//! TCP connections with deadlines, as both endpoints accept them.
//!
//! In: an address to listen on, accepted streams. Out: [`Connection`]s, which close themselves when
//! the client says nothing for too long or the server ends, and which tell when they are gone. It
//! does not know what is spoken over them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use crate::error::{Error, Result};

/// How long a client may take for its first bytes: an HTTP/2 preface, a TLS hello, a request line.
pub const FIRST_BYTES_TIMEOUT: Duration = Duration::from_secs(10);

/// How long accepting pauses where the process or the machine has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that the kernel holds for us before they are accepted.
const BACKLOG: u32 = 1024;

/// Listens on an address. `option` is the one that chose it, for the message.
///
/// # Errors
/// `Sql` if the address cannot be listened on: the message says why and how to choose another.
pub fn bind(address: SocketAddr, option: &str) -> Result<TcpListener> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Else a restart has to wait until the kernel forgets the connections of the old process.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| refused(address, option, &error))
}

fn refused(address: SocketAddr, option: &str, error: &io::Error) -> Error {
    let (flag, variable) = (option.replace('_', "-"), option.to_ascii_uppercase());
    let another = SocketAddr::new(address.ip(), address.port().saturating_add(10));
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => format!("port {} is taken by another process", address.port()),
        io::ErrorKind::PermissionDenied => format!("port {} needs more privileges", address.port()),
        io::ErrorKind::AddrNotAvailable => format!("this machine has no address {}", address.ip()),
        _ => error.to_string(),
    };
    Error::sql(format!(
        "cannot listen on {address}: {why}; choose another with --{flag} {another}, WARPFLIGHT_{variable} or \
         {option} in the configuration file"
    ))
}

/// What handlers know of the connection that a request came over.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// Unique in this process, from 1.
    pub id: u64,
    /// The client's end.
    pub peer: SocketAddr,
    /// Cancelled when the connection is gone, whoever closed it.
    pub closed: CancellationToken,
}

/// How many connections are open, shared by all who ask.
#[derive(Debug, Clone, Default)]
pub struct ConnectionCount(Arc<AtomicUsize>);

impl ConnectionCount {
    /// Connections that are open now.
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, until the guard is dropped; `None` where that would be more than `max` (0: no limit).
    fn enter(&self, max: usize) -> Option<CountGuard> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        let guard = CountGuard(self.clone());
        (max == 0 || before < max).then_some(guard)
    }
}

#[derive(Debug)]
struct CountGuard(ConnectionCount);

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What connections of one endpoint have in common.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Connections at once; 0 is no limit.
    pub connections_max: usize,
    /// Bytes that must arrive within `first_bytes_timeout` of the connection.
    pub first_bytes: usize,
    /// How long they may take.
    pub first_bytes_timeout: Duration,
    /// How long a connection may then be silent; `None` is for ever.
    pub idle_timeout: Option<Duration>,
    /// Cuts all connections when cancelled.
    pub cut: CancellationToken,
}

/// Turns accepted streams into [`Connection`]s.
#[derive(Debug)]
pub struct Gate {
    rules: Rules,
    count: ConnectionCount,
}

impl Gate {
    /// A gate with its own count.
    pub fn new(rules: Rules) -> Self {
        let count = ConnectionCount::default();
        Self { rules, count }
    }

    /// The connections that are open.
    pub fn count(&self) -> ConnectionCount {
        self.count.clone()
    }

    /// The stream as a connection; `None`, and the stream closed, if there are too many.
    pub fn admit(&self, stream: TcpStream) -> Option<Connection> {
        // A client that is gone already has no address any more.
        let peer = stream.peer_addr().ok()?;
        let Some(counted) = self.count.enter(self.rules.connections_max) else {
            tracing::warn!(
                peer = %peer,
                connections_max = self.rules.connections_max,
                "connection closed: there are too many"
            );
            return None;
        };
        Some(Connection::new(stream, peer, counted, &self.rules))
    }

    /// What to do about an error of `accept`: how long to wait before the next try. An endpoint never ends by one.
    pub fn accept_pause(error: &io::Error) -> Duration {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, TimedOut};
        match error.kind() {
            ConnectionAborted | ConnectionReset | BrokenPipe | Interrupted | TimedOut => Duration::ZERO,
            _ => {
                tracing::warn!(%error, "cannot accept connections for now");
                ACCEPT_PAUSE
            }
        }
    }
}

/// A TCP stream with its deadlines.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    info: ConnectionInfo,
    silence: Silence,
    cut: CancellationToken,
    cut_wait: Pin<Box<WaitForCancellationFutureOwned>>,
    _counted: CountGuard,
    _closes: DropGuard,
}

impl Connection {
    fn new(stream: TcpStream, peer: SocketAddr, counted: CountGuard, rules: &Rules) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let closed = CancellationToken::new();
        Self {
            stream,
            info: ConnectionInfo {
                id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
                peer,
                closed: closed.clone(),
            },
            silence: Silence::new(rules),
            cut: rules.cut.clone(),
            cut_wait: Box::pin(rules.cut.clone().cancelled_owned()),
            _counted: counted,
            _closes: closed.drop_guard(),
        }
    }

    /// Its number, its peer, and when it is gone.
    pub fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    fn is_cut(&self) -> io::Result<()> {
        match self.cut.is_cancelled() {
            true => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the server ends",
            )),
            false => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.is_cut()?;
        let filled = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(result) => {
                self.silence.heard(buf.filled().len() - filled);
                Poll::Ready(result)
            }
            Poll::Pending => {
                if self.cut_wait.as_mut().poll(cx).is_ready() {
                    self.is_cut()?;
                }
                self.silence.poll_too_long(cx).map(|()| {
                    tracing::debug!(peer = %self.info.peer, connection = self.info.id, "closed: silent for too long");
                    Err(io::Error::new(io::ErrorKind::TimedOut, "the client is silent"))
                })
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.is_cut()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_cut()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Measures how long the other side has said nothing.
#[derive(Debug)]
struct Silence {
    first_bytes_missing: usize,
    idle_timeout: Option<Duration>,
    heard_at: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Silence {
    fn new(rules: &Rules) -> Self {
        Self {
            first_bytes_missing: rules.first_bytes,
            idle_timeout: rules.idle_timeout,
            heard_at: Instant::now(),
            alarm: Box::pin(tokio::time::sleep(rules.first_bytes_timeout)),
        }
    }

    fn heard(&mut self, bytes: usize) {
        let was_missing = self.first_bytes_missing > 0;
        self.first_bytes_missing = self.first_bytes_missing.saturating_sub(bytes);
        if self.idle_timeout.is_some() {
            self.heard_at = Instant::now();
        }
        if let (true, 0, Some(idle)) = (was_missing, self.first_bytes_missing, self.idle_timeout) {
            self.alarm.as_mut().reset(self.heard_at + idle);
        }
    }

    /// Ready when the deadline has passed. The alarm is not moved by every read: when it rings, it is set to where it
    /// should be by then.
    fn poll_too_long(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.first_bytes_missing > 0 {
            return self.alarm.as_mut().poll(cx);
        }
        let Some(idle) = self.idle_timeout else {
            return Poll::Pending;
        };
        while self.alarm.as_mut().poll(cx).is_ready() {
            let deadline = self.heard_at + idle;
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    fn rules() -> Rules {
        Rules {
            connections_max: 0,
            first_bytes: 4,
            first_bytes_timeout: Duration::from_millis(200),
            idle_timeout: None,
            cut: CancellationToken::new(),
        }
    }

    /// A client's end and the server's.
    async fn pair(gate: &Gate) -> (TcpStream, Option<Connection>) {
        let listener = bind(loopback(), "listen").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (client, gate.admit(stream))
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_the_way_out() {
        let first = bind(loopback(), "http_listen").unwrap();
        let address = first.local_addr().unwrap();
        let message = bind(address, "http_listen").unwrap_err().to_string();
        assert!(
            message.contains(&format!("port {} is taken", address.port())),
            "{message}"
        );
        assert!(message.contains("--http-listen 127.0.0.1:"), "{message}");
        assert!(message.contains("WARPFLIGHT_HTTP_LISTEN"), "{message}");
    }

    #[tokio::test]
    async fn a_silent_client_is_closed_and_one_that_dribbles_too() {
        let gate = Gate::new(rules());
        let (mut client, connection) = pair(&gate).await;
        let mut connection = connection.unwrap();
        let dribble = tokio::spawn(async move {
            for byte in [1u8, 2, 3] {
                client.write_all(&[byte]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(90)).await;
            }
            client
        });
        let started = Instant::now();
        let mut bytes = [0; 4];
        let error = connection.read_exact(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(
            started.elapsed() < Duration::from_millis(400),
            "{:?}",
            started.elapsed()
        );
        dribble.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_spoke_may_be_silent_for_the_idle_timeout_only() {
        let mut rules = rules();
        rules.idle_timeout = Some(Duration::from_millis(300));
        let gate = Gate::new(rules);
        let (mut client, connection) = pair(&gate).await;
        let mut connection = connection.unwrap();
        let mut bytes = [0; 4];
        for pause_ms in [0, 150, 150, 150] {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            client.write_all(b"four").await.unwrap();
            connection.read_exact(&mut bytes).await.unwrap();
        }
        let error = connection.read_exact(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn without_an_idle_timeout_a_client_that_spoke_may_be_silent() {
        let gate = Gate::new(rules());
        let (mut client, connection) = pair(&gate).await;
        let mut connection = connection.unwrap();
        client.write_all(b"four").await.unwrap();
        let mut bytes = [0; 4];
        connection.read_exact(&mut bytes).await.unwrap();
        let more = tokio::time::timeout(Duration::from_millis(400), connection.read_exact(&mut bytes)).await;
        assert!(more.is_err(), "closed too early: {more:?}");
    }

    #[tokio::test]
    async fn too_many_are_closed_and_the_count_goes_back() {
        let mut rules = rules();
        rules.connections_max = 1;
        let gate = Gate::new(rules);
        let (_first_client, first) = pair(&gate).await;
        let first = first.unwrap();
        let (mut second_client, second) = pair(&gate).await;
        assert!(second.is_none());
        assert_eq!(second_client.read(&mut [0; 1]).await.unwrap(), 0, "not closed");
        let closed = first.info().closed;
        assert_eq!((gate.count().now(), closed.is_cancelled()), (1, false));
        drop(first);
        assert_eq!((gate.count().now(), closed.is_cancelled()), (0, true));
        assert!(pair(&gate).await.1.is_some());
    }

    #[tokio::test]
    async fn a_cut_ends_reads_and_writes() {
        let rules = rules();
        let cut = rules.cut.clone();
        let gate = Gate::new(rules);
        let (_client, connection) = pair(&gate).await;
        let mut connection = connection.unwrap();
        let reading = async { connection.read(&mut [0; 1]).await.unwrap_err().kind() };
        let (kind, ()) = tokio::join!(reading, async { cut.cancel() });
        assert_eq!(kind, io::ErrorKind::ConnectionAborted);
        assert!(connection.write(b"x").await.is_err());
    }
}
