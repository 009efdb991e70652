//! The Flight SQL face: requests in, answers out. The only place that knows tonic, prost and
//! arrow-flight. It asks the query engine and does not know how queries run.

pub mod action;
pub mod answer;
pub mod caller;
pub mod command;
pub mod frame;
pub mod handshake;
pub mod health;
pub mod listen;
pub mod proto;
pub mod put;
pub mod service;
pub mod status;
pub mod ticket;
pub mod tls;
