//! The 22 TPC-H queries, with the specification's validation parameters, at scale 0.1: asked through ADBC, each
//! result equal to DuckDB's on the same Parquet files. Again at scale 0.01 wholly on an
//! emulated GPU.

#![allow(
    clippy::print_stdout,
    reason = "how many rows were equal stands in a test's output"
)]

use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::json;
use warpflight_tests::data;
use warpflight_tests::python::run_check;
use warpflight_tests::server::{Options, Server};

const SCALE: &str = "0.1";
const DEVICE_SCALE: &str = "0.01";

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

/// The same queries at a smaller scale on a server that runs them wholly on a device, here the emulated one.
fn device_server() -> Arc<Server> {
    static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let options = Options::new()
            .data(data::tpch(DEVICE_SCALE))
            .env("WARPFLIGHT_DEVICE", "sim")
            .env("WARPFLIGHT_FALLBACK_MODE", "raise");
        let server = Arc::new(options.start());
        *shared = Arc::downgrade(&server);
        server
    })
}

fn compare_on_device(query: &str) {
    let server = device_server();
    let setup = json!({ "url": server.url(), "data": data::tpch(DEVICE_SCALE), "query": query });
    print!("{}", run_check("tpch/compare.py", "query", &setup));
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

mod on_device {
    use super::compare_on_device;

    macro_rules! queries {
        ($($query:ident)*) => {
            $(#[test]
            fn $query() {
                compare_on_device(stringify!($query));
            })*
        };
    }

    queries! {
        q01 q02 q03 q04 q05 q06 q07 q08 q09 q10 q11 q12 q13 q14 q15 q16 q17 q18 q19 q20 q21 q22
    }
}

queries! {
    q01 q02 q03 q04 q05 q06 q07 q08 q09 q10 q11 q12 q13 q14 q15 q16 q17 q18 q19 q20 q21 q22
}
