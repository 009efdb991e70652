//! A session: what one client connection (or one client that returns our cookie) has set up.
//!
//! It owns a DataFusion context, its option values, prepared statements and open results. It does
//! not know Flight, nor how statements run.

pub mod context;
pub mod handles;
pub mod store;
pub mod table;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use datafusion::prelude::SessionContext;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::config::Config;
use crate::config::session::SessionOptions;
use crate::error::{Error, Result};
use crate::random;
use crate::security::rights::Rights;
use handles::{Handles, OpenResult, PreparedStatement};
use table::TableMemory;

/// Results that are kept after their tickets were redeemed.
const REDEEMED_MAX: usize = 16;

/// See the module.
pub struct Session {
    id: String,
    rights: Arc<Rights>,
    catalog: Arc<Catalog>,
    context: SessionContext,
    config: Arc<Config>,
    options: Mutex<SessionOptions>,
    /// Whether one of DataFusion's own options was set.
    has_others: AtomicBool,
    table_memory: Arc<TableMemory>,
    prepared: Mutex<Handles<Arc<PreparedStatement>>>,
    results: Mutex<Handles<Arc<OpenResult>>>,
    /// Results whose tickets were redeemed, oldest first.
    redeemed: Mutex<VecDeque<String>>,
    closed: CancellationToken,
    started: Instant,
    last_used_ms: AtomicU64,
    /// Requests and streams that the session serves now; it is not idle while there is one.
    busy: AtomicU64,
}

impl Session {
    /// A new session of a user.
    ///
    /// # Errors
    /// `Internal` if DataFusion refuses our own configuration.
    pub fn new(config: &Arc<Config>, base: &context::Base, rights: Arc<Rights>) -> Result<Self> {
        let id = random::token(16)?;
        let context = context::of_session(config, base, &rights, &id)?;
        Ok(Self {
            context,
            rights,
            catalog: Arc::clone(&base.catalog),
            config: Arc::clone(config),
            options: Mutex::new(SessionOptions::of(config)),
            has_others: AtomicBool::new(false),
            table_memory: TableMemory::new(config.limits.session_table_memory.0),
            prepared: Mutex::new(Handles::new("prepared statements", config.limits.handles_max)),
            results: Mutex::new(Handles::new("open results", config.limits.handles_max)),
            redeemed: Mutex::default(),
            closed: CancellationToken::new(),
            started: Instant::now(),
            last_used_ms: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            id,
        })
    }

    /// Its id: hard to guess, since a cookie with it opens the session to its user.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its user may do.
    pub fn rights(&self) -> &Arc<Rights> {
        &self.rights
    }

    /// The tables that the server serves.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Its DataFusion context.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// What its in-memory tables may hold.
    pub fn table_memory(&self) -> Arc<TableMemory> {
        Arc::clone(&self.table_memory)
    }

    /// The values of its options now.
    pub fn options(&self) -> SessionOptions {
        lock(&self.options).clone()
    }

    /// Sets one of our options.
    ///
    /// # Errors
    /// `Sql` if it is unknown, the operator's, or the value is not one of it.
    pub fn set_option(&self, name: &str, value: &str) -> Result<()> {
        let mut options = lock(&self.options);
        options.set(name, value)?;
        context::apply_engine(&self.context, &self.config, &options.engine);
        Ok(())
    }

    /// Sets one of our options back to the server's value.
    ///
    /// # Errors
    /// As [`Session::set_option`].
    pub fn reset_option(&self, name: &str) -> Result<()> {
        self.set_option(name, &self.config.show(name)?)
    }

    /// One of DataFusion's own options is another than in a new session.
    pub fn other_option_set(&self) {
        self.has_others.store(true, Ordering::Release);
    }

    /// Whether its options of [`Session::options`] are all in which it may differ from a new session.
    pub fn has_our_options_only(&self) -> bool {
        !self.has_others.load(Ordering::Acquire)
    }

    /// The value of an option, the operator's ones included.
    pub fn show_option(&self, name: &str) -> String {
        lock(&self.options)
            .show(name)
            .or_else(|| self.config.show(name).ok())
            .unwrap_or_default()
    }

    /// Keeps a prepared statement; its handle.
    ///
    /// # Errors
    /// `Resources` if the session holds too many.
    pub fn keep_prepared(&self, statement: PreparedStatement) -> Result<String> {
        lock(&self.prepared).keep(Arc::new(statement))
    }

    /// A prepared statement by its handle.
    ///
    /// # Errors
    /// `NotFound` if this session holds none of it.
    pub fn prepared(&self, handle: &str) -> Result<Arc<PreparedStatement>> {
        lock(&self.prepared).get(handle).ok_or_else(|| {
            Error::not_found("prepared statement: unknown handle, closed or of another session")
        })
    }

    /// Replaces a prepared statement, keeping its handle: its parameters were bound.
    pub fn rebind_prepared(&self, handle: &str, statement: PreparedStatement) {
        lock(&self.prepared).replace(handle, Arc::new(statement));
    }

    /// Forgets a prepared statement; an unknown one is already forgotten.
    pub fn close_prepared(&self, handle: &str) {
        lock(&self.prepared).forget(handle);
    }

    /// Keeps a planned result for the ticket that names it.
    pub fn keep_result(&self, id: &str, result: OpenResult) {
        lock(&self.results).keep_as(id, Arc::new(result));
    }

    /// A planned result by its query id.
    ///
    /// # Errors
    /// `NotFound` if this session holds none of it.
    pub fn result(&self, id: &str) -> Result<Arc<OpenResult>> {
        lock(&self.results)
            .get(id)
            .ok_or_else(|| Error::not_found("ticket: its result is no longer held; ask for the flight again"))
    }

    /// A ticket was redeemed: clients seldom do that twice, so only the last few results are kept on.
    pub fn redeemed(&self, id: &str) {
        let oldest = {
            let mut redeemed = lock(&self.redeemed);
            redeemed.push_back(id.to_owned());
            if redeemed.len() > REDEEMED_MAX {
                redeemed.pop_front()
            } else {
                None
            }
        };
        if let Some(oldest) = oldest {
            self.close_result(&oldest);
        }
    }

    /// Forgets a planned result.
    pub fn close_result(&self, id: &str) -> bool {
        lock(&self.results).forget(id)
    }

    /// Marks the session as serving something until the guard goes.
    pub fn enter(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }

    /// For how long it has served nothing.
    pub fn idle(&self) -> Duration {
        if self.busy.load(Ordering::Acquire) > 0 {
            return Duration::ZERO;
        }
        self.started
            .elapsed()
            .saturating_sub(Duration::from_millis(self.last_used_ms.load(Ordering::Acquire)))
    }

    /// Ends it: its running statements are cancelled.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Cancelled when the session ends.
    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }
}

/// Keeps a session from counting as idle.
pub struct Busy(Arc<Session>);

impl Drop for Busy {
    fn drop(&mut self) {
        let now_ms = self.0.started.elapsed().as_millis() as u64;
        self.0.last_used_ms.store(now_ms, Ordering::Release);
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Locks a mutex whose data stays whole even if a holder panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
