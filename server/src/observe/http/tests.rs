use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::observe::metrics::Totals;

struct Fake {
    phase: Mutex<Phase>,
    open: bool,
}

impl StatusSource for Fake {
    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap()
    }

    fn anybody_may_ask(&self) -> bool {
        self.open
    }

    fn status(&self) -> Status {
        sample()
    }
}

fn row(id: &str, state: QueryState, statement: &str, error: Option<&str>) -> QueryRow {
    QueryRow {
        id: id.into(),
        user: "anonymous".into(),
        statement: statement.into(),
        state,
        started_ms_ago: 12_400,
        elapsed_ms: 8_310,
        rows: 1_250_000,
        bytes: 96 << 20,
        error: error.map(str::to_owned),
    }
}

fn sample() -> Status {
    use QueryState::{Cancelled, Failed, Finished, Planning, Queued, Running};
    let revenue = "select l_returnflag, l_linestatus, sum(l_quantity), avg(l_discount), count(*)\n  from lineitem\n \
                   where l_shipdate <= date '1998-09-02'\n group by 1, 2 order by 1, 2";
    let tables =
        "customer lineitem nation orders part partsupp region supplier a_table_with_quite_a_long_name";
    Status {
        version: "0.1.0".into(),
        uptime: Duration::from_secs(93_784),
        device: "CPU (AMD EPYC 9B14), 2 threads".into(),
        address: "grpc://127.0.0.1:32010".into(),
        tables: tables.split(' ').map(str::to_owned).collect(),
        queries: vec![
            row("01JD5X3", Running, revenue, None),
            row(
                "01JD5X2",
                Planning,
                "select * from orders where o_comment like '%<script>alert(1)</script>%'",
                None,
            ),
            row(
                "01JD5X1",
                Queued,
                &format!("select {} from customer", "c_name, ".repeat(60)),
                None,
            ),
            row("01JD5X0", Finished, "select count(*) from lineitem", None),
            row(
                "01JD5WZ",
                Failed,
                "selct 1",
                Some("syntax error at line 1, column 1: found selct, expected a statement"),
            ),
            row(
                "01JD5WY",
                Cancelled,
                "select * from lineitem a, lineitem b",
                Some("cancelled by the client"),
            ),
        ],
        totals: Totals {
            queries_running: 1,
            queries_queued: 1,
            sessions: 12,
            connections: 14,
            memory_reserved_bytes: 5 << 30,
            memory_limit_bytes: 14 << 30,
            result_buffer_bytes: 12 << 20,
            footers_cached: 3,
            plans_kept: 7,
            plans_reused: 11,
            ..Totals::default()
        },
    }
}

struct Served {
    address: SocketAddr,
    source: Arc<Fake>,
    shutdown: Shutdown,
    serving: JoinHandle<Result<()>>,
}

async fn serve_on(address: &str, open: bool) -> Served {
    let options = ServerOptions {
        http_listen: address.parse().unwrap(),
        ..ServerOptions::default()
    };
    let shutdown = Shutdown::new(Duration::from_secs(60));
    let listener = bind(&options, &shutdown).unwrap();
    let address = listener.address();
    let source = Arc::new(Fake {
        phase: Mutex::new(Phase::Ready),
        open,
    });
    let status: Arc<dyn StatusSource> = source.clone();
    let metrics = Arc::new(Metrics::new("0.1.0").unwrap());
    let handle = shutdown.clone();
    let serving = tokio::spawn(async move { serve(listener, status, metrics, &handle).await });
    tokio::spawn(shutdown.clone().run());
    Served {
        address,
        source,
        shutdown,
        serving,
    }
}

impl Served {
    async fn get_as(&self, host: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.address.port()))
            .await
            .unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, path: &str) -> String {
        self.get_as(&self.address.to_string(), path).await
    }
}

const LOOPBACK: &str = "127.0.0.1:0";

