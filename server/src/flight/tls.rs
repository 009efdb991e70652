//! TLS from PEM files, and the rule of who may be listened to without it.
//!
//! In: the security options. Out: tonic's TLS configuration, checked file by file, so that a wrong
//! file is named at start and not at the first handshake.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use tonic::transport::server::ServerTlsConfig;
use tonic::transport::{Certificate, Identity};

use crate::config::Config;
use crate::config::sections::SecurityOptions;
use crate::error::{Error, Result};
use crate::socket::FIRST_BYTES_TIMEOUT;

mod validity;
pub use validity::Validity;

/// What is known of the TLS files after reading them.
#[derive(Debug)]
pub struct TlsFiles {
    /// The times between which the server's own certificate is valid, if it could be read.
    pub validity: Option<Validity>,
    /// Certificates in the chain.
    pub chain_length: usize,
    /// Authorities whose clients are let in; 0 if none is asked for a certificate.
    pub client_authorities: usize,
    config: ServerTlsConfig,
}

/// tonic's TLS configuration; `None` if TLS is not configured. Logs a warning about a certificate that is
/// not valid now or not for long.
///
/// # Errors
/// `Sql`, naming the option and its file: if only one of certificate and key is set, if a file cannot be read or has
/// nothing of the kind in it, or if the key does not fit the certificate.
pub fn server_config(options: &SecurityOptions) -> Result<Option<ServerTlsConfig>> {
    let Some(files) = read(options)? else {
        return Ok(None);
    };
    if let Some(warning) = files.warning(SystemTime::now()) {
        tracing::warn!("{warning}");
    }
    Ok(Some(files.config))
}

/// Reads and checks the TLS files; `None` if TLS is not configured.
///
/// # Errors
/// As [`server_config`].
pub fn read(options: &SecurityOptions) -> Result<Option<TlsFiles>> {
    let (cert, key) = match (&options.tls_cert, &options.tls_key) {
        (Some(cert), Some(key)) => (cert, key),
        (None, None) => {
            return match &options.tls_client_ca {
                None => Ok(None),
                Some(_) => Err(Error::sql(
                    "option tls_client_ca: needs tls_cert and tls_key, which are not set",
                )),
            };
        }
        (Some(_), None) => return Err(Error::sql("option tls_cert: needs tls_key, which is not set")),
        (None, Some(_)) => return Err(Error::sql("option tls_key: needs tls_cert, which is not set")),
    };
    let (cert_pem, chain) = certificates("tls_cert", cert)?;
    let (key_pem, private) = private_key(key)?;
    matching(&chain, private, cert, key)?;
    let mut config = ServerTlsConfig::new()
        .identity(Identity::from_pem(cert_pem, key_pem))
        .timeout(FIRST_BYTES_TIMEOUT);
    let mut client_authorities = 0;
    if let Some(path) = &options.tls_client_ca {
        let (ca_pem, authorities) = certificates("tls_client_ca", path)?;
        client_authorities = authorities.len();
        usable_authorities(authorities, path)?;
        config = config.client_ca_root(Certificate::from_pem(ca_pem));
    }
    Ok(Some(TlsFiles {
        validity: Validity::of(&chain[0]),
        chain_length: chain.len(),
        client_authorities,
        config,
    }))
}

impl TlsFiles {
    /// What is wrong with the time, in words.
    pub fn warning(&self, now: SystemTime) -> Option<String> {
        const SOON: Duration = Duration::from_secs(14 * 86_400);
        let Validity {
            not_before,
            not_after,
        } = self.validity?;
        let days = |length: Duration| length.as_secs() / 86_400;
        if let Ok(past) = now.duration_since(not_after) {
            return Some(format!(
                "the TLS certificate expired {} days ago: clients will refuse it",
                days(past)
            ));
        }
        if let Ok(ahead) = not_before.duration_since(now) {
            return Some(format!(
                "the TLS certificate becomes valid in {} days only: clients will refuse it",
                days(ahead)
            ));
        }
        let left = not_after.duration_since(now).ok()?;
        (left < SOON).then(|| format!("the TLS certificate expires in {} days", days(left)))
    }
}

