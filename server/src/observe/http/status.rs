//! What the status page shows, as plain values.

use std::time::Duration;

use crate::observe::metrics::Totals;

/// Who knows the state of the server.
pub trait StatusSource: Send + Sync + 'static {
    /// Whether the server takes work.
    fn phase(&self) -> Phase;
    /// Whether authentication is off. Only then are statements, users and tables shown.
    fn anybody_may_ask(&self) -> bool;
    /// The state now. Asked every two seconds by each open page, so it should be cheap.
    fn status(&self) -> Status;
}

/// Whether the server takes work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not yet.
    Starting,
    /// Yes.
    Ready,
    /// Not any more.
    Draining,
}

impl Phase {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// The state of the server at one moment.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// This program's version.
    pub version: String,
    /// How long it has been up.
    pub uptime: Duration,
    /// Where operators run, in words: `CPU, 2 threads`.
    pub device: String,
    /// Where Flight clients connect: `grpc://127.0.0.1:32010`.
    pub address: String,
    /// Names of the tables that are served.
    pub tables: Vec<String>,
    /// Queries that run or wait, then some that ended, the latest first.
    pub queries: Vec<QueryRow>,
    /// Counts and memory.
    pub totals: Totals,
}

/// One query.
#[derive(Debug, Clone)]
pub struct QueryRow {
    /// Its id, as in the logs.
    pub id: String,
    /// Who asked.
    pub user: String,
    /// Its text, whole: the page shortens it.
    pub statement: String,
    /// How far it is.
    pub state: QueryState,
    /// Milliseconds since it came.
    pub started_ms_ago: u64,
    /// Milliseconds that it took, or has taken so far.
    pub elapsed_ms: u64,
    /// Rows sent.
    pub rows: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Why it ended, if not well.
    pub error: Option<String>,
}

/// How far a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryState {
    /// Waits for its turn.
    Queued,
    /// Is being planned.
    Planning,
    /// Runs.
    Running,
    /// Ended well.
    Finished,
    /// Ended by an error.
    Failed,
    /// Was stopped.
    Cancelled,
}

impl QueryState {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it is over.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}
