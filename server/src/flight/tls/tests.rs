use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::config::tables::UserEntry;

const DAY: Duration = Duration::from_secs(86_400);

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    fn write(&self, name: &str, text: &str) -> Option<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        Some(path)
    }

    /// Options with a good pair.
    fn good(&self) -> SecurityOptions {
        let (cert, key) = pair();
        SecurityOptions {
            tls_cert: self.write("cert.pem", &cert),
            tls_key: self.write("key.pem", &key),
            ..SecurityOptions::default()
        }
    }
}

fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["localhost".into()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    (cert.pem(), key.serialize_pem())
}

fn refusal(options: &SecurityOptions) -> String {
    read(options).unwrap_err().to_string()
}

#[test]
fn none_configured_is_no_tls() {
    assert!(server_config(&SecurityOptions::default()).unwrap().is_none());
}

#[test]
fn a_good_pair_with_client_authorities() {
    let files = Files::new();
    let mut options = files.good();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    options.tls_client_ca = files.write("ca.pem", &authority.pem());
    let found = read(&options).unwrap().unwrap();
    assert_eq!((found.chain_length, found.client_authorities), (1, 1));
    assert!(server_config(&options).unwrap().is_some());
}

#[test]
fn one_of_two_files_is_refused() {
    let files = Files::new();
    let good = files.good();
    let only_cert = SecurityOptions {
        tls_key: None,
        ..good.clone()
    };
    assert_eq!(
        refusal(&only_cert),
        "option tls_cert: needs tls_key, which is not set"
    );
    let only_key = SecurityOptions {
        tls_cert: None,
        ..good.clone()
    };
    assert_eq!(
        refusal(&only_key),
        "option tls_key: needs tls_cert, which is not set"
    );
    let only_ca = SecurityOptions {
        tls_client_ca: good.tls_cert,
        ..SecurityOptions::default()
    };
    assert!(refusal(&only_ca).starts_with("option tls_client_ca: needs tls_cert and tls_key"));
}

#[test]
fn wrong_files_are_named_with_what_was_found() {
    let files = Files::new();
    let good = files.good();
    let (other_cert, _) = pair();
    let text_of = |path: &Option<PathBuf>| fs::read_to_string(path.as_ref().unwrap()).unwrap();
    let (cert, key) = (text_of(&good.tls_cert), text_of(&good.tls_key));
    let damaged = cert.replacen("MII", "M*I", 1);
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let nonsense = "-----BEGIN CERTIFICATE-----\nMTIzNDU2\n-----END CERTIFICATE-----\n";
    let cases: [(&str, &str, &str); 8] = [
        ("tls_cert", "", "found no PEM section, expected certificates"),
        ("tls_cert", &key, "found a private key, expected certificates"),
        ("tls_cert", &damaged, "damaged PEM file"),
        ("tls_cert", nonsense, "not a usable certificate"),
        ("tls_cert", &other_cert, "is not the key of the certificate in"),
        ("tls_key", "", "found no key, expected a private key"),
        ("tls_key", &cert, "found a certificate, expected a private key"),
        (
            "tls_key",
            &encrypted,
            "found an encrypted key, expected a private key",
        ),
    ];
    for (option, text, expected) in cases {
        let mut options = good.clone();
        let path = files.write("wrong.pem", text);
        match option {
            "tls_cert" => options.tls_cert = path,
            _ => options.tls_key = path,
        }
        let message = refusal(&options);
        assert!(message.contains(expected), "{option}: {message}");
        assert!(message.contains("wrong.pem"), "{message}");
    }
    let missing = SecurityOptions {
        tls_cert: Some("/nowhere/cert.pem".into()),
        ..good
    };
    assert!(
        refusal(&missing).starts_with("option tls_cert: /nowhere/cert.pem: "),
        "{}",
        refusal(&missing)
    );
}

fn found_valid(from: (i32, u8, u8), to: (i32, u8, u8)) -> TlsFiles {
    let files = Files::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
    params.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
    let options = SecurityOptions {
        tls_cert: files.write("cert.pem", &params.self_signed(&key).unwrap().pem()),
        tls_key: files.write("key.pem", &key.serialize_pem()),
        ..SecurityOptions::default()
    };
    read(&options).unwrap().unwrap()
}

#[test]
fn validity_is_read_and_warned_about() {
    let files = found_valid((2020, 1, 1), (2020, 12, 31));
    let Validity {
        not_before,
        not_after,
    } = files.validity.unwrap();
    assert_eq!(not_before, SystemTime::UNIX_EPOCH + 18_262 * DAY);
    assert_eq!(not_after, SystemTime::UNIX_EPOCH + 18_627 * DAY);
    assert_eq!(files.warning(not_before + DAY), None);
    assert_eq!(
        files.warning(not_after - 3 * DAY).unwrap(),
        "the TLS certificate expires in 3 days"
    );
    assert!(
        files
            .warning(not_after + 5 * DAY)
            .unwrap()
            .contains("expired 5 days ago")
    );
    assert!(
        files
            .warning(not_before - 2 * DAY)
            .unwrap()
            .contains("becomes valid in 2 days")
    );

    // Beyond 2049 the other form of time is used.
    let long = found_valid((2020, 1, 1), (2100, 1, 1)).validity.unwrap();
    assert_eq!(long.not_after, SystemTime::UNIX_EPOCH + 47_482 * DAY);
}

#[test]
fn garbage_has_no_validity() {
    for bytes in [
        &[][..],
        &[0x30],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        &[0x30, 2, 0x30, 0],
    ] {
        assert_eq!(Validity::of(bytes), None, "{bytes:?}");
    }
}

#[test]
fn only_loopback_without_tls_and_users() {
    let files = Files::new();
    let at = |address: &str| {
        let mut config = Config::default();
        config.server.listen = address.parse::<SocketAddr>().unwrap();
        config
    };
    for address in ["127.0.0.1:1", "127.3.2.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        check_listen(&at(address)).unwrap();
    }
    for address in ["0.0.0.0:1", "[::]:1", "192.168.1.4:1"] {
        let message = check_listen(&at(address)).unwrap_err().to_string();
        assert!(
            message.contains("tls_cert and tls_key") && message.contains("[[user]]"),
            "{message}"
        );
        assert!(message.contains("insecure_listen"), "{message}");
    }
    let mut config = at("0.0.0.0:1");
    config.security = files.good();
    let message = check_listen(&config).unwrap_err().to_string();
    assert!(
        !message.contains("tls_cert") && message.contains("[[user]]"),
        "{message}"
    );
    config.users.push(UserEntry {
        name: "ana".into(),
        password_hash: String::new(),
        read: Vec::new(),
        files: false,
        write: false,
        admin: false,
    });
    check_listen(&config).unwrap();
    config.security = SecurityOptions {
        insecure_listen: true,
        ..SecurityOptions::default()
    };
    config.users.clear();
    check_listen(&config).unwrap();
}
