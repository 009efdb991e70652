//! warpflight: an Arrow Flight SQL server.
//!
//! The modules stand in the order in which a query meets them.

pub mod cli;
pub mod error;
pub mod security;
pub mod tpch;
