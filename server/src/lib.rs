//! warpflight: an Arrow Flight SQL server.
//!
//! The modules stand in the order in which a query meets them.

pub mod config;
pub mod error;
pub mod flight;
