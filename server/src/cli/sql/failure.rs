//! How the client can fail, by what a script would do about it. In: a gRPC status, an I/O or Arrow
//! error. Out: words and an exit code.

use std::error::Error as _;
use std::fmt;
use std::io;

use arrow::error::ArrowError;

/// What went wrong, by exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The server refused or could not run the statement.
    Query,
    /// The statement needs more than the server allows, or has left.
    Limit,
    /// The arguments or a shell command make no sense.
    Usage,
    /// No connection, or it broke.
    Connection,
    /// The server does not know the user, or the user may not.
    Denied,
    /// The user stopped it.
    Interrupted,
    /// Nobody reads the output any more: not an error.
    OutputClosed,
}

/// A failure with its message.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What a script would ask.
    pub kind: FailureKind,
    /// What a person would.
    pub message: String,
}

/// What client functions return.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure of `kind`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Wrong arguments.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, message)
    }

    /// A statement that did not work, or an answer that cannot be read or written.
    pub fn query(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Query, message)
    }

    /// Ctrl-C.
    pub fn interrupted() -> Self {
        Self::new(FailureKind::Interrupted, "interrupted")
    }

    /// The process's exit code, as `--help` documents it.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            FailureKind::OutputClosed => 0,
            FailureKind::Query | FailureKind::Limit => 1,
            FailureKind::Usage => 2,
            FailureKind::Connection => 3,
            FailureKind::Denied => 4,
            FailureKind::Interrupted => 130,
        }
    }

    /// What an answer with `status` means.
    pub fn from_status(status: &tonic::Status) -> Self {
        use tonic::Code;
        // A status with a cause was made on this side: the server never got to answer.
        if status.source().is_some() {
            return Self::new(
                FailureKind::Connection,
                format!("connection lost: {}", causes(status)),
            );
        }
        let kind = match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => FailureKind::Denied,
            Code::Unavailable => FailureKind::Connection,
            Code::ResourceExhausted => FailureKind::Limit,
            _ => FailureKind::Query,
        };
        let message = match status.message() {
            "" => status.code().description(),
            said => said,
        };
        Self::new(kind, message)
    }

    /// What failing to write to `name` means.
    pub fn from_write(name: &str, e: &io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::BrokenPipe => Self::new(FailureKind::OutputClosed, "the output was closed"),
            io::ErrorKind::StorageFull => Self::query(format!("cannot write {name}: the disk is full")),
            _ => Self::query(format!("cannot write {name}: {e}")),
        }
    }

    /// What an Arrow writer's error means; its I/O errors are looked into.
    pub fn from_arrow(name: &str, e: &ArrowError) -> Self {
        match e {
            ArrowError::IoError(_, io) => Self::from_write(name, io),
            ArrowError::CsvError(text) | ArrowError::JsonError(text) if text.contains("Broken pipe") => {
                Self::new(FailureKind::OutputClosed, "the output was closed")
            }
            other => Self::query(format!("cannot write {name}: {other}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The messages of an error and of what caused it, without the repetitions.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut all = match error.downcast_ref::<tonic::Status>() {
        Some(status) => status.message().to_owned(),
        None => error.to_string(),
    };
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !all.contains(&text) {
            all = if all.is_empty() {
                text
            } else {
                format!("{all}: {text}")
            };
        }
        next = cause.source();
    }
    // Says nothing that its cause does not.
    all.replace("transport error: ", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        use tonic::{Code, Status};
        for (code, exit) in [
            (Code::InvalidArgument, 1),
            (Code::Internal, 1),
            (Code::ResourceExhausted, 1),
            (Code::Cancelled, 1),
            (Code::Unavailable, 3),
            (Code::Unauthenticated, 4),
            (Code::PermissionDenied, 4),
        ] {
            assert_eq!(
                Failure::from_status(&Status::new(code, "x")).exit_code(),
                exit,
                "{code:?}"
            );
        }
        let lost = Status::from_error(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)));
        assert_eq!(Failure::from_status(&lost).exit_code(), 3);
        assert_eq!(Failure::usage("x").exit_code(), 2);
        assert_eq!(Failure::interrupted().exit_code(), 130);
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::from_write("x", &pipe).exit_code(), 0);
        assert_eq!(Failure::from_arrow("x", &ArrowError::from(pipe)).exit_code(), 0);
    }

    #[test]
    fn a_status_without_words_still_says_something() {
        let failure = Failure::from_status(&tonic::Status::new(tonic::Code::NotFound, ""));
        assert!(!failure.message.is_empty());
    }
}
