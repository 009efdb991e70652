//! warpflight: an Arrow Flight SQL server.
//!
//! The modules stand in the order in which a query meets them.

pub mod cli;
pub mod config;
pub mod error;
pub mod flight;
pub mod observe;
pub mod security;
pub mod socket;
pub mod tpch;
