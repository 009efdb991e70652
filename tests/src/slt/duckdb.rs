//! The second engine: DuckDB, in one Python process for all files.
//!
//! In: SQL text. Out: rows as text, by way of Arrow, or DuckDB's error. A connection has a database of its own,
//! with a view for each Parquet table. Knows nothing of the server.

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::ipc::reader::StreamReader;
use async_trait::async_trait;
use serde_json::{Value, json};
use sqllogictest::{AsyncDB, DBOutput};

use super::column::{ColumnKind, column_kinds};
use super::format::format_rows;
use super::{EngineError, Result};
use crate::python::python_env;

const WORKER: &str = include_str!("duckdb_worker.py");
const SETTINGS: &str = include_str!("duckdb_setup.sql");

/// The Python process, and what every new connection starts with.
pub struct DuckDbProcess {
    pipe: Mutex<Pipe>,
    setup: Vec<String>,
}

struct Pipe {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    connection_count: u64,
}

impl DuckDbProcess {
    /// Starts the process; connections will see the Parquet files of `tables`.
    pub fn start(tables: &Path) -> Result<Arc<Self>> {
        let mut child = Command::new(python_env())
            .args(["-c", WORKER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = child.stdin.take().ok_or("the worker has no standard input")?;
        let answers = child.stdout.take().ok_or("the worker has no standard output")?;
        let pipe = Pipe {
            child,
            requests,
            answers: BufReader::new(answers),
            connection_count: 0,
        };
        Ok(Arc::new(Self {
            pipe: Mutex::new(pipe),
            setup: setup_statements(tables)?,
        }))
    }

    /// A connection with an empty database and the views.
    pub fn connect(self: &Arc<Self>) -> std::result::Result<DuckDb, EngineError> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.connection_count += 1;
        let connection = pipe.connection_count;
        pipe.ask(&json!({ "connection": connection, "setup": self.setup }))?;
        Ok(DuckDb {
            process: self.clone(),
            connection,
        })
    }
}

fn setup_statements(tables: &Path) -> Result<Vec<String>> {
    let mut statements = vec![SETTINGS.to_owned()];
    for entry in fs::read_dir(tables)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        statements.push(format!(
            "CREATE VIEW {name} AS FROM read_parquet('{}')",
            path.display()
        ));
    }
    Ok(statements)
}

impl Pipe {
    /// The Arrow stream that answers `request`; empty for a statement without a result.
    fn ask(&mut self, request: &Value) -> std::result::Result<Vec<u8>, EngineError> {
        writeln!(self.requests, "{request}")?;
        let mut header = String::new();
        self.answers.read_line(&mut header)?;
        let header: Value =
            serde_json::from_str(&header).map_err(|_| EngineError::new("the DuckDB worker has ended"))?;
        if let Some(error) = header["error"].as_str() {
            return Err(EngineError::new(error));
        }
        let mut body = vec![0; header["arrow_bytes"].as_u64().unwrap_or_default() as usize];
        self.answers.read_exact(&mut body)?;
        Ok(body)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to DuckDB.
pub struct DuckDb {
    process: Arc<DuckDbProcess>,
    connection: u64,
}

#[async_trait]
impl AsyncDB for DuckDb {
    type Error = EngineError;
    type ColumnType = ColumnKind;

    async fn run(&mut self, sql: &str) -> std::result::Result<DBOutput<ColumnKind>, EngineError> {
        let request = json!({ "connection": self.connection, "sql": sql });
        let body = self
            .process
            .pipe
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ask(&request)?;
        if body.is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let reader = StreamReader::try_new(Cursor::new(body), None)?;
        let schema = reader.schema();
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>()?;
        let rows = format_rows(&batches).map_err(EngineError::from_display)?;
        Ok(super::as_output(sql, column_kinds(&schema), rows))
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "duckdb"
    }
}
