//! `warpflight health`: asks a running server whether it is ready. For probes in images that have no other HTTP client.
//!
//! In: the address of the HTTP endpoint. Out: its word for its state, or why there is none.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::{Error, Result};

const TIMEOUT: Duration = Duration::from_secs(3);

/// No more of an answer is read.
const ANSWER_BYTES_MAX: u64 = 4096;

/// The state of the server whose HTTP endpoint is at this address: `ready`.
///
/// # Errors
/// `Unavailable` if nothing answers there, if what answers is no warpflight, or if it starts or drains.
pub fn ask(http_listen: SocketAddr) -> Result<String> {
    let address = reachable(http_listen);
    let failed = |why: &dyn std::fmt::Display| {
        Error::unavailable(format!("no warpflight answers at {address}: {why}"))
    };
    let answer = exchange(address).map_err(|error| failed(&error))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let (code, state) = (head.split(' ').nth(1).unwrap_or_default(), body.trim());
    match (code, state) {
        ("200", "ready") => Ok(state.to_owned()),
        ("503", "starting" | "draining") => Err(Error::unavailable(format!(
            "the warpflight at {address} is {state}"
        ))),
        _ => Err(failed(&"another program does")),
    }
}

fn exchange(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// An address to connect to, where the server listens on all of them.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server of one answer.
    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /ready HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn ready_or_why_not() {
        assert_eq!(
            ask(answering("HTTP/1.1 200 OK\r\nx: y\r\n\r\nready\n")).unwrap(),
            "ready"
        );
        let message = |answer| ask(answering(answer)).unwrap_err().to_string();
        assert!(message("HTTP/1.1 503 Service Unavailable\r\n\r\ndraining\n").ends_with("is draining"));
        assert!(message("HTTP/1.1 200 OK\r\n\r\nhello").ends_with("another program does"));
        assert!(message("garbage").ends_with("another program does"));
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(
            ask(free)
                .unwrap_err()
                .message()
                .starts_with("no warpflight answers at 127.0.0.1:")
        );
    }

    #[test]
    fn all_addresses_are_reached_at_loopback() {
        for (listen, reached) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
