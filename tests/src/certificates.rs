//! Certificates for TLS tests: an authority, a server's certificate, a client's, as PEM files in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// See the module.
#[derive(Debug)]
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// New ones, signed by a new authority.
    ///
    /// # Panics
    /// If they cannot be made or written.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut params = CertificateParams::new(Vec::new()).expect("no names are fine");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "tests' authority");
        let authority = CertifiedIssuer::self_signed(params, new_key()).expect("a certificate can be signed");
        fs::write(folder.path().join("ca.pem"), authority.pem()).expect("a file can be written");
        write_signed(
            folder.path(),
            "server",
            ExtendedKeyUsagePurpose::ServerAuth,
            &authority,
        );
        write_signed(
            folder.path(),
            "client",
            ExtendedKeyUsagePurpose::ClientAuth,
            &authority,
        );
        Self { folder }
    }

    /// The path of `ca.pem`, `server.pem`, `server.key`, `client.pem` or `client.key`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The text of one of these files.
    pub fn pem(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("certificates are text")
    }

    /// The arguments with which a server uses them.
    pub fn server_args(&self) -> [String; 4] {
        let path = |name| self.path(name).display().to_string();
        [
            "--tls-cert".into(),
            path("server.pem"),
            "--tls-key".into(),
            path("server.key"),
        ]
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

fn write_signed(
    folder: &Path,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
    authority: &CertifiedIssuer<'_, KeyPair>,
) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).expect("the names are well-formed");
    params.extended_key_usages = vec![usage];
    params.distinguished_name.push(DnType::CommonName, name);
    let key = new_key();
    let certificate = params
        .signed_by(&key, authority)
        .expect("a certificate can be signed");
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("a file can be written");
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).expect("a file can be written");
}
