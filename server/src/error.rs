//! The one error type of the server. Its kinds say who can act on it; `flight::status` maps each
//! kind to one gRPC code. Messages are lowercase, without a full stop, and name the object, what
//! was found and what was expected.

use std::fmt;

/// The result of anything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by who can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The statement, a parameter or an option is wrong: its author can mend it.
    Sql,
    /// Valid, but this server does not do it.
    Unsupported,
    /// A file or an object is missing, damaged or not what its table says.
    Data,
    /// A limit was reached: memory, queue, result size.
    Resources,
    /// The client, an administrator or a shutdown stopped it.
    Cancelled,
    /// The query ran longer than `query_timeout`.
    Timeout,
    /// Who is asking is not known: no or wrong credentials.
    Unauthenticated,
    /// Who is asking is known, and has no right to it.
    Denied,
    /// A handle, a session or a query that does not exist (any more).
    NotFound,
    /// The server is starting or draining: try again, perhaps elsewhere.
    Unavailable,
    /// Our own mistake.
    Internal,
}

/// An error with its kind and its message.
#[derive(Debug, Clone)]
pub struct Error {
    kind: Kind,
    message: String,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),* $(,)?) => {
        impl Error {
            $($(#[$doc])* pub fn $name(message: impl Into<String>) -> Self {
                Self { kind: Kind::$kind, message: message.into() }
            })*
        }
    };
}

constructors! {
    /// A wrong statement, parameter or option.
    sql => Sql,
    /// Valid, but not done here.
    unsupported => Unsupported,
    /// A missing, damaged or unexpected file or object.
    data => Data,
    /// A limit was reached.
    resources => Resources,
    /// Stopped on purpose.
    cancelled => Cancelled,
    /// Ran too long.
    timeout => Timeout,
    /// No or wrong credentials.
    unauthenticated => Unauthenticated,
    /// No right to it.
    denied => Denied,
    /// No such handle, session or query.
    not_found => NotFound,
    /// Starting or draining.
    unavailable => Unavailable,
    /// Our own mistake.
    internal => Internal,
}

impl Error {
    /// Who can act on it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened, in words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An error of the same kind with another message.
    #[must_use]
    pub fn reworded(self, message: impl Into<String>) -> Self {
        Self {
            kind: self.kind,
            message: message.into(),
        }
    }

    /// The same error, its message prefixed by what was being done.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
