//! warpflight: an Arrow Flight SQL server.
//!
//! The modules stand in the order in which a query meets them.

pub mod catalog;
pub mod cli;
pub mod config;
pub mod core;
pub mod error;
pub mod flight;
