//! `SET`, `RESET` and `SHOW` for our own options, which have bare names; DataFusion's own keep
//! their `datafusion.` prefix and go their usual way.

use datafusion::config::ConfigField;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::prelude::ident;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Ident, Statement as SqlStatement};

use crate::config::option::Definition;
use crate::config::session::SessionOptions;
use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;
use crate::session::Session;

/// The plan of a `SHOW` that concerns our own options; `None` for every other statement.
///
/// # Errors
/// `Internal` if the rows cannot be planned, which would be our mistake.
pub fn of_parsed(session: &Session, parsed: &Statement) -> Result<Option<LogicalPlan>> {
    let Statement::Statement(inner) = parsed else {
        return Ok(None);
    };
    let SqlStatement::ShowVariable { variable } = inner.as_ref() else {
        return Ok(None);
    };
    let names: Vec<String> = variable.iter().map(ident_text).collect();
    let (names, verbose) = match names.split_last() {
        Some((last, rest)) if last == "verbose" && !rest.is_empty() => (rest, true),
        _ => (&names[..], false),
    };
    match names {
        [all] if all == "all" => {
            let datafusion = session
                .context()
                .state()
                .config_options()
                .entries()
                .into_iter()
                .map(|entry| {
                    [
                        entry.key,
                        entry.value.unwrap_or_default(),
                        entry.description.to_owned(),
                    ]
                });
            let ours = SessionOptions::definitions().map(|definition| row(session, &definition));
            let mut rows: Vec<_> = ours.chain(datafusion).collect();
            rows.sort();
            values(rows, verbose).map(Some)
        }
        [name] => match crate::config::definition(name) {
            Ok(definition) => values(vec![row(session, &definition)], verbose).map(Some),
            Err(_) => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Sets an option of the session: ours, or one of DataFusion's that cannot harm others.
///
/// # Errors
/// `Sql` if the option is unknown, the operator's, or the value is not one of it.
pub fn set(session: &Session, name: &str, value: &str) -> Result<()> {
    if SessionOptions::knows(name) {
        return session.set_option(name, value);
    }
    refuse_runtime(name)?;
    if !name.contains('.') {
        return Err(crate::config::definition(name)
            .err()
            .unwrap_or_else(|| Error::sql(format!("option {name}"))));
    }
    let state = session.context().state_ref();
    let mut state = state.write();
    let known = state
        .config_options()
        .entries()
        .iter()
        .any(|entry| entry.key == name);
    if !known {
        return Err(Error::sql(format!(
            "unknown option {name}; SHOW ALL lists every option"
        )));
    }
    session.other_option_set();
    state
        .config_mut()
        .options_mut()
        .set(name, value)
        .map_err(|error| from_datafusion(error).context(format_args!("option {name}")))
}

/// Sets an option of the session back to what a new session starts with.
///
/// # Errors
/// `Sql` if the option is unknown or the operator's.
pub fn reset(session: &Session, name: &str) -> Result<()> {
    if SessionOptions::knows(name) {
        return session.reset_option(name);
    }
    refuse_runtime(name)?;
    let state = session.context().state_ref();
    let mut state = state.write();
    session.other_option_set();
    state
        .config_mut()
        .options_mut()
        .reset(name)
        .map_err(|error| from_datafusion(error).context(format_args!("option {name}")))
}

/// DataFusion's runtime options belong to all sessions: memory, spilling, caches.
fn refuse_runtime(name: &str) -> Result<()> {
    match name.starts_with("datafusion.runtime.") {
        true => Err(Error::sql(format!(
            "option {name}: set by the server's configuration, not by a session"
        ))),
        false => Ok(()),
    }
}

fn row(session: &Session, definition: &Definition) -> [String; 3] {
    let doc = definition
        .doc
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ");
    [
        definition.name.to_owned(),
        session.show_option(definition.name),
        doc,
    ]
}

fn values(rows: Vec<[String; 3]>, verbose: bool) -> Result<LogicalPlan> {
    let columns = if verbose { 3 } else { 2 };
    let rows: Vec<Vec<Expr>> = rows
        .into_iter()
        .map(|row| row.into_iter().take(columns).map(lit).collect())
        .collect();
    let names = ["name", "value", "description"]
        .into_iter()
        .take(columns)
        .enumerate();
    let renamed: Vec<Expr> = names
        .map(|(index, name)| ident(format!("column{}", index + 1)).alias(name))
        .collect();
    LogicalPlanBuilder::values(rows)
        .and_then(|builder| builder.project(renamed))
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)
}

fn ident_text(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}
