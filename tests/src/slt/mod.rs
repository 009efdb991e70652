//! SQL logic tests: files of statements with their results, run on the server and on a second engine.
//!
//! In: `.slt` files and a way to connect to each engine. Out: for each file, how many statements ran and which
//! went wrong. Knows no particular statement.

pub mod column;
pub mod data;
pub mod device;
pub mod duckdb;
pub mod flight;
pub mod format;
pub mod script;
mod tpch;

use std::fmt;

use sqllogictest::DBOutput;

use self::column::ColumnKind;

/// The outcome of anything here that is not an engine's answer.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// An engine's refusal, as the text that `statement error` and `query error` are matched with.
#[derive(Debug)]
pub struct EngineError(String);

impl EngineError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    fn from_display(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for EngineError {}

impl From<std::io::Error> for EngineError {
    fn from(error: std::io::Error) -> Self {
        Self::from_display(error)
    }
}

impl From<arrow::error::ArrowError> for EngineError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::from_display(error)
    }
}

impl From<arrow_flight::error::FlightError> for EngineError {
    fn from(error: arrow_flight::error::FlightError) -> Self {
        match error {
            arrow_flight::error::FlightError::Tonic(status) => Self::new(status.message()),
            other => Self::from_display(other),
        }
    }
}

/// Whether `sql` returns rows, judged by its first word as clients judge it.
fn is_query(sql: &str) -> bool {
    let first_word = sql.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    let first_word = first_word
        .split(|c: char| !c.is_alphabetic())
        .next()
        .unwrap_or_default();
    const QUERIES: &[&str] = &[
        "select", "with", "values", "show", "explain", "describe", "desc", "table", "from",
    ];
    QUERIES.contains(&first_word.to_lowercase().as_str())
}

/// What an engine gave that answers every statement with rows: a count stands in the first of them.
fn as_output(sql: &str, types: Vec<ColumnKind>, rows: Vec<Vec<String>>) -> DBOutput<ColumnKind> {
    if is_query(sql) {
        return DBOutput::Rows { types, rows };
    }
    let count = rows
        .first()
        .and_then(|row| row.first())
        .and_then(|count| count.parse().ok());
    DBOutput::StatementComplete(count.unwrap_or(0))
}
