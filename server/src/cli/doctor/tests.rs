use super::*;

const NO_TABLES: Vec<(String, Result<String>)> = Vec::new();

/// A configuration with ports that are free.
fn config() -> Config {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.http = false;
    config
}

async fn examined(config: Result<Config>, tables: Vec<(String, Result<String>)>) -> Vec<Finding> {
    examine(
        Subject {
            file: None,
            config,
            demo: false,
        },
        |_| async { Ok(tables) },
    )
    .await
}

fn found<'a>(findings: &'a [Finding], name: &str) -> &'a Finding {
    let finding = findings.iter().find(|finding| finding.name == name);
    finding.unwrap_or_else(|| panic!("no {name} in {findings:#?}"))
}

#[tokio::test]
async fn all_well() {
    let tables = vec![
        ("orders".into(), Ok("9 columns".into())),
        ("plain".into(), Ok(String::new())),
    ];
    let findings = examined(Ok(config()), tables).await;
    assert!(report::is_well(&findings), "{findings:#?}");
    for name in [
        "CPU",
        "memory",
        "memory_limit",
        "spill directory",
        "driver",
        "file",
        "listen",
        "TLS",
        "users",
    ] {
        assert!(!found(&findings, name).found.is_empty(), "{name}");
    }
    assert_eq!(found(&findings, "orders").found, "9 columns");
    assert_eq!(found(&findings, "plain").found, "can be read");
    assert!(found(&findings, "memory_limit").found.contains("60 %"));
}

#[tokio::test]
async fn what_is_missing_is_named_with_what_to_do() {
    let taken = socket_of_this_test();
    let mut config = config();
    config.server.listen = taken.local_addr().unwrap();
    config.security.tls_cert = Some("/nowhere/cert.pem".into());
    config.security.tls_key = Some("/nowhere/key.pem".into());
    config.limits.spill_directory = Some("/proc/nowhere".into());
    config.users.push(crate::config::tables::UserEntry {
        name: "ana".into(),
        password_hash: "plain".into(),
        read: Vec::new(),
        files: false,
        write: false,
        admin: false,
    });
    let broken = Err(Error::data("s3://sales/orders: no such bucket"));
    let findings = examined(Ok(config), vec![("orders".into(), broken)]).await;
    for (name, part) in [
        ("listen", "is taken by another process"),
        ("TLS", "/nowhere/cert.pem"),
        ("users", "[[user]] \"ana\""),
        ("spill directory", "/proc"),
        ("orders", "no such bucket"),
    ] {
        let finding = found(&findings, name);
        assert_eq!(finding.mark, Mark::Missing, "{finding:?}");
        assert!(
            finding.found.contains(part) && finding.advice.is_some(),
            "{finding:?}"
        );
    }
    let text = report::text(&findings);
    assert!(text.ends_with("5 missing: see the lines marked so.\n"), "{text}");
    assert!(!text.contains("plain"), "a password hash is shown: {text}");
}

fn socket_of_this_test() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap()
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_leaves_the_machine() {
    let findings = examined(Err(Error::sql("unknown key server.lisen")), NO_TABLES).await;
    assert_eq!(found(&findings, "file").found, "unknown key server.lisen");
    assert!(!report::is_well(&findings));
    assert!(found(&findings, "CPU").mark != Mark::Missing);
    assert!(findings.iter().all(|finding| finding.section != "Tables"));
}

#[tokio::test]
async fn exposure_and_equal_ports() {
    let mut config = config();
    config.server.listen = "0.0.0.0:0".parse().unwrap();
    config.server.http = true;
    config.server.http_listen = config.server.listen;
    let findings = examined(Ok(config.clone()), NO_TABLES).await;
    assert!(
        found(&findings, "exposure")
            .found
            .contains("can be reached from other machines")
    );
    assert!(
        found(&findings, "http_listen")
            .found
            .contains("the same as listen")
    );
    assert_eq!(found(&findings, "all").mark, Mark::Warn);
    config.security.insecure_listen = true;
    let findings = examined(Ok(config), NO_TABLES).await;
    assert_eq!(found(&findings, "exposure").mark, Mark::Warn);
}

#[test]
fn reports_are_aligned_and_json_is_json() {
    let findings = [
        Finding::of("One", "a").ok("fine\nand more"),
        Finding::of("Two", "longer").warn("so so", "do it"),
    ];
    let expected = "One\n  ok       a       fine\n                   and more\n\nTwo\n  warn     longer  so so\n\
                    \u{20}                  -> do it\n\n`warpflight serve` has what it needs; 1 to look at.\n";
    assert_eq!(report::text(&findings), expected);
    let value: serde_json::Value = serde_json::from_str(&report::json(&findings)).unwrap();
    assert_eq!(value["well"], true);
    assert_eq!(value["findings"][1]["mark"], "warn");
    assert_eq!(value["findings"][0]["advice"], serde_json::Value::Null);
}
