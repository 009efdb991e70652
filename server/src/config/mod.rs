//! Configuration: defaults, then the file, then the environment, then flags.
//!
//! In: the texts of a file, the environment and the command line. Out: a [`Config`] of typed
//! values. This is the only module that reads the environment. It does not know what the options do.

pub mod carried;
pub mod option;
pub mod sections;
pub mod session;
pub mod tables;
pub mod value;

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use option::Definition;
use sections::{DataOptions, EngineOptions, GpuOptions, LimitOptions, SecurityOptions, ServerOptions};
use tables::{StoreEntry, TableEntry, UserEntry};

/// `config/default.toml`, as it was when this binary was built.
pub const DEFAULT_TOML: &str = include_str!("../../../config/default.toml");

/// All options of a server.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Addresses, connections and logs.
    pub server: ServerOptions,
    /// TLS, authentication and rights.
    pub security: SecurityOptions,
    /// What queries and sessions may use.
    pub limits: LimitOptions,
    /// Where tables come from.
    pub data: DataOptions,
    /// How queries are run.
    pub engine: EngineOptions,
    /// GPUs and their memory.
    pub gpu: GpuOptions,
    /// The `[[table]]` entries.
    pub tables: Vec<TableEntry>,
    /// The `[[user]]` entries; authentication is on if there is one.
    pub users: Vec<UserEntry>,
    /// The `[[store]]` entries.
    pub stores: Vec<StoreEntry>,
}

/// The definitions of all options, in the order of `config/default.toml`.
pub fn definitions() -> Vec<Definition> {
    [
        ServerOptions::definitions(),
        SecurityOptions::definitions(),
        LimitOptions::definitions(),
        DataOptions::definitions(),
        EngineOptions::definitions(),
        GpuOptions::definitions(),
    ]
    .concat()
}

impl Config {
    /// The configuration from an optional file, the environment and flags (name and text), in this order.
    ///
    /// # Errors
    /// `Sql` if the file cannot be read, a key is unknown or a value is not what its option takes.
    pub fn load(file: Option<&Path>, flags: &[(String, String)]) -> Result<Self> {
        let mut config = Self::default();
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Error::sql(format!("configuration file {}: {error}", path.display())))?;
            config
                .apply_toml(&text)
                .map_err(|error| error.context(format_args!("{}", path.display())))?;
        }
        for definition in definitions() {
            if let Some(text) = std::env::var_os(definition.variable()) {
                let text = text.into_string().map_err(|_| {
                    Error::sql(format!(
                        "environment variable {}: not UTF-8",
                        definition.variable()
                    ))
                })?;
                config.set(definition.name, &text).map_err(|error| {
                    error.context(format_args!("environment variable {}", definition.variable()))
                })?;
            }
        }
        for (name, text) in flags {
            config
                .set(name, text)
                .map_err(|error| error.context("command line"))?;
        }
        Ok(config)
    }

    /// Sets what a TOML text names; the rest stays.
    ///
    /// # Errors
    /// `Sql` if it is not TOML, or as [`Config::set`].
    pub fn apply_toml(&mut self, text: &str) -> Result<()> {
        let document: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| Error::sql(error.to_string().trim().to_owned()))?;
        let definitions = definitions();
        for (section, value) in document {
            match section.as_str() {
                "table" => self.tables = entries(&section, value)?,
                "user" => self.users = entries(&section, value)?,
                "store" => self.stores = entries(&section, value)?,
                _ => self.apply_section(&definitions, &section, value)?,
            }
        }
        Ok(())
    }

    fn apply_section(&mut self, definitions: &[Definition], section: &str, value: toml::Value) -> Result<()> {
        if !definitions.iter().any(|definition| definition.section == section) {
            return Err(Error::sql(format!(
                "unknown key {section}{}",
                nearest(section, sections_and_lists())
            )));
        }
        let toml::Value::Table(keys) = value else {
            return Err(Error::sql(format!(
                "{section}: found {}, expected a table [{section}]",
                value.type_str()
            )));
        };
        for (key, value) in keys {
            let mut in_section = definitions
                .iter()
                .filter(|definition| definition.section == section);
            let Some(definition) = in_section.clone().find(|definition| definition.name == key) else {
                let known = in_section.by_ref().map(|definition| definition.name);
                return Err(Error::sql(format!(
                    "unknown key {section}.{key}{}",
                    nearest(&key, known)
                )));
            };
            let text = (definition.text_of)(&value).ok_or_else(|| definition.refusal(&value.to_string()))?;
            self.set(&key, &text)?;
        }
        Ok(())
    }

    /// Sets one option from text.
    ///
    /// # Errors
    /// `Sql` if there is no such option or the text is not a value of it: the message names the
    /// option, the value and what it takes.
    pub fn set(&mut self, name: &str, text: &str) -> Result<()> {
        let accepted = self
            .server
            .set(name, text)
            .or_else(|| self.security.set(name, text))
            .or_else(|| self.limits.set(name, text))
            .or_else(|| self.data.set(name, text))
            .or_else(|| self.engine.set(name, text))
            .or_else(|| self.gpu.set(name, text));
        match accepted {
            Some(true) => Ok(()),
            Some(false) => Err(definition(name).map_or_else(|error| error, |known| known.refusal(text))),
            None => Err(unknown(name)),
        }
    }

    /// The value of an option, as text.
    ///
    /// # Errors
    /// `Sql` if there is no such option.
    pub fn show(&self, name: &str) -> Result<String> {
        self.server
            .show(name)
            .or_else(|| self.security.show(name))
            .or_else(|| self.limits.show(name))
            .or_else(|| self.data.show(name))
            .or_else(|| self.engine.show(name))
            .or_else(|| self.gpu.show(name))
            .ok_or_else(|| unknown(name))
    }
}

