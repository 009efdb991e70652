//! Log lines on standard error, as text or as JSON.
//!
//! In: the options `log` and `log_format`. Out: one line an event, which carries the fields of all spans
//! around it; so each line of a query carries its `query_id`, `session` and `user`. Fields whose name says
//! that they hold a secret are never written out.

use std::io::Write;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::config::sections::{LogFormat, ServerOptions};
use crate::error::{Error, Result};

mod line;
use line::{Fields, Line};

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Libraries that fill a log at `debug` and `trace`, and some of them with headers: held at `info` unless they are named.
const NOISY: [&str; 8] = [
    "h2",
    "hyper",
    "hyper_util",
    "reqwest",
    "rustls",
    "tower",
    "tonic",
    "sqlparser",
];

/// Begins to log. Once a process.
///
/// # Errors
/// `Sql` if `log` is not a filter; `Internal` if logging has begun before.
pub fn init(options: &ServerOptions) -> Result<()> {
    let filter = filter(&options.log)?;
    let lines = Lines {
        format: options.log_format,
        write: |line: &[u8]| {
            // Nobody is left to tell where standard error is gone.
            let _ = std::io::stderr().lock().write_all(line);
        },
    };
    Registry::default()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(|error| Error::internal(format!("logging: {error}")))
}

/// The filter that a text means.
///
/// # Errors
/// `Sql`, with the part that is wrong.
pub fn filter(text: &str) -> Result<EnvFilter> {
    let wrong = |part: &str| {
        Error::sql(format!(
            "option log: found {part:?}, expected one of {}, or target=level pairs like info,warpflight::query=debug",
            LEVELS.join(", ")
        ))
    };
    let mut general = "info";
    // Within brackets, which select spans by fields, commas mean something else.
    for part in text.split(',').map(str::trim).filter(|_| !text.contains('[')) {
        match (
            part.split_once('='),
            LEVELS.iter().find(|level| part.eq_ignore_ascii_case(level)),
        ) {
            (None, Some(level)) => general = level,
            // A filter takes a single word to be a target, so that a misspelt level would silence all else.
            (None, None) => return Err(wrong(part)),
            (Some((target, level)), _) => {
                if target.is_empty() || !LEVELS.iter().any(|known| level.eq_ignore_ascii_case(known)) {
                    return Err(wrong(part));
                }
            }
        }
    }
    let mut directives = match general {
        "debug" | "trace" => NOISY.map(|library| format!("{library}=info,")).concat(),
        _ => String::new(),
    };
    directives.push_str(text);
    EnvFilter::builder().parse(&directives).map_err(|_| wrong(text))
}

/// Writes a line an event.
struct Lines<W> {
    format: LogFormat,
    write: W,
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(around) = span.extensions().get::<Fields>() {
                fields.take(around);
            }
        }
        event.record(&mut fields);
        // Events of libraries that log through the `log` crate come with their target as a field.
        let logged_target = fields.take_logged_target();
        let line = Line {
            time: chrono::Utc::now(),
            level: *event.metadata().level(),
            target: logged_target.as_deref().unwrap_or(event.metadata().target()),
            fields,
        };
        let text = match self.format {
            LogFormat::Text => line.text(),
            LogFormat::Json => line.json(),
        };
        (self.write)(text.as_bytes());
    }
}

#[cfg(test)]
mod tests;
