//! Ports, TLS and users.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::finding::Finding;
use super::health;
use crate::config::Config;
use crate::flight::tls::{self, TlsFiles};
use crate::security::password;
use crate::socket;

const SECTION: &str = "Configuration";

/// Within a tokio runtime.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![port(config, "listen", config.server.listen)];
    match config.server.http {
        true if config.server.http_listen == config.server.listen => {
            let finding = Finding::of(SECTION, "http_listen");
            let found = format!("{}, the same as listen", config.server.http_listen);
            findings.push(finding.missing(found, "choose another port for one of them"));
        }
        true => findings.push(port(config, "http_listen", config.server.http_listen)),
        false => findings.push(Finding::of(SECTION, "http_listen").ok("off")),
    }
    findings.push(tls_files(config));
    findings.push(users(config));
    if let Err(error) = tls::check_listen(config) {
        let (found, advice) = error
            .message()
            .split_once("; ")
            .unwrap_or((error.message(), "configure that"));
        findings.push(Finding::of(SECTION, "exposure").missing(found, advice));
    } else if config.security.insecure_listen && !config.server.listen.ip().to_canonical().is_loopback() {
        let found = "insecure_listen: anybody on the network can read what is served, or read along";
        findings.push(Finding::of(SECTION, "exposure").warn(found, "configure TLS and users instead"));
    }
    findings
}

fn port(config: &Config, option: &'static str, address: SocketAddr) -> Finding {
    let finding = Finding::of(SECTION, option);
    match socket::bind(address, option) {
        Ok(_closed_again) => finding.ok(format!("{address} is free")),
        Err(error) => {
            let (found, advice) = error
                .message()
                .split_once("; ")
                .unwrap_or((error.message(), "choose another"));
            match config.server.http.then(|| health::ask(config.server.http_listen)) {
                Some(Ok(answer)) => finding.missing(
                    format!("{found}: a warpflight server that is {answer} runs here"),
                    advice,
                ),
                _ => finding.missing(found, advice),
            }
        }
    }
}

fn tls_files(config: &Config) -> Finding {
    let finding = Finding::of(SECTION, "TLS");
    match tls::read(&config.security) {
        Err(error) => finding.missing(error.message(), "mend it: `serve` will not start with it"),
        Ok(None) => finding.ok("off"),
        Ok(Some(files)) => match files.warning(SystemTime::now()) {
            Some(warning) => finding.warn(warning, "renew it"),
            None => finding.ok(described(&files)),
        },
    }
}

fn described(files: &TlsFiles) -> String {
    let until = files.validity.map_or_else(String::new, |validity| {
        let time: chrono::DateTime<chrono::Utc> = validity.not_after.into();
        format!(", valid until {}", time.format("%Y-%m-%d"))
    });
    let clients = match files.client_authorities {
        0 => "",
        _ => ", client certificates required",
    };
    let plural = if files.chain_length == 1 { "" } else { "s" };
    format!("{} certificate{plural}{until}{clients}", files.chain_length)
}

fn users(config: &Config) -> Finding {
    let finding = Finding::of(SECTION, "users");
    let broken = config.users.iter().find_map(|user| {
        let error = password::check_format(&user.password_hash).err()?;
        Some(format!("[[user]] {:?}: {error}", user.name))
    });
    match (broken, config.users.len()) {
        (Some(found), _) => finding.missing(found, "that user cannot log in: put in a hash that works"),
        (None, 0) => finding.ok("none: anybody who reaches the port may ask"),
        (None, count) => finding.ok(format!("{count}, authentication is on")),
    }
}
