//! `warpflight sql`: a Flight SQL client. In: statements by argument, file, pipe or keyboard. Out: results
//! as tables, CSV, JSON or Arrow, and an exit code that scripts can use. Knows no more of the server than
//! any Flight SQL client does.

mod args;
pub(in crate::cli) mod client;
pub(in crate::cli) mod failure;
#[cfg(test)]
mod fake;
mod interrupt;
mod output;
mod position;
mod progress;
mod run;
mod shell;
pub(in crate::cli) mod split;
#[cfg(test)]
mod tests;

use std::io::{Write, stderr};
use std::process::ExitCode;

pub use args::{ABOUT, SqlArgs};

use args::Input;
use client::Client;
use failure::{Failure, FailureKind, Outcome};
use interrupt::Interrupt;
use output::{Destination, Format, Sink};
use run::{Done, Times};

/// Runs the statements or the shell.
pub fn run(args: &SqlArgs) -> ExitCode {
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.kind != FailureKind::OutputClosed && !failure.message.is_empty() {
                complain(&failure.message);
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

fn start(args: &SqlArgs) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::query(format!("cannot start threads: {e}")))?;
    match args.input()? {
        Input::Shell => shell::run(args, &runtime),
        Input::Script { text, name } => runtime.block_on(script(args, &text, name.as_deref())),
    }
}

/// Runs the statements of a text, one after the other, until one fails.
async fn script(args: &SqlArgs, text: &str, name: Option<&str>) -> Outcome<()> {
    let options = args.connect_options()?;
    let (statements, _) = split::split(text);
    if statements.is_empty() {
        return Err(Failure::usage(format!(
            "found no statement in {}",
            name.unwrap_or("the query")
        )));
    }
    let layout = args.layout(false)?;
    if layout.format == Format::Arrow && statements.iter().filter(|s| !split::is_update(s.sql)).count() > 1 {
        return Err(Failure::usage(
            "found several queries, expected one: an Arrow file holds one result",
        ));
    }
    let mut interrupt = Interrupt::listen(true)?;
    let mut client = tokio::select! {
        biased;
        () = interrupt.next() => return Err(Failure::interrupted()),
        client = Client::connect(options) => client?,
    };
    let mut sink = Sink::open(&args.destination())?;
    let mut results = 0;
    for statement in &statements {
        if results > 0 && layout.format != Format::Json && !split::is_update(statement.sql) {
            separate(&mut sink)?;
        }
        let outcome = run::statement(&mut client, statement.sql, &layout, &mut sink, &mut interrupt).await;
        match outcome {
            Ok((done, times)) => {
                results += usize::from(matches!(done, Done::Rows(_)));
                say(
                    &done,
                    args.timing().then_some(times),
                    &layout.format,
                    &args.destination(),
                );
            }
            Err(failure) => {
                // What was written before stays: a reader of the pipe has seen it already.
                let flushed = if sink.is_stdout() { sink.flush() } else { Ok(()) };
                client.close().await;
                let origin = name.map(|name| (name, statement.line));
                return flushed.and(Err(with_excerpt(failure, statement.sql, origin)));
            }
        }
    }
    client.close().await;
    sink.complete()
}

/// An empty line between two results.
fn separate(sink: &mut Sink) -> Outcome<()> {
    let (out, name) = sink.parts();
    out.write_all(b"\n").map_err(|e| Failure::from_write(name, &e))
}

/// What an update did, and times, go to standard error: standard output has results only.
fn say(done: &Done, times: Option<Times>, format: &Format, destination: &Destination) {
    if let Done::Changed(what) = done {
        note(what);
    }
    if let (Done::Rows(rows), Destination::File(path)) = (done, destination)
        && *format != Format::Table
    {
        note(&format!("{} rows to {}", output::grouped(*rows), path.display()));
    }
    if let Some(times) = times {
        note(&times.to_string());
    }
}

/// The failure with the line of the statement that it points at.
fn with_excerpt(mut failure: Failure, sql: &str, origin: Option<(&str, usize)>) -> Failure {
    let excerpt = position::excerpt(&failure.message, sql, origin);
    if !excerpt.is_empty() {
        failure.message = format!("{}\n{excerpt}", failure.message);
    } else if let (FailureKind::Query | FailureKind::Limit, Some((file, line))) = (failure.kind, origin) {
        failure.message = format!("{}\n  in {file}, the statement on line {line}", failure.message);
    }
    failure
}

/// One line to standard error; there is nothing to do if that is closed.
fn note(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

fn complain(text: &str) {
    let error = console::style("error:").red().bold().for_stderr();
    let _ = writeln!(stderr(), "{error} {text}");
}
