//! Tests of the whole server: what they share.
//!
//! A test starts the real binary ([`server::Server`]), talks to it as clients do ([`client::Client`], or a
//! Python script by [`python::run_check`]) and looks at it from outside (its log, its metrics, its memory).

pub mod certificates;
pub mod client;
pub mod data;
pub mod http;
pub mod python;
pub mod server;
pub mod slt;
pub mod target;
