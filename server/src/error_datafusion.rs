//! DataFusion's errors as ours: who can act on it, one line of text, the position where one is known.
//!
//! In: a `DataFusionError`, however deep the cause is wrapped. Out: an [`Error`]. One of our own
//! errors anywhere in the chain of causes comes out as it was. It does not know gRPC codes.

use std::error::Error as StdError;

use arrow::error::ArrowError;
use datafusion::common::{Diagnostic, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use parquet::errors::ParquetError;

use crate::error::{Error, Result};

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

/// The error that a DataFusion error stands for.
pub fn from_datafusion(error: DataFusionError) -> Error {
    let error = of(&error);
    // Said deep inside the writer of spill files, in whatever wrapping, and by DataFusion's name for the option.
    match error.message().contains("max_temp_directory_size") {
        true => {
            Error::resources("spill files: the query needs more disk than spill_limit allows to all queries")
        }
        false => error,
    }
}

/// `result` with DataFusion's error turned into ours.
///
/// # Errors
/// As [`from_datafusion`].
pub fn mapped<T>(result: Result<T, DataFusionError>) -> Result<T> {
    result.map_err(from_datafusion)
}

fn of(error: &DataFusionError) -> Error {
    if let Some(own) = own(error) {
        return own;
    }
    match error {
        DataFusionError::SQL(error, _) => parse_error(error),
        DataFusionError::Plan(text) | DataFusionError::Configuration(text) => Error::sql(one_line(text)),
        DataFusionError::Execution(text) => Error::sql(one_line(text)),
        DataFusionError::SchemaError(error, _) => schema_error(error),
        DataFusionError::NotImplemented(text) | DataFusionError::Substrait(text) => {
            Error::unsupported(one_line(text))
        }
        DataFusionError::ResourcesExhausted(text) => Error::resources(one_line(text)),
        DataFusionError::ArrowError(error, _) => arrow_error(error),
        DataFusionError::ParquetError(error) => parquet_error(error),
        DataFusionError::ObjectStore(error) => object_store_error(error),
        DataFusionError::IoError(error) => io_error(error),
        DataFusionError::ExecutionJoin(error) if error.is_cancelled() => {
            Error::cancelled("the query was cancelled")
        }
        DataFusionError::ExecutionJoin(error) => Error::internal(one_line(&error.to_string())),
        DataFusionError::Context(_, inner) => of(inner),
        DataFusionError::Shared(inner) => of(inner),
        DataFusionError::Diagnostic(diagnostic, inner) => positioned(diagnostic, of(inner)),
        DataFusionError::Collection(errors) => errors.first().map_or_else(
            || Error::internal("an empty list of errors"),
            |first| {
                let first = of(first);
                match errors.len() {
                    1 => first,
                    count => with_message(&first, &format!("{} (and {} more)", first.message(), count - 1)),
                }
            },
        ),
        DataFusionError::External(error) => foreign(error.as_ref()),
        DataFusionError::Internal(text) | DataFusionError::Ffi(text) => Error::internal(one_line(text)),
    }
}

/// Our own error among the causes.
fn own(error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<Error>() {
            return Some(own.clone());
        }
        // These hold a cause without naming it as their source.
        if let Some(DataFusionError::External(inner)) = error.downcast_ref()
            && let Some(found) = own(inner.as_ref())
        {
            return Some(found);
        }
        if let Some(ArrowError::ExternalError(inner)) = error.downcast_ref()
            && let Some(found) = own(inner.as_ref())
        {
            return Some(found);
        }
        if let Some(inner) = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            && let Some(found) = own(inner)
        {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// An error of a library that came boxed.
fn foreign(error: &(dyn StdError + Send + Sync + 'static)) -> Error {
    if let Some(error) = error.downcast_ref::<DataFusionError>() {
        of(error)
    } else if let Some(error) = error.downcast_ref::<ArrowError>() {
        arrow_error(error)
    } else if let Some(error) = error.downcast_ref::<ParquetError>() {
        parquet_error(error)
    } else if let Some(error) = error.downcast_ref::<object_store::Error>() {
        object_store_error(error)
    } else if let Some(error) = error.downcast_ref::<std::io::Error>() {
        io_error(error)
    } else if error.is::<std::str::Utf8Error>() || error.is::<std::string::FromUtf8Error>() {
        // Readers of files check text; text in a statement is UTF-8 already.
        Error::data(format!("text that is not UTF-8: {error}"))
    } else {
        Error::internal(one_line(&error.to_string()))
    }
}

fn parse_error(error: &ParserError) -> Error {
    match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            Error::sql(with_position_in_words(&one_line(text)))
        }
        ParserError::RecursionLimitExceeded => Error::sql("the statement is nested too deeply"),
    }
}

fn schema_error(error: &SchemaError) -> Error {
    Error::sql(one_line(&error.to_string()))
}

fn arrow_error(error: &ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(inner) => foreign(inner.as_ref()),
        ArrowError::NotYetImplemented(text) => Error::unsupported(one_line(text)),
        ArrowError::MemoryError(text) => Error::resources(one_line(text)),
        ArrowError::OffsetOverflowError(_) | ArrowError::DictionaryKeyOverflowError => Error::resources(
            "a batch of one column holds more bytes or values than its type can address; \
             a smaller batch_rows helps",
        ),
        ArrowError::DivideByZero => Error::sql("division by zero"),
        ArrowError::ArithmeticOverflow(text)
        | ArrowError::CastError(text)
        | ArrowError::ComputeError(text)
        | ArrowError::InvalidArgumentError(text)
        | ArrowError::SchemaError(text) => Error::sql(one_line(text)),
        // The CSV reader's words; the same variant comes from casts of text to dates and times.
        ArrowError::ParseError(text) if text.starts_with("Error while parsing value") => {
            Error::data(one_line(text))
        }
        ArrowError::ParseError(text) => Error::sql(one_line(text)),
        ArrowError::CsvError(text)
        | ArrowError::JsonError(text)
        | ArrowError::AvroError(text)
        | ArrowError::IpcError(text) => Error::data(one_line(text)),
        ArrowError::ParquetError(text) => Error::data(format!("damaged Parquet data: {}", one_line(text))),
        ArrowError::IoError(_, error) => io_error(error),
        other => Error::internal(one_line(&other.to_string())),
    }
}

fn parquet_error(error: &ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => foreign(inner.as_ref()),
        ParquetError::NYI(text) => Error::unsupported(format!("Parquet: {}", one_line(text))),
        ParquetError::General(text) | ParquetError::EOF(text) | ParquetError::ArrowError(text) => {
            Error::data(format!("damaged Parquet data: {}", one_line(text)))
        }
        other => Error::data(format!("damaged Parquet data: {}", one_line(&other.to_string()))),
    }
}

