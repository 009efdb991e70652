use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;

use super::*;
use crate::config::Config;
use crate::config::tables::UserEntry;
use crate::core::Core;
use crate::random;
use crate::security::rights::Rights;
use crate::session::handles::PreparedStatement;

/// A server of a table `t` of two rows, and one `u`, without a GPU.
struct Served {
    folder: tempfile::TempDir,
    core: Arc<Core>,
    connections: AtomicU64,
}

impl Served {
    async fn new(most: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("t.csv"), "n\n1\n2\n");
        write(&folder.path().join("u.csv"), "m\n5\n");
        let mut config = Config::default();
        config.data.data = vec![folder.path().to_str().unwrap().to_owned()];
        config.engine.plans_kept_max = most;
        config.engine.device = crate::config::sections::DeviceChoice::Cpu;
        let core = Core::new(config, &BTreeMap::new()).await.unwrap();
        Self {
            folder,
            core,
            connections: AtomicU64::new(0),
        }
    }

    /// A new one.
    fn session(&self, rights: Rights) -> Arc<Session> {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        self.core
            .sessions
            .of_request(&Arc::new(rights), None, connection)
            .unwrap()
            .0
    }

    fn plans(&self) -> &Plans {
        self.core.engine.plans()
    }

    /// The rows of a statement, and whether its plan was kept from before.
    async fn ask(&self, session: &Arc<Session>, sql: &str) -> Result<(String, bool), String> {
        let reused = self.plans().reused();
        let statement = self.core.engine.plan(session, sql).await;
        let statement = statement.map_err(|error| error.message().to_owned())?;
        let reused = self.plans().reused() > reused;
        Ok((self.run(session, statement).await?, reused))
    }

    async fn run(&self, session: &Arc<Session>, statement: Statement) -> Result<String, String> {
        let prepared = PreparedStatement {
            statement,
            unbound: None,
            bound: Vec::new(),
        };
        let id = random::token(16).unwrap();
        let answer = self.core.engine.start(session, &prepared, id).unwrap();
        let batches: Result<Vec<RecordBatch>, _> = answer.batches.try_collect().await;
        let batches = batches.map_err(|error| error.message().to_owned())?;
        Ok(pretty_format_batches(&batches).unwrap().to_string())
    }

    /// Whether a statement is planned once for two runs.
    async fn is_kept(&self, session: &Arc<Session>, sql: &str) -> bool {
        let (_, before) = self.ask(session, sql).await.unwrap();
        assert!(!before, "{sql}");
        self.ask(session, sql).await.unwrap().1
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_is_planned_once_until_its_files_change() {
    let served = Served::new(8).await;
    let session = served.session(Rights::anonymous());
    let sql = "SELECT sum(n) AS s FROM t WHERE n > (SELECT 0 FROM u)";
    let (first, reused) = served.ask(&session, sql).await.unwrap();
    assert!(first.contains("| 3 |") && !reused, "{first}");
    assert_eq!(served.ask(&session, sql).await, Ok((first.clone(), true)));
    // So it is for others.
    let other = served.session(Rights::anonymous());
    assert_eq!(served.ask(&other, sql).await, Ok((first, true)));

    write(&served.folder.path().join("t.csv"), "n\n10\n20\n30\n");
    let (changed, reused) = served.ask(&session, sql).await.unwrap();
    assert!(changed.contains("| 60 |") && !reused, "{changed}");
    assert_eq!(served.ask(&other, sql).await, Ok((changed, true)));
    // Only the tables that it reads are looked at.
    std::fs::remove_file(served.folder.path().join("u.csv")).unwrap();
    let error = served.ask(&session, sql).await.unwrap_err();
    assert!(error.contains("table u"), "{error}");
    assert_eq!(served.plans().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_and_rights_are_those_of_who_asks() {
    let served = Served::new(8).await;
    let session = served.session(Rights::anonymous());
    let sql = "SELECT n FROM t ORDER BY n";
    assert!(served.is_kept(&session, sql).await);
    session.set_option("batch_rows", "100").unwrap();
    assert!(served.is_kept(&session, sql).await, "of its own");
    session.reset_option("batch_rows").unwrap();
    assert!(served.ask(&session, sql).await.unwrap().1);
    // An option of DataFusion's is no part of what plans are found by.
    crate::sql::setting::set(&session, "datafusion.execution.time_zone", "+02:00").unwrap();
    assert!(!served.is_kept(&session, sql).await);

    let reader = |table: &str| {
        served.session(Rights::of(&UserEntry {
            name: "reader".into(),
            password_hash: String::new(),
            read: vec![table.to_owned()],
            files: false,
            write: false,
            admin: false,
        }))
    };
    assert!(served.ask(&reader("t"), sql).await.unwrap().1);
    let error = served.ask(&reader("u"), sql).await.unwrap_err();
    assert!(error.contains("not found"), "{error}");
    // Who does not see the served table may have one of the same name.
    let session = reader("u");
    served
        .ask(&session, "CREATE TABLE t AS SELECT 77 AS n")
        .await
        .unwrap();
    let (rows, reused) = served.ask(&session, sql).await.unwrap();
    assert!(rows.contains("| 77 |") && !reused, "{rows}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_another_answer_is_not_kept() {
    let served = Served::new(8).await;
    let session = served.session(Rights::anonymous());
    for setup in [
        "CREATE TABLE own AS SELECT 7 AS n",
        "CREATE VIEW v AS SELECT n FROM t",
        "PREPARE p AS SELECT n FROM t",
    ] {
        served.ask(&session, setup).await.unwrap();
    }
    for sql in [
        "SELECT n, now() FROM t",
        "SELECT n FROM t WHERE n < (SELECT random() * 10 FROM u)",
        "SELECT n FROM t WHERE n IN (SELECT m FROM u WHERE random() < 2)",
        "SELECT current_date > date '2020-01-01' FROM t",
        "SELECT 1",
        "SELECT n FROM own",
        "SELECT n FROM t UNION ALL SELECT n FROM own",
        "SELECT n FROM v",
        "SELECT v.n FROM t JOIN v USING (n)",
        "EXECUTE p",
        "SELECT table_name FROM information_schema.tables",
        "SELECT value FROM generate_series(1, 3)",
        "SHOW TABLES",
        "DESCRIBE t",
    ] {
        assert!(!served.is_kept(&session, sql).await, "{sql}");
    }
    assert_eq!(served.plans().count(), 0);
    for sql in [
        "SELECT abs(n) FROM t",
        "WITH v AS (SELECT n FROM t) SELECT n FROM v",
        "WITH u AS (SELECT n FROM t) SELECT a.n FROM u a JOIN warpflight.public.t b ON a.n = b.n",
        "SELECT n, row_number() OVER (ORDER BY n) FROM public.t",
        "EXPLAIN SELECT n FROM t",
    ] {
        assert!(served.is_kept(&session, sql).await, "{sql}");
    }
    assert_eq!(served.plans().count(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_are_kept_and_the_last_used_stay() {
    let served = Served::new(2).await;
    let session = served.session(Rights::anonymous());
    let sql = |number: usize| format!("SELECT n + {number} FROM t");
    for (number, is_kept) in [
        (1, false),
        (2, false),
        (1, true),
        (3, false),
        (1, true),
        (2, false),
    ] {
        assert_eq!(
            served.ask(&session, &sql(number)).await.unwrap().1,
            is_kept,
            "{number}"
        );
    }
    assert_eq!(served.plans().count(), 2);
    let long = format!("SELECT n FROM t -- {}", "x".repeat(TEXT_BYTES_MAX));
    assert!(!served.is_kept(&session, &long).await);

    let none = Served::new(0).await;
    let session = none.session(Rights::anonymous());
    assert!(!none.is_kept(&session, &sql(1)).await);
    assert_eq!(none.plans().count(), 0);
}

/// A statement that was prepared, or whose ticket is redeemed late, reads the files that there are when it runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_before_is_not_run_for_files_of_now() {
    let served = Served::new(8).await;
    let session = served.session(Rights::anonymous());
    let sql = "SELECT sum(n) AS s FROM t";
    served.ask(&session, sql).await.unwrap();
    let statement = served.core.engine.plan(&session, sql).await.unwrap();
    let kept = served.plans().of_statement(&session, &statement).unwrap();
    assert!(kept.is_present(&session).await);
    write(&served.folder.path().join("t.csv"), "n\n100\n");
    // What was listed within the last second counts as the present.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert!(!kept.is_present(&session).await);
    let rows = served.run(&session, statement.clone()).await.unwrap();
    assert!(rows.contains("| 100 |"), "{rows}");
    // Planned again, it is another one.
    let (rows, reused) = served.ask(&session, sql).await.unwrap();
    assert!(rows.contains("| 100 |") && !reused, "{rows}");
    assert!(served.plans().of_statement(&session, &statement).is_none());
}

/// Sessions serve several requests at once, and a plan is for all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_not_kept_if_an_option_was_set_meanwhile() {
    let served = Served::new(8).await;
    let session = served.session(Rights::anonymous());
    let sql = "SELECT n FROM t";
    for (rows, kept) in [("8192", 1), ("100", 1), ("100", 2)] {
        let key = served.plans().key(&session, sql).unwrap();
        let statement = crate::sql::plan(&session, sql).await.unwrap();
        session.set_option("batch_rows", rows).unwrap();
        served.plans().keep(&session, key, &statement);
        assert_eq!(served.plans().count(), kept, "{rows}");
    }
    let sql = "SELECT n + 1 FROM t";
    let key = served.plans().key(&session, sql).unwrap();
    let statement = crate::sql::plan(&session, sql).await.unwrap();
    crate::sql::setting::set(&session, "datafusion.execution.time_zone", "+02:00").unwrap();
    served.plans().keep(&session, key, &statement);
    assert_eq!(served.plans().count(), 2);
}
