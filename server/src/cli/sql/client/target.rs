//! Where to connect and how. In: a URL and TLS flags. Out: an open channel.

use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use url::Url;

use super::super::failure::{Failure, FailureKind, Outcome, causes};

/// The port of a URL that names none.
const DEFAULT_PORT: u16 = 32010;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What the server may send ahead of what was read, for a stream and for a connection.
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;

/// How to check the server's certificate.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// PEM certificates to trust in place of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// Trust whatever the server shows.
    pub skip_verify: bool,
}

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As the user would write it, without credentials.
    pub display: String,
    /// As tonic takes it.
    http: String,
    /// Whether TLS is used.
    pub tls: bool,
    /// User and password, if the URL has them.
    pub user_info: Option<(String, Option<String>)>,
}

impl Target {
    /// Reads `grpc://`, `grpc+tcp://`, `grpc+tls://`, `http://` or `https://`.
    pub fn parse(text: &str) -> Outcome<Self> {
        let expected = "expected grpc://HOST:PORT, or grpc+tls://HOST:PORT for TLS";
        let wrong = |why: String| Failure::usage(format!("found URL {text:?}: {why}; {expected}"));
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("it has no scheme".into()))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "grpc" | "grpc+tcp" | "http" => false,
            "grpc+tls" | "grpcs" | "https" => true,
            other => return Err(wrong(format!("{other} is no scheme known here"))),
        };
        // Schemes that the standard knows get its rules for hosts.
        let url = Url::parse(&format!("{}://{rest}", if tls { "https" } else { "http" }))
            .map_err(|e| wrong(e.to_string()))?;
        let host = url.host_str().ok_or_else(|| wrong("it has no host".into()))?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(wrong("nothing may follow the port".into()));
        }
        // The parser drops the port that is HTTP's own default: ask the text.
        let said = rest
            .rsplit_once('@')
            .map_or(rest, |(_, address)| address)
            .trim_end_matches('/');
        let port = match url.port() {
            Some(port) => Some(port),
            None if said.ends_with(":80") || said.ends_with(":443") => url.port_or_known_default(),
            None => None,
        }
        .unwrap_or(DEFAULT_PORT);
        let decode = |s: &str| percent_decode_str(s).decode_utf8_lossy().into_owned();
        let user_info =
            (!url.username().is_empty()).then(|| (decode(url.username()), url.password().map(decode)));
        Ok(Self {
            display: format!("{}://{host}:{port}", if tls { "grpc+tls" } else { "grpc" }),
            http: format!("{}://{host}:{port}", if tls { "https" } else { "http" }),
            tls,
            user_info,
        })
    }

    /// Opens a connection.
    pub async fn connect(&self, trust: &Trust) -> Outcome<Channel> {
        let failed = |e: &tonic::transport::Error| {
            let hint = match causes(e) {
                why if self.tls
                    && (why.contains("corrupt message") || why.contains("InvalidContentType")) =>
                {
                    format!("{why} (does the server use TLS? without it the URL begins with grpc://)")
                }
                why if why.contains("UnknownIssuer") => {
                    format!("{why} (pass the certificate of who signed it with --ca-file)")
                }
                why => why,
            };
            Failure::new(
                FailureKind::Connection,
                format!("cannot connect to {}: {hint}", self.display),
            )
        };
        let mut endpoint = Endpoint::from_shared(self.http.clone())
            .and_then(|e| e.user_agent(concat!("warpflight-sql/", env!("CARGO_PKG_VERSION"))))
            .map_err(|e| failed(&e))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(Some(Duration::from_secs(60)))
            .http2_keep_alive_interval(Duration::from_secs(30))
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        if self.tls {
            endpoint = with_tls(endpoint, trust).map_err(|e| failed(&e))?;
        }
        endpoint.connect().await.map_err(|e| failed(&e))
    }
}

fn with_tls(endpoint: Endpoint, trust: &Trust) -> Result<Endpoint, tonic::transport::Error> {
    let config = ClientTlsConfig::new();
    if trust.skip_verify {
        return endpoint.tls_config_with_verifier(config, Arc::new(TrustAnyone::new()));
    }
    endpoint.tls_config(match &trust.ca_pem {
        Some(pem) => config.ca_certificate(Certificate::from_pem(pem)),
        None => config.with_native_roots(),
    })
}

/// Takes any certificate, but still checks that the server holds its key.
#[derive(Debug)]
struct TrustAnyone(CryptoProvider);

impl TrustAnyone {
    fn new() -> Self {
        Self(rustls::crypto::ring::default_provider())
    }
}

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, display, http) in [
            ("grpc://localhost:1", "grpc://localhost:1", "http://localhost:1"),
            ("grpc+tcp://a.b", "grpc://a.b:32010", "http://a.b:32010"),
            ("GRPC+TLS://a.b:443/", "grpc+tls://a.b:443", "https://a.b:443"),
            ("https://a.b", "grpc+tls://a.b:32010", "https://a.b:32010"),
            ("http://u:p@a:80", "grpc://a:80", "http://a:80"),
            ("grpc://[::1]:9", "grpc://[::1]:9", "http://[::1]:9"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(
                (target.display.as_str(), target.http.as_str()),
                (display, http),
                "{text}"
            );
        }
        let user = Target::parse("grpc://an%40a:p%3Aw@h").unwrap().user_info;
        assert_eq!(user, Some(("an@a".into(), Some("p:w".into()))));
        for bad in [
            "localhost:32010",
            "ftp://x",
            "grpc://",
            "grpc://h:99999",
            "grpc://h/db",
            "grpc://h?x=1",
        ] {
            let failure = Target::parse(bad).unwrap_err();
            assert_eq!(failure.exit_code(), 2);
            assert!(failure.message.contains(bad), "{failure}");
        }
    }
}
