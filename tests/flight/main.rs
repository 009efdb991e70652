//! The server as its users meet it: real clients, wrong input, load, operation.

#![allow(clippy::print_stdout, reason = "what was measured stands in a test's output")]

mod aggregates;
mod bad_input;
mod both;
mod cancel;
mod clients;
mod codes;
mod command_line;
mod configuration;
mod device;
mod files;
mod joins;
mod kept_plans;
mod limits;
mod memory;
mod narrow_keys;
mod nested_columns;
mod nesting;
mod operation;
mod partitions;
mod pinned;
mod rights;
mod scans;
mod seek_joins;
mod sessions;
mod shutdown;
mod signing_in;
mod swaps;
mod text;
mod tickets;
mod verify;
mod windows;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use warpflight_tests::data;
use warpflight_tests::server::{Options, Server};

/// TPC-H scale of the tables that tests ask for.
const SCALE: &str = "0.01";

/// A server with the TPC-H tables, shared by the tests that run at the moment: for those that leave no trace.
fn shared_server() -> Arc<Server> {
    static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(tpch_server().start());
        *shared = Arc::downgrade(&server);
        server
    })
}

/// A server with the TPC-H tables.
fn tpch_server() -> Options {
    Options::new().data(data::tpch(SCALE))
}
