//! warpflight: an Arrow Flight SQL server.
//!
//! The modules stand in the order in which a query meets them.

pub mod catalog;
pub mod cli;
pub mod config;
pub mod core;
pub mod error;
pub mod error_datafusion;
pub mod flight;
pub mod observe;
pub mod query;
pub mod random;
pub mod security;
pub mod session;
pub mod socket;
pub mod sql;
pub mod tpch;
