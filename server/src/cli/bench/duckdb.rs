//! DuckDB beside us: a Python process that is asked one query after the other. In: the files and SQL. Out: seconds
//! and rows. It knows nothing of what is done with them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::data::Files;
use crate::error::{Error, Result};

const SCRIPT: &str = include_str!("duckdb.py");

/// A running DuckDB.
#[derive(Debug)]
pub struct DuckDb {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Its version.
    pub version: String,
}

impl DuckDb {
    /// Starts it with a view of each table. `cold` turns its own cache of files off.
    ///
    /// # Errors
    /// `Unsupported` if Python or its module is not there, in its own words.
    pub fn start(python: &Path, files: &Files, cold: bool) -> Result<Self> {
        let missing =
            |reason: String| Error::unsupported(format!("DuckDB by {}: {reason}", python.display()));
        let mut process = Command::new(python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| missing(error.to_string()))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Error::internal("a process without its pipes"));
        };
        let mut started = Self {
            process,
            input,
            output: BufReader::new(output),
            version: String::new(),
        };
        let tables: serde_json::Map<String, Value> = files
            .tables()
            .map(|(name, paths)| {
                let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                (name.to_owned(), json!(paths))
            })
            .collect();
        let greeting = started.ask(&json!({ "tables": tables, "cold": cold }));
        let greeting = greeting.map_err(|error| missing(error.message().to_owned()))?;
        started.version = greeting["version"]
            .as_str()
            .unwrap_or("of unknown version")
            .to_owned();
        Ok(started)
    }

    /// Seconds that a query took, and its rows: arrays of cells, of which floating-point ones are numbers and all others
    /// text or null.
    ///
    /// # Errors
    /// `Data` with what DuckDB says.
    pub fn run(&mut self, sql: &str) -> Result<(f64, Vec<Value>)> {
        let mut answer = self.ask(&json!({ "sql": sql }))?;
        match (answer["seconds"].as_f64(), answer["rows"].take()) {
            (Some(seconds), Value::Array(rows)) => Ok((seconds, rows)),
            _ => Err(Error::data(format!("DuckDB answered {answer}"))),
        }
    }

    fn ask(&mut self, question: &Value) -> Result<Value> {
        // A process that is gone is noticed by its missing answer, with what it said before.
        let sent = writeln!(self.input, "{question}").and_then(|()| self.input.flush());
        let mut line = String::new();
        let gone = |error| Error::data(format!("the process is gone: {error}"));
        self.output.read_line(&mut line).map_err(gone)?;
        if line.is_empty() {
            sent.map_err(gone)?;
            return Err(Error::data("the process ended without an answer"));
        }
        let answer: Value =
            serde_json::from_str(&line).map_err(|error| Error::data(format!("found {line:?}: {error}")))?;
        match answer["error"].as_str() {
            Some(error) => Err(Error::data(error)),
            None => Ok(answer),
        }
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