fn object_store_error(error: &object_store::Error) -> Error {
    if let Some(own) = own(error) {
        return own;
    }
    match error {
        object_store::Error::NotFound { path, .. } => Error::data(format!("{path}: no such file or object")),
        object_store::Error::AlreadyExists { path, .. } => Error::data(format!("{path}: exists already")),
        object_store::Error::PermissionDenied { path, .. } => Error::data(format!(
            "{path}: the store refuses access to the server's credentials"
        )),
        object_store::Error::Unauthenticated { path, .. } => Error::data(format!(
            "{path}: the store does not accept the server's credentials"
        )),
        object_store::Error::NotImplemented {
            operation,
            implementer,
        } => Error::unsupported(format!("{implementer} does not do {operation}")),
        object_store::Error::JoinError { source } if source.is_cancelled() => {
            Error::cancelled("the query was cancelled")
        }
        other => Error::data(one_line(&other.to_string())),
    }
}

fn io_error(error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            Error::resources(format!("no space is left for what operators spill: {error}"))
        }
        std::io::ErrorKind::OutOfMemory => Error::resources(error.to_string()),
        _ => Error::data(one_line(&error.to_string())),
    }
}

/// The error with the place in the statement that the planner marked.
fn positioned(diagnostic: &Diagnostic, error: Error) -> Error {
    match diagnostic.span {
        Some(span) if !error.message().contains(" at line ") => {
            let text = format!(
                "{} at line {}, column {}",
                error.message(),
                span.start.line,
                span.start.column
            );
            with_message(&error, &text)
        }
        _ => error,
    }
}

/// An error of the same kind with another text.
fn with_message(error: &Error, text: &str) -> Error {
    error.clone().reworded(text)
}

/// The parser's `at Line: 1, Column: 8` as `at line 1, column 8`.
fn with_position_in_words(text: &str) -> String {
    text.replace(" at Line: ", " at line ")
        .replace(", Column: ", ", column ")
}

/// What DataFusion and Arrow put before a text, one kind of error each.
const PREFIXES: [&str; 16] = [
    "Error during planning: ",
    "Execution error: ",
    "External error: ",
    "Arrow error: ",
    "Parquet error: ",
    "Object Store error: ",
    "Schema error: ",
    "SQL error: ",
    "sql parser error: ",
    "This feature is not implemented: ",
    "Invalid or Unsupported Configuration: ",
    "Resources exhausted: ",
    "Internal error: ",
    "Cast error: ",
    "Compute error: ",
    "Parser error: ",
];

/// One line in our style: no backtrace, no prefixes, first letter small, no full stop.
fn one_line(text: &str) -> String {
    let mut text = text
        .split(DataFusionError::BACK_TRACE_SEP)
        .next()
        .unwrap_or(text)
        .trim();
    // Ends DataFusion's internal errors, and sends users to DataFusion's issue tracker.
    if let Some(end) = text.find("This issue was likely caused by a bug") {
        text = text[..end].trim_end_matches(['.', '\n', ' ']);
    }
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest;
    }
    let mut line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    if line.ends_with('.') && !line.ends_with("..") {
        line.pop();
    }
    small_first_letter(line)
}

/// `Table x` as `table x`, but not `Utf8 x` or `SQL x`, which are names.
fn small_first_letter(line: String) -> String {
    let word = line.split([' ', ',', ':']).next().unwrap_or_default();
    let mut letters = word.chars();
    let sentence = letters.next().is_some_and(|first| first.is_ascii_uppercase())
        && word.len() > 1
        && letters.all(|letter| letter.is_ascii_lowercase() || letter == '\'');
    match sentence {
        true => line[..1].to_ascii_lowercase() + &line[1..],
        false => line,
    }
}

#[cfg(test)]
mod tests;
