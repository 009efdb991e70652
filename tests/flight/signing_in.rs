//! Who may connect: users and passwords, bearer tokens and their lifetime, TLS, and where the server listens at all.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tonic::Code;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use warpflight_tests::certificates::Certificates;
use warpflight_tests::client::{Client, base64};
use warpflight_tests::server::Options;
use warpflight_tests::target::server_binary;

use crate::tpch_server;

/// The password of every user in these tests.
pub const PASSWORD: &str = "correct horse";

/// Its hash, from `warpflight hash-password`.
pub fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let mut child = Command::new(server_binary())
            .args(["hash-password", "--stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        writeln!(stdin, "{PASSWORD}").expect("it reads the password");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
        let hash = String::from_utf8(output.stdout)
            .expect("a hash is text")
            .trim()
            .to_owned();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        hash
    })
}

/// A `[[user]]` entry.
pub fn user(name: &str, rights: &str) -> String {
    format!(
        "[[user]]\nname = \"{name}\"\npassword_hash = \"{}\"\n{rights}\n",
        password_hash()
    )
}

/// With one user who reads everything, `ana`.
pub fn with_users(options: Options) -> Options {
    options.config(&user("ana", "read = [\"*\"]"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_without_credentials() {
    let server = with_users(tpch_server()).start();
    let mut client = Client::connect(&server).await;
    for authorization in [
        None,
        Some("Bearer made-up"),
        Some("Bearer "),
        Some("Basic !!!"),
        Some("Digest x"),
        Some(""),
    ] {
        if let Some(authorization) = authorization {
            client.set_header("authorization", authorization);
        }
        let status = client.rows("select 1").await.expect_err("it is refused");
        assert_eq!(
            status.code(),
            Code::Unauthenticated,
            "{authorization:?}: {status}"
        );
        let status = client
            .action("CreatePreparedStatement", Vec::new())
            .await
            .expect_err("it is refused");
        assert_eq!(
            status.code(),
            Code::Unauthenticated,
            "{authorization:?}: {status}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_password() {
    let server = with_users(tpch_server()).start();
    let mut client = Client::connect(&server).await;
    let wrong = client.sign_in("ana", "wrong").await.expect_err("it is refused");
    let unknown = client
        .sign_in("nobody", "wrong")
        .await
        .expect_err("it is refused");
    assert_eq!(
        (wrong.code(), unknown.code()),
        (Code::Unauthenticated, Code::Unauthenticated)
    );
    let without_name = |status: &tonic::Status, name: &str| status.message().replace(name, "");
    assert_eq!(
        without_name(&wrong, "ana"),
        without_name(&unknown, "nobody"),
        "they tell whether a name exists"
    );
    assert!(!server.log().contains("wrong\""), "the password is in the log");
    client
        .sign_in("ana", PASSWORD)
        .await
        .expect("the right password is good");
    assert_eq!(client.value("select 1").await.expect("it may ask"), "1");
    assert!(!server.log().contains(PASSWORD), "the password is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn user_and_password_without_a_handshake() {
    let server = with_users(tpch_server()).start();
    let mut client = Client::connect(&server).await;
    client.set_header(
        "authorization",
        &format!("Basic {}", base64(&format!("ana:{PASSWORD}"))),
    );
    assert_eq!(
        client
            .value("select 1")
            .await
            .expect("Basic is good for every request"),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_expire_but_what_runs_goes_on() {
    let server = with_users(tpch_server())
        .args(["--token-lifetime", "600ms"])
        .start();
    let mut client = Client::connect(&server).await;
    client
        .sign_in("ana", PASSWORD)
        .await
        .expect("the password is right");
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        client
            .value("select 1")
            .await
            .expect("a token lives from its last use");
    }
    let mut running = client
        .stream("select value from generate_series(1, 30000000)")
        .await
        .expect("a query runs");
    running.message().await.expect("it has begun");
    tokio::time::sleep(Duration::from_millis(900)).await;
    let status = client.rows("select 1").await.expect_err("the token has expired");
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert!(status.message().contains("expired"), "{status}");
    while running.message().await.expect("the query goes on").is_some() {}
    client
        .sign_in("ana", PASSWORD)
        .await
        .expect("one can sign in again");
    assert_eq!(client.value("select 1").await.expect("with a new token"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_on_many_connections_each_with_a_session() {
    let server = with_users(tpch_server()).start();
    let mut first = Client::connect(&server).await;
    let token = first
        .sign_in("ana", PASSWORD)
        .await
        .expect("the password is right");
    first
        .update("create table t as select 1 as a")
        .await
        .expect("a table can be made");
    let mut second = Client::connect(&server).await;
    second.set_header("authorization", &format!("Bearer {token}"));
    assert_eq!(
        second
            .value("select 1")
            .await
            .expect("the token is good here too"),
        "1"
    );
    second
        .rows("select * from t")
        .await
        .expect_err("a token is not a session");
}

fn tls(certificates: &Certificates) -> ClientTlsConfig {
    ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(certificates.pem("ca.pem")))
        .domain_name("localhost")
}

async fn answer(port: u16, tls: ClientTlsConfig) -> Result<String, String> {
    let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{port}")).expect("the address is a URL");
    let endpoint = endpoint.tls_config(tls).map_err(|error| format!("{error:?}"))?;
    let mut client = Client::connect_endpoint(endpoint)
        .await
        .map_err(|error| format!("{error:?}"))?;
    client
        .value("select 1")
        .await
        .map_err(|status| format!("{status:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_an_authority_of_ones_own() {
    let certificates = Certificates::new();
    let server = Options::new().args(certificates.server_args()).start();
    assert_eq!(
        answer(server.port(), tls(&certificates)).await.as_deref(),
        Ok("1")
    );
    let strangers = Certificates::new();
    answer(server.port(), tls(&strangers))
        .await
        .expect_err("another authority did not sign it");
    let plain =
        Endpoint::from_shared(format!("http://127.0.0.1:{}", server.port())).expect("the address is a URL");
    let plain = async {
        Client::connect_endpoint(plain)
            .await
            .ok()?
            .value("select 1")
            .await
            .ok()
    };
    assert_eq!(plain.await, None, "it speaks TLS only");
}

#[tokio::test(flavor = "multi_thread")]
async fn mutual_tls() {
    let certificates = Certificates::new();
    let authority = certificates.path("ca.pem").display().to_string();
    let server = Options::new()
        .args(certificates.server_args())
        .args(["--tls-client-ca", &authority])
        .start();
    answer(server.port(), tls(&certificates))
        .await
        .expect_err("a certificate is required");
    let own = |from: &Certificates| Identity::from_pem(from.pem("client.pem"), from.pem("client.key"));
    assert_eq!(
        answer(server.port(), tls(&certificates).identity(own(&certificates)))
            .await
            .as_deref(),
        Ok("1")
    );
    let strangers = Certificates::new();
    answer(server.port(), tls(&certificates).identity(own(&strangers)))
        .await
        .expect_err("a stranger's is not");
}

/// On other addresses than loopback it takes both TLS and authentication, or the word `insecure`.
#[test]
fn where_it_listens() {
    let certificates = Certificates::new();
    let everywhere = || Options::new().args(["--listen", "0.0.0.0:0"]);
    let refusals = [
        everywhere().refused(),
        everywhere().args(certificates.server_args()).refused(),
        with_users(everywhere()).refused(),
        Options::new().args(["--listen", "[::]:0"]).refused(),
    ];
    for refusal in refusals {
        assert!(
            refusal.status.is_some_and(|status| !status.success()),
            "{refusal:?}"
        );
        for word in ["listen", "insecure"] {
            assert!(
                refusal.stderr.contains(word),
                "expected {word:?} in {}",
                refusal.stderr
            );
        }
    }
    with_users(everywhere()).args(certificates.server_args()).start();
    everywhere().args(["--insecure-listen", "true"]).start();
}

#[test]
fn unusable_certificates() {
    let certificates = Certificates::new();
    let path = |name: &str| certificates.path(name).display().to_string();
    let (certificate, key, missing) = (path("server.pem"), path("server.key"), path("missing.pem"));
    let cases = [
        (vec!["--tls-cert", &certificate], "tls_key"),
        (vec!["--tls-key", &key], "tls_cert"),
        (vec!["--tls-cert", &missing, "--tls-key", &key], "missing.pem"),
        (vec!["--tls-cert", &key, "--tls-key", &key], "tls_cert"),
        (
            vec!["--tls-cert", &certificate, "--tls-key", &certificate],
            "tls_key",
        ),
    ];
    for (args, word) in cases {
        let refusal = Options::new().args(&args).refused();
        assert!(
            refusal.stderr.contains(word),
            "{args:?}: expected {word:?} in {}",
            refusal.stderr
        );
    }
}
