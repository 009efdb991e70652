//! What is known of a query while it runs and for a while after.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::observe::metrics::QueryMeter;
use crate::session::lock;
use crate::sql::Kind;

/// How far a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for its turn.
    Queued,
    /// Is being planned.
    Planning,
    /// Computes and sends.
    Running,
    /// Ended well.
    Finished,
    /// Ended with an error, a cancel or a timeout among them.
    Failed,
}

/// One query.
pub struct Record {
    /// Its id, on every log line of it and in its ticket.
    pub id: String,
    /// Who asked.
    pub user: String,
    /// In which session.
    pub session: String,
    /// What was asked.
    pub statement: Arc<str>,
    /// What kind of statement it is.
    pub kind: Kind,
    /// When it was asked to run.
    pub started: Instant,
    /// Rows returned or changed so far.
    pub rows: AtomicU64,
    /// Bytes returned so far, as they lie in memory.
    pub bytes: AtomicU64,
    /// Cancelled to stop it.
    pub cancel: CancellationToken,
    progress: Mutex<Progress>,
}

struct Progress {
    meter: Option<QueryMeter>,
    state: State,
    error: Option<Error>,
    ended: Option<Instant>,
    admitted: Option<Instant>,
    cancelled_by: Option<String>,
    expired: Option<Duration>,
}

impl Record {
    /// A query that begins now.
    pub fn new(
        id: String,
        user: String,
        session: String,
        statement: Arc<str>,
        kind: Kind,
        meter: QueryMeter,
    ) -> Self {
        let progress = Progress {
            meter: Some(meter),
            state: State::Queued,
            error: None,
            ended: None,
            admitted: None,
            cancelled_by: None,
            expired: None,
        };
        Self {
            id,
            user,
            session,
            statement,
            kind,
            started: Instant::now(),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            cancel: CancellationToken::new(),
            progress: Mutex::new(progress),
        }
    }

    /// Its turn came.
    pub fn admitted(&self) {
        let mut progress = lock(&self.progress);
        progress.state = State::Planning;
        progress.admitted = Some(Instant::now());
        if let Some(meter) = &progress.meter {
            meter.waited(self.started.elapsed());
        }
    }

    /// Its plan is made.
    pub fn planned(&self) {
        let mut progress = lock(&self.progress);
        progress.state = State::Running;
        if let (Some(meter), Some(admitted)) = (&progress.meter, progress.admitted) {
            meter.planned(admitted.elapsed());
        }
    }

    /// Rows of it go out; the bytes sent so far.
    pub fn add(&self, rows: u64, bytes: u64) -> u64 {
        if let Some(meter) = &mut lock(&self.progress).meter {
            meter.sent(rows, bytes);
        }
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Stops it, saying why.
    pub fn stop(&self, why: &str) {
        lock(&self.progress)
            .cancelled_by
            .get_or_insert_with(|| why.to_owned());
        self.cancel.cancel();
    }

    /// Stops it because it ran for longer than it may.
    pub fn expire(&self, limit: Duration) {
        lock(&self.progress).expired.get_or_insert(limit);
        self.cancel.cancel();
    }

    /// The error of a query that was stopped.
    pub fn stopped(&self) -> Error {
        let progress = lock(&self.progress);
        if let Some(limit) = progress.expired {
            let limit_ms = limit.as_millis();
            return Error::timeout(format!(
                "query {}: ran longer than query_timeout allows, {limit_ms} ms",
                self.id
            ));
        }
        let why = progress.cancelled_by.clone();
        Error::cancelled(format!(
            "query {}: {}",
            self.id,
            why.unwrap_or_else(|| "cancelled".into())
        ))
    }

    fn end(&self, outcome: Result<(), Error>) {
        let mut progress = lock(&self.progress);
        progress.state = if outcome.is_ok() {
            State::Finished
        } else {
            State::Failed
        };
        if let Some(meter) = progress.meter.take() {
            meter.finished(match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(error.kind()),
            });
        }
        progress.error = outcome.err();
        progress.ended = Some(Instant::now());
    }

    /// How far it is.
    pub fn state(&self) -> State {
        lock(&self.progress).state
    }

    /// What ended it, if it failed.
    pub fn error(&self) -> Option<Error> {
        lock(&self.progress).error.clone()
    }

    /// How long it took, or has taken so far.
    pub fn elapsed(&self) -> Duration {
        lock(&self.progress).ended.unwrap_or_else(Instant::now) - self.started
    }
}

/// How many ended queries are remembered.
const RECENT_MAX: usize = 200;

/// The queries that run, and the last ones that ended.
#[derive(Default)]
pub struct Records {
    running: Mutex<HashMap<String, Arc<Record>>>,
    recent: Mutex<VecDeque<Arc<Record>>>,
}

impl Records {
    /// A query begins.
    pub fn begin(&self, record: Arc<Record>) {
        lock(&self.running).insert(record.id.clone(), record);
    }

    /// A query ended.
    pub fn end(&self, record: &Arc<Record>, outcome: Result<(), Error>) {
        record.end(outcome);
        lock(&self.running).remove(&record.id);
        let mut recent = lock(&self.recent);
        recent.push_front(Arc::clone(record));
        recent.truncate(RECENT_MAX);
    }

    /// A query that runs.
    pub fn running(&self, id: &str) -> Option<Arc<Record>> {
        lock(&self.running).get(id).cloned()
    }

    /// Those that run, oldest first, then those that ended, last first.
    pub fn all(&self) -> Vec<Arc<Record>> {
        let mut all: Vec<_> = lock(&self.running).values().cloned().collect();
        all.sort_by_key(|record| record.started);
        all.extend(lock(&self.recent).iter().cloned());
        all
    }

    /// How many run or wait.
    pub fn running_count(&self) -> usize {
        lock(&self.running).len()
    }
}