fn file(option: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::sql(format!("option {option}: {}: {error}", path.display())))
}

/// A file's text and the certificates in it, at least one.
fn certificates(option: &str, path: &Path) -> Result<(Vec<u8>, Vec<CertificateDer<'static>>)> {
    let text = file(option, path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| damaged(option, path, &error))?;
    if found.is_empty() {
        let what = if PrivateKeyDer::from_pem_slice(&text).is_ok() {
            "a private key"
        } else {
            "no PEM section"
        };
        return Err(Error::sql(format!(
            "option {option}: {}: found {what}, expected certificates (-----BEGIN CERTIFICATE-----)",
            path.display()
        )));
    }
    Ok((text, found))
}

fn private_key(path: &Path) -> Result<(Vec<u8>, PrivateKeyDer<'static>)> {
    let text = file("tls_key", path)?;
    let wrong = |found: &str| {
        Error::sql(format!(
            "option tls_key: {}: found {found}, expected a private key (PKCS#8, PKCS#1 or SEC1, not encrypted)",
            path.display()
        ))
    };
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok((text, key)),
        Err(pem::Error::NoItemsFound) if contains(&text, "ENCRYPTED PRIVATE KEY") => {
            Err(wrong("an encrypted key"))
        }
        Err(pem::Error::NoItemsFound) if contains(&text, "BEGIN CERTIFICATE") => Err(wrong("a certificate")),
        Err(pem::Error::NoItemsFound) => Err(wrong("no key")),
        Err(error) => Err(damaged("tls_key", path, &error)),
    }
}

fn contains(text: &[u8], what: &str) -> bool {
    String::from_utf8_lossy(text).contains(what)
}

fn damaged(option: &str, path: &Path, error: &pem::Error) -> Error {
    Error::sql(format!(
        "option {option}: {}: damaged PEM file: {error}",
        path.display()
    ))
}

/// Checks that the certificate and the key make a pair.
fn matching(
    chain: &[CertificateDer<'static>],
    key: PrivateKeyDer<'static>,
    cert: &Path,
    key_path: &Path,
) -> Result<()> {
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain.to_vec(), key, &provider)
        .map(|_| ())
        .map_err(|error| {
            let why = match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!(
                        "is not the key of the certificate in {} (option tls_cert)",
                        cert.display()
                    )
                }
                rustls::Error::InvalidCertificate(reason) => {
                    return Error::sql(format!(
                        "option tls_cert: {}: not a usable certificate: {reason:?}",
                        cert.display()
                    ));
                }
                other => format!("not a usable key: {other}"),
            };
            Error::sql(format!("option tls_key: {} {why}", key_path.display()))
        })
}

fn usable_authorities(authorities: Vec<CertificateDer<'static>>, path: &Path) -> Result<()> {
    let wrong = |why: String| Error::sql(format!("option tls_client_ca: {}: {why}", path.display()));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in authorities {
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("not a usable authority: {error}")))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map(|_| ())
        .map_err(|error| wrong(error.to_string()))
}

/// Refuses to listen where strangers could read along or ask: beyond loopback only with TLS and at least one
/// user, unless `insecure_listen`. The HTTP endpoint holds no secrets, its page shows counts only there.
///
/// # Errors
/// `Sql`, saying what to configure.
pub fn check_listen(config: &Config) -> Result<()> {
    let address = config.server.listen;
    if address.ip().to_canonical().is_loopback() || config.security.insecure_listen {
        return Ok(());
    }
    let mut missing = Vec::new();
    if config.security.tls_cert.is_none() || config.security.tls_key.is_none() {
        missing.push("TLS (options tls_cert and tls_key)");
    }
    if config.users.is_empty() {
        missing.push(
            "authentication (a [[user]] in the configuration file; `warpflight hash-password` prints a hash)",
        );
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::sql(format!(
        "option listen: {address} can be reached from other machines, which needs {}; configure that, listen on \
         127.0.0.1, or set insecure_listen to serve anybody on that network",
        missing.join(" and ")
    )))
}

#[cfg(test)]
mod tests;
