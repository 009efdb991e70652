//! `warpflight doctor`: what this machine offers, what the configuration asks for, and what is missing.
//!
//! In: the configuration, or why it cannot be read. Out: [`Finding`]s as text or JSON, and an exit code: 0 if `serve`
//! would start, 1 if something is missing that it needs.

use std::future::Future;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use crate::config::Config;
use crate::error::{Error, Result};

mod endpoints;
mod finding;
mod gpu;
pub mod health;
mod machine;
mod report;
mod spill;

pub use finding::{Finding, Mark};

/// What is examined.
pub struct Subject<'a> {
    /// The configuration file that was named.
    pub file: Option<&'a Path>,
    /// The configuration, or why there is none.
    pub config: Result<Config>,
}

/// Examines everything and prints it. `try_tables` opens each table that the configuration serves and says of each
/// what it is, or why it cannot be read; it fails as a whole where not even the names can be had.
///
/// # Errors
/// `Data` if the report cannot be written to standard output.
pub async fn run<F>(
    subject: Subject<'_>,
    json: bool,
    try_tables: impl FnOnce(Config) -> F,
) -> Result<ExitCode>
where
    F: Future<Output = Result<Vec<(String, Result<String>)>>>,
{
    let findings = examine(subject, try_tables).await;
    let text = if json {
        report::json(&findings)
    } else {
        report::text(&findings)
    };
    stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(|error| Error::data(format!("standard output: {error}")))?;
    Ok(if report::is_well(&findings) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Everything that is found, in the order of the report.
pub async fn examine<F>(subject: Subject<'_>, try_tables: impl FnOnce(Config) -> F) -> Vec<Finding>
where
    F: Future<Output = Result<Vec<(String, Result<String>)>>>,
{
    let file = config_file(&subject);
    let (config, readable) = match subject.config {
        Ok(config) => (config, true),
        // The machine can be looked at all the same.
        Err(_) => (Config::default(), false),
    };
    let mut findings = machine::findings(&config);
    findings.push(spill::finding(&config));
    findings.extend(gpu::findings(config.engine.device));
    findings.push(file);
    if readable {
        findings.extend(endpoints::findings(&config));
        findings.extend(tables(try_tables(config).await));
    }
    findings
}

fn config_file(subject: &Subject<'_>) -> Finding {
    let finding = Finding::of("Configuration", "file");
    match (&subject.config, subject.file) {
        (Err(error), _) => finding.missing(error.message(), "mend it: `serve` will not start with it"),
        (Ok(_), Some(path)) => finding.ok(path.display()),
        (Ok(_), None) => finding.ok("none: defaults, environment and flags"),
    }
}

fn tables(tried: Result<Vec<(String, Result<String>)>>) -> Vec<Finding> {
    let tables = match tried {
        Ok(tables) => tables,
        Err(error) => {
            let finding = Finding::of("Tables", "all");
            return vec![finding.missing(error.message(), "mend it: `serve` will not start with it")];
        }
    };
    if tables.is_empty() {
        let advice = "serve some with --data FOLDER or [[table]], or a sample with `warpflight serve --demo`";
        return vec![Finding::of("Tables", "all").warn("none are served", advice)];
    }
    let one = |(name, outcome): (String, Result<String>)| match outcome {
        Ok(what) => Finding::of("Tables", name).ok(if what.is_empty() { "can be read" } else { &what }),
        Err(error) => {
            Finding::of("Tables", name).missing(error.message(), "queries on it will fail; mend or remove it")
        }
    };
    tables.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests;
