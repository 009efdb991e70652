//! The options that a session sets for itself: a copy of the operator's values, overridden.

use super::option::{Definition, Scope};
use super::sections::{EngineOptions, LimitOptions};
use super::{Config, definition, definitions};
use crate::error::{Error, Result};

/// The values of all session options, as one session sees them.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// What its queries may use.
    pub limits: LimitOptions,
    /// How its queries are run.
    pub engine: EngineOptions,
}

impl SessionOptions {
    /// What a new session starts with.
    pub fn of(config: &Config) -> Self {
        Self {
            limits: config.limits.clone(),
            engine: config.engine.clone(),
        }
    }

    /// The definitions of what a session may set.
    pub fn definitions() -> impl Iterator<Item = Definition> {
        definitions()
            .into_iter()
            .filter(|definition| definition.scope == Scope::Session)
    }

    /// Whether there is an option of this name, of any scope.
    pub fn knows(name: &str) -> bool {
        definition(name).is_ok()
    }

    /// Sets one option from text.
    ///
    /// # Errors
    /// `Sql` if there is no such option, it is the operator's, or the text is not a value of it.
    pub fn set(&mut self, name: &str, text: &str) -> Result<()> {
        let definition = definition(name)?;
        if definition.scope == Scope::Server {
            return Err(Error::sql(format!(
                "option {name}: set by the server's configuration, not by a session"
            )));
        }
        match self
            .limits
            .set(name, text)
            .or_else(|| self.engine.set(name, text))
        {
            Some(true) => Ok(()),
            Some(false) => Err(definition.refusal(text)),
            None => Err(Error::internal(format!(
                "option {name} has session scope but no place in a session"
            ))),
        }
    }

    /// The value of an option of session scope, as text.
    pub fn show(&self, name: &str) -> Option<String> {
        self.limits.show(name).or_else(|| self.engine.show(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_sets_its_own_options_only() {
        let mut options = SessionOptions::of(&Config::default());
        options.set("device", "cpu").unwrap();
        assert_eq!(options.show("device").unwrap(), "cpu");
        let refused = options.set("listen", "0.0.0.0:1").unwrap_err();
        assert_eq!(
            refused.message(),
            "option listen: set by the server's configuration, not by a session"
        );
        assert!(
            options
                .set("devise", "cpu")
                .unwrap_err()
                .message()
                .contains("did you mean device?")
        );
        assert!(
            options
                .set("device", "abacus")
                .unwrap_err()
                .message()
                .contains("one of auto, cuda, sim, cpu")
        );
    }

    #[test]
    fn every_session_option_has_a_place() {
        let mut options = SessionOptions::of(&Config::default());
        for definition in SessionOptions::definitions() {
            options.set(definition.name, &definition.default).unwrap();
            assert_eq!(options.show(definition.name).unwrap(), definition.default);
        }
    }
}
