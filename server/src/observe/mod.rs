//! Watching the server run: logs, metrics, the status page, the machine, and how it ends.

pub mod http;
pub mod log;
pub mod machine;
pub mod metrics;
pub mod shutdown;
pub mod units;
