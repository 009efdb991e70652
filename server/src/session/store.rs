//! All sessions of a server, by cookie and by connection.
//!
//! A client that returns our cookie has one session over all its connections; any other has one a
//! connection. A bearer token says who asks, never which session: clients share tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::{Session, context, lock};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::security::rights::Rights;

/// See the module.
pub struct Sessions {
    config: Arc<Config>,
    base: context::Base,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    by_id: HashMap<String, Entry>,
    by_connection: HashMap<u64, String>,
}

struct Entry {
    session: Arc<Session>,
    /// Some request named it by its cookie: it outlives the connection that it began on.
    has_cookie: bool,
}

impl Sessions {
    /// No session yet.
    pub fn new(config: Arc<Config>, base: context::Base) -> Self {
        Self {
            config,
            base,
            held: Mutex::default(),
        }
    }

    /// The session of a request, and whether it begins with it.
    ///
    /// # Errors
    /// `Resources` if there are too many sessions.
    pub fn of_request(
        &self,
        rights: &Arc<Rights>,
        cookie: Option<&str>,
        connection: u64,
    ) -> Result<(Arc<Session>, bool)> {
        let mut held = lock(&self.held);
        // A cookie that names no session (any more) is kept by its client: the connection's session serves it.
        if let Some(id) = cookie
            && let Some(entry) = held.by_id.get_mut(id)
            && entry.session.rights().user == rights.user
        {
            entry.has_cookie = true;
            return Ok((Arc::clone(&entry.session), false));
        }
        if let Some(id) = held.by_connection.get(&connection)
            && let Some(entry) = held.by_id.get(id)
            && entry.session.rights().user == rights.user
        {
            return Ok((Arc::clone(&entry.session), false));
        }
        self.begin(&mut held, rights, connection)
            .map(|session| (session, true))
    }

    fn begin(&self, held: &mut Held, rights: &Arc<Rights>, connection: u64) -> Result<Arc<Session>> {
        let limit = self.config.limits.sessions_max;
        if held.by_id.len() >= limit {
            return Err(Error::resources(format!(
                "sessions: {limit} are open, the most that sessions_max allows"
            )));
        }
        let session = Arc::new(Session::new(&self.config, &self.base, Arc::clone(rights))?);
        let entry = Entry {
            session: Arc::clone(&session),
            has_cookie: false,
        };
        held.by_connection.insert(connection, session.id().to_owned());
        held.by_id.insert(session.id().to_owned(), entry);
        tracing::debug!(
            session = session.id(),
            user = rights.user,
            connection,
            "session begun"
        );
        Ok(session)
    }

    /// A connection ended: so does its session, unless its client uses the cookie.
    pub fn connection_closed(&self, connection: u64) {
        let mut held = lock(&self.held);
        let Some(id) = held.by_connection.remove(&connection) else {
            return;
        };
        if held.by_id.get(&id).is_some_and(|entry| !entry.has_cookie) {
            self.end(&mut held, &id, "connection closed");
        }
    }

    /// Ends a session.
    pub fn close(&self, id: &str) {
        self.end(&mut lock(&self.held), id, "closed by its client");
    }

    /// Ends the sessions that were idle for longer than `session_timeout`.
    pub fn close_idle(&self) {
        let Some(limit) = self.config.limits.session_timeout.limit() else {
            return;
        };
        let mut held = lock(&self.held);
        let idle = held
            .by_id
            .iter()
            .filter(|(_, entry)| entry.session.idle() > limit);
        let idle: Vec<String> = idle.map(|(id, _)| id.clone()).collect();
        for id in idle {
            self.end(&mut held, &id, "idle for longer than session_timeout");
        }
    }

    fn end(&self, held: &mut Held, id: &str, why: &str) {
        if let Some(entry) = held.by_id.remove(id) {
            held.by_connection.retain(|_, session| session != id);
            entry.session.close();
            tracing::debug!(session = id, why, "session ended");
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        lock(&self.held).by_id.len()
    }
}
