//! The 22 TPC-H queries, with the specification's validation parameters, at scale 0.1: asked through ADBC, each
//! result equal to DuckDB's on the same Parquet files.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::json;
use warpflight_tests::data;
use warpflight_tests::python::run_check;
use warpflight_tests::server::{Options, Server};

const SCALE: &str = "0.1";

/// One server for all queries that run at the moment.
fn server() -> Arc<Server> {
    static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Options::new().data(data::tpch(SCALE)).start());
        *shared = Arc::downgrade(&server);
        server
    })
}

fn compare(query: &str) {
    let server = server();
    let setup = json!({ "url": server.url(), "data": data::tpch(SCALE), "query": query });
    print!("{}", run_check("tpch/compare.py", "query", &setup));
}

macro_rules! queries {
    ($($query:ident)*) => {
        $(#[test]
        fn $query() {
            compare(stringify!($query));
        })*
    };
}

queries! {
    q01 q02 q03 q04 q05 q06 q07 q08 q09 q10 q11 q12 q13 q14 q15 q16 q17 q18 q19 q20 q21 q22
}