#[tokio::test]
async fn health_and_readiness() {
    let served = serve_on(LOOPBACK, true).await;
    for (phase, code) in [
        (Phase::Starting, 503),
        (Phase::Ready, 200),
        (Phase::Draining, 503),
    ] {
        *served.source.phase.lock().unwrap() = phase;
        let answer = served.get("/ready").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
        assert!(answer.ends_with(&format!("{}\n", phase.word())), "{answer}");
        assert!(served.get("/health").await.starts_with("HTTP/1.1 200 "));
    }
    assert!(served.get("/nothing").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn metrics_in_prometheus_format() {
    let served = serve_on(LOOPBACK, true).await;
    let answer = served.get("/metrics").await;
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    assert!(
        answer.contains("\n# TYPE warpflight_sessions gauge\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_page_shows_queries_escaped_and_loads_nothing() {
    let served = serve_on(LOOPBACK, true).await;
    let page = served.get("/").await;
    assert!(
        page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    assert!(
        page.contains("like &#39;%&lt;script&gt;alert(1)&lt;/script&gt;%&#39;"),
        "{page}"
    );
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(page.contains("<li>lineitem</li>") && page.contains("01JD5X3"));
    assert!(!page.contains("//cdn") && !page.contains("src=\"http") && !page.contains("@import"));
    let part = served.get("/status").await;
    assert!(part.contains("01JD5X3") && !part.contains("<html"), "{part}");
}

/// What a page with counts only must not have in it.
fn is_bare(page: &str) -> bool {
    ["01JD5X3", "select", "anonymous", "lineitem", "selct"]
        .iter()
        .all(|secret| !page.contains(secret))
}

#[tokio::test]
async fn counts_only_with_authentication_beyond_loopback_and_under_foreign_names() {
    let authenticated = serve_on(LOOPBACK, false).await;
    let reachable = serve_on("0.0.0.0:0", true).await;
    let open = serve_on(LOOPBACK, true).await;
    for path in ["/", "/status"] {
        for page in [
            authenticated.get(path).await,
            reachable.get_as("127.0.0.1", path).await,
            open.get_as("evil.example", path).await,
            open.get_as("evil.example:32011", path).await,
        ] {
            assert!(
                page.starts_with("HTTP/1.1 200 ") && page.contains("Counts only."),
                "{page}"
            );
            assert!(
                is_bare(&page[page.find("<header>").unwrap()..page.rfind("</main>").unwrap()]),
                "{page}"
            );
        }
        for host in ["localhost", "localhost:1", "127.0.0.1", "[::1]:32011", "[::1]"] {
            assert!(!is_bare(&open.get_as(host, path).await), "{host}");
        }
    }
}

#[tokio::test]
async fn it_answers_while_draining_and_ends_with_open_connections() {
    let served = serve_on(LOOPBACK, true).await;
    let work = served.shutdown.enter().unwrap();
    served.shutdown.start_drain();
    assert!(served.get("/metrics").await.starts_with("HTTP/1.1 200 "));
    let _idle = TcpStream::connect(served.address).await.unwrap();
    drop(work);
    let ended = tokio::time::timeout(Duration::from_millis(1500), served.serving).await;
    ended.expect("held up by an idle connection").unwrap().unwrap();
}

#[test]
fn pages_of_a_fresh_server() {
    let page = page::content(&Status::default(), Phase::Starting, true);
    assert!(
        page.contains("None yet.") && page.contains("None are served.") && page.contains("0 B of 0 B"),
        "{page}"
    );
    let mut status = sample();
    status.tables = (0..1000).map(|number| format!("t{number}")).collect();
    assert!(page::content(&status, Phase::Ready, true).contains("and 800 more"));
}

/// For looking at the page: serves the sample for a while on the HTTP port's default.
#[tokio::test]
#[ignore = "serves the sample page for people to look at"]
async fn sample_page_to_look_at() {
    let _open = serve_on("127.0.0.1:32811", true).await;
    let _counts = serve_on("127.0.0.1:32812", false).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
}
