//! `warpflight doctor`: what this machine offers, what the configuration asks for, and what is missing.
//!
//! In: the configuration, or why it cannot be read. Out: [`Finding`]s as text or JSON, and an exit code: 0 if `serve`
//! would start, 1 if something is missing that it needs.

use std::future::Future;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::serve::{DEMO_FOLDER, ServeArgs};
use crate::config::Config;
use crate::core::Core;
use crate::error::{Error, Result};

mod endpoints;
mod finding;
mod gpu;
pub mod health;
mod machine;
mod report;
mod spill;

pub use finding::{Finding, Mark};

/// What `warpflight doctor` takes: all that `serve` does, for it looks at what that would do.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    serve: ServeArgs,

    /// Print a JSON object with all findings
    #[arg(long)]
    json: bool,
}

/// What `warpflight health` takes.
#[derive(Debug, Args)]
pub struct HealthArgs {
    #[command(flatten)]
    serve: ServeArgs,
}

/// Examines the machine and what `serve` would do on it.
pub fn run(args: &DoctorArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return super::report(Err(Error::resources(format!("threads: {error}")))),
    };
    let subject = Subject {
        file: args.serve.config.as_deref(),
        config: Config::load(args.serve.config.as_deref(), &args.serve.options),
        demo: args.serve.demo,
    };
    match runtime.block_on(print(subject, args.json, try_tables)) {
        Ok(code) => code,
        Err(error) => super::report(Err(error)),
    }
}

/// Asks the server that runs with this configuration whether it is ready.
pub fn run_health(args: &HealthArgs) -> ExitCode {
    let asked = Config::load(args.serve.config.as_deref(), &args.serve.options).and_then(|config| {
        let state = health::ask(config.server.http_listen)?;
        writeln!(stdout(), "{state}").map_err(|error| Error::data(format!("standard output: {error}")))
    });
    super::report(asked)
}

/// Opens each table as `serve` would.
async fn try_tables(config: Config) -> Result<Vec<(String, Result<String>)>> {
    let core = Core::new(config, &crate::config::store_environment()).await?;
    let tried = core.catalog.try_tables().await;
    Ok(tried
        .into_iter()
        .map(|(name, outcome)| (name, outcome.map(|()| String::new())))
        .collect())
}

/// What is examined.
pub struct Subject<'a> {
    /// The configuration file that was named.
    pub file: Option<&'a Path>,
    /// The configuration, or why there is none.
    pub config: Result<Config>,
    /// Whether the sample is to be served.
    pub demo: bool,
}

/// Examines everything and prints it. `try_tables` opens each table that the configuration serves and says of each
/// what it is, or why it cannot be read; it fails as a whole where not even the names can be had.
///
/// # Errors
/// `Data` if the report cannot be written to standard output.
async fn print<F>(subject: Subject<'_>, json: bool, try_tables: impl FnOnce(Config) -> F) -> Result<ExitCode>
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
    let demo = subject.demo;
    let (mut config, readable) = match subject.config {
        Ok(config) => (config, true),
        // The machine can be looked at all the same.
        Err(_) => (Config::default(), false),
    };
    let mut findings = machine::findings(&config);
    findings.push(spill::finding(&config));
    findings.extend(gpu::findings(&config));
    findings.push(file);
    if demo {
        findings.push(sample(&mut config));
    }
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

/// Whether `--demo` finds its sample or would make it; one that is there is among the tables.
fn sample(config: &mut Config) -> Finding {
    let finding = Finding::of("Configuration", "sample");
    if Path::new(DEMO_FOLDER).is_dir() {
        config.data.data.push(DEMO_FOLDER.to_owned());
        return finding.ok(format!("{DEMO_FOLDER}/ is there"));
    }
    finding.ok(format!(
        "{DEMO_FOLDER}/ is not there yet: `serve --demo` makes it, in seconds"
    ))
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
