//! The catalog from the outside: files in a temporary folder, statements through DataFusion.

mod errors;
mod external;
mod served;
mod session;
mod versions;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use parquet::arrow::ArrowWriter;

use super::*;
use crate::config::tables::{TableEntry, UserEntry};
use crate::error_datafusion::from_datafusion;

/// A folder that is removed with the value, without links in its path.
pub struct Folder {
    _kept: tempfile::TempDir,
    path: PathBuf,
}

impl Folder {
    pub fn new() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let path = kept.path().canonicalize().unwrap();
        Self { _kept: kept, path }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// Writes a Parquet file with one column of numbers.
pub fn numbers(path: &Path, column: &str, values: &[i64]) {
    parquet(path, &[(column, Arc::new(Int64Array::from(values.to_vec())))]);
}

/// Writes a Parquet file with one column of texts.
pub fn texts(path: &Path, column: &str, values: &[&str]) {
    parquet(path, &[(column, Arc::new(StringArray::from(values.to_vec())))]);
}

pub fn parquet(path: &Path, columns: &[(&str, ArrayRef)]) {
    let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

pub fn entry(name: &str, location: String) -> TableEntry {
    TableEntry {
        name: name.into(),
        location,
        format: None,
        partition_columns: None,
        options: BTreeMap::new(),
        comment: None,
    }
}

/// A server's catalog and one session of it.
pub struct Server {
    pub catalog: Arc<Catalog>,
    runtime: Arc<RuntimeEnv>,
}

impl Server {
    pub async fn new(config: &Config) -> Self {
        let catalog = Catalog::open(config, &BTreeMap::new()).await.unwrap();
        let runtime = catalog.configure(RuntimeEnvBuilder::new()).build_arc().unwrap();
        catalog.attach(Arc::clone(&runtime));
        Self { catalog, runtime }
    }

    pub fn session(&self, rights: Rights) -> SessionContext {
        let rights = Arc::new(rights);
        let mut config = SessionConfig::new().with_target_partitions(2);
        session_options(config.options_mut());
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_default_features()
            .with_catalog_list(self.catalog.session(Arc::clone(&rights)))
            .build();
        state
            .table_factories_mut()
            .extend(ExternalTableFactory::factories(&self.catalog, &rights));
        SessionContext::new_with_state(state)
    }

    pub fn anyone(&self) -> SessionContext {
        self.session(Rights::anonymous())
    }
}

pub fn user(read: &[&str], files: bool, write: bool) -> Rights {
    Rights::of(&UserEntry {
        name: "ana".into(),
        password_hash: String::new(),
        read: read.iter().map(|name| (*name).to_owned()).collect(),
        files,
        write,
        admin: false,
    })
}

/// The rows of a query as text, one cell after the other.
pub async fn rows(session: &SessionContext, sql: &str) -> Result<String> {
    let plan = session
        .state()
        .create_logical_plan(sql)
        .await
        .map_err(from_datafusion)?;
    let catalogs = Arc::clone(session.state().catalog_list());
    catalogs.downcast_ref::<SessionCatalogs>().unwrap().check(&plan)?;
    let frame = session
        .execute_logical_plan(plan)
        .await
        .map_err(from_datafusion)?;
    let batches = frame.collect().await.map_err(from_datafusion)?;
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let cells = table.lines().skip(3).filter(|line| line.starts_with('|'));
    Ok(cells
        .map(|line| {
            line.split('|')
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect::<Vec<_>>()
        .join(" "))
}

pub async fn refusal(session: &SessionContext, sql: &str) -> Error {
    match rows(session, sql).await {
        Err(error) => error,
        Ok(rows) => panic!("{sql} gave {rows}"),
    }
}
