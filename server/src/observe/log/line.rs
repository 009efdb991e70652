//! One log line: its fields, and how it is written.

use std::fmt::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::Level;
use tracing::field::{Field, Visit};

/// The field that holds an event's own text.
const MESSAGE: &str = "message";

/// Parts of names of fields that hold secrets.
const SECRET_NAMES: [&str; 6] = [
    "password",
    "secret",
    "token",
    "authorization",
    "credential",
    "access_key",
];

/// What stands for a secret.
const HIDDEN: &str = "[hidden]";

/// Names and values, in the order in which they came; a later value takes the place of an earlier one.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// Adds those of a span.
    pub(super) fn take(&mut self, others: &Self) {
        for (name, value) in &others.0 {
            self.set(name, value.clone());
        }
    }

    /// Takes out what the bridge from the `log` crate adds; gives the target among it.
    pub(super) fn take_logged_target(&mut self) -> Option<String> {
        let target = self
            .0
            .iter()
            .find(|(name, _)| *name == "log.target")?
            .1
            .as_str()
            .map(str::to_owned);
        self.0.retain(|(name, _)| !name.starts_with("log."));
        target
    }

    fn set(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    fn record(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        let secret = SECRET_NAMES
            .iter()
            .any(|part| name.to_ascii_lowercase().contains(part));
        self.set(name, if secret { HIDDEN.into() } else { value.into() });
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, value);
    }
}

/// An event, with the fields of the spans around it.
pub(super) struct Line<'a> {
    pub(super) time: DateTime<Utc>,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) fields: Fields,
}

impl Line<'_> {
    fn time(&self) -> String {
        self.time.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// `TIME LEVEL target: message name=value ...`, always one line: what users send may hold line ends.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{} {:>5} {}:", self.time(), self.level, self.target);
        let message = self.fields.0.iter().find(|(name, _)| *name == MESSAGE);
        if let Some((_, Value::String(message))) = message {
            text.push(' ');
            push_one_line(&mut text, message);
        }
        for (name, value) in self.fields.0.iter().filter(|(name, _)| *name != MESSAGE) {
            text.push(' ');
            text.push_str(name);
            text.push('=');
            match value {
                Value::String(value) if is_plain(value) => text.push_str(value),
                other => push_one_line(&mut text, &other.to_string()),
            }
        }
        text.push('\n');
        text
    }

    /// One JSON object, the fields beside time, level and target.
    pub(super) fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("timestamp".into(), self.time().into());
        object.insert("level".into(), self.level.as_str().into());
        object.insert("target".into(), self.target.into());
        for (name, value) in &self.fields.0 {
            // A field that is called like one of ours does not hide it.
            let name = match *name {
                "timestamp" | "level" | "target" => format!("field.{name}"),
                name => name.to_owned(),
            };
            object.insert(name, value.clone());
        }
        let mut text = Value::Object(object).to_string();
        text.push('\n');
        text
    }
}

fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '='))
}

/// Control characters written as escapes: a statement must not forge a line, nor colour a terminal.
fn push_one_line(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            c if c.is_control() => {
                let _ = write!(text, "{}", c.escape_default());
            }
            c => text.push(c),
        }
    }
}
