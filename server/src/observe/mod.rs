//! Watching the server run: logs, metrics, the status page, the machine, and how it ends.

pub mod shutdown;
