//! Queries through the engine of a whole server that does not listen.

use std::collections::BTreeMap;
use std::time::Instant;

use super::*;
use crate::core::Core;
use crate::security::rights::Rights;

const QUERIES: usize = 300;

/// Whoever goes away before a thread took the query up leaves it as ended as one that ran.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_that_nobody_waits_for_end() {
    let core = Core::new(Config::default(), &BTreeMap::new()).await.unwrap();
    let rights = Arc::new(Rights::anonymous());
    let (session, _) = core.sessions.of_request(&rights, None, 1).unwrap();
    let statement = core.engine.plan(&session, "SELECT 1").await.unwrap();
    let prepared = PreparedStatement {
        statement,
        unbound: None,
        bound: Vec::new(),
    };
    for number in 0..QUERIES {
        drop(
            core.engine
                .start(&session, &prepared, number.to_string())
                .unwrap(),
        );
    }
    let begun = Instant::now();
    while core.engine.records().running_count() > 0 && begun.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(core.engine.records().running_count(), 0);
}