/// The definition of an option.
///
/// # Errors
/// `Sql` if there is no such option; the message names the nearest one.
pub fn definition(name: &str) -> Result<Definition> {
    definitions()
        .into_iter()
        .find(|definition| definition.name == name)
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    let known = definitions();
    Error::sql(format!(
        "unknown option {name}{}",
        nearest(name, known.iter().map(|definition| definition.name))
    ))
}

fn sections_and_lists() -> impl Iterator<Item = &'static str> {
    [
        "server", "security", "limits", "data", "engine", "gpu", "table", "user", "store",
    ]
    .into_iter()
}

fn entries<T: serde::de::DeserializeOwned>(section: &str, value: toml::Value) -> Result<Vec<T>> {
    let toml::Value::Array(items) = value else {
        return Err(Error::sql(format!(
            "{section}: found {}, expected [[{section}]]",
            value.type_str()
        )));
    };
    let parse = |(index, item): (usize, toml::Value)| {
        let name = item
            .get("name")
            .or(item.get("url"))
            .and_then(toml::Value::as_str)
            .map(str::to_owned);
        item.try_into::<T>().map_err(|error| {
            let name = name.map_or_else(|| format!("number {}", index + 1), |name| format!("{name:?}"));
            Error::sql(format!("[[{section}]] {name}: {}", error.message()))
        })
    };
    items.into_iter().enumerate().map(parse).collect()
}

/// `, did you mean X?` for the known name at the least edit distance, if that is small.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let distance = |other: &str| datafusion::common::utils::datafusion_strsim::levenshtein(name, other);
    match known.map(|other| (distance(other), other)).min() {
        Some((edits, other)) if edits <= 3 => format!(", did you mean {other}?"),
        _ => String::new(),
    }
}

/// Whether the environment has a variable of this name.
pub fn is_in_environment(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// The environment's variables that object_store reads, by scheme, and those that lead to the user's cache folder;
/// handed on so that no other module reads the environment.
pub fn store_environment() -> BTreeMap<String, String> {
    let known = ["AWS_", "GOOGLE_", "AZURE_"];
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| {
            known.iter().any(|prefix| name.starts_with(prefix))
                || ["HOME", "XDG_CACHE_HOME"].contains(&name.as_str())
        })
        .collect()
}

#[cfg(test)]
mod tests;
