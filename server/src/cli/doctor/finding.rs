//! One thing that was looked at.

use std::fmt::Display;

/// How well it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// As it should be.
    Ok,
    /// `serve` starts, with less than it could have.
    Warn,
    /// `serve`, or a table of it, needs this.
    Missing,
}

impl Mark {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Missing => "missing",
        }
    }
}

/// What was looked at, what was found, and what to do about it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The heading that it stands under.
    pub section: &'static str,
    /// What was looked at.
    pub name: String,
    /// How well it is.
    pub mark: Mark,
    /// What was found.
    pub found: String,
    /// What to do, if there is something.
    pub advice: Option<String>,
}

impl Finding {
    /// The beginning of one: to be ended by [`Finding::ok`], [`Finding::warn`] or [`Finding::missing`].
    pub(super) fn of(section: &'static str, name: impl Into<String>) -> Self {
        Self {
            section,
            name: name.into(),
            mark: Mark::Ok,
            found: String::new(),
            advice: None,
        }
    }

    pub(super) fn ok(self, found: impl Display) -> Self {
        Self {
            found: found.to_string(),
            ..self
        }
    }

    pub(super) fn warn(self, found: impl Display, advice: impl Display) -> Self {
        Self {
            mark: Mark::Warn,
            found: found.to_string(),
            advice: Some(advice.to_string()),
            ..self
        }
    }

    pub(super) fn missing(self, found: impl Display, advice: impl Display) -> Self {
        Self {
            mark: Mark::Missing,
            found: found.to_string(),
            advice: Some(advice.to_string()),
            ..self
        }
    }
}
