//! warpflight: an Arrow Flight SQL server.
//!
//! The modules stand in the order in which a query meets them, one a paragraph: formatting keeps that.

pub mod cli;

pub mod config;

pub mod core;

pub mod flight;

pub mod security;

pub mod session;

pub mod query;

pub mod sql;

pub mod catalog;

pub mod offload;

pub mod pipeline;

pub mod exec;

pub mod operator;

pub mod scan;

pub mod batch;

pub mod observe;

pub mod socket;

pub mod tpch;

pub mod random;

pub mod error;

pub mod error_datafusion;

pub mod error_device;
