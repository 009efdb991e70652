//! DataFusion in this process, without a server: a quick way to write statements.
//!
//! In: SQL text. Out: rows as text. Set up as the server is by default.

use std::fs;
use std::path::Path;

use async_trait::async_trait;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use sqllogictest::{AsyncDB, DBOutput};

use super::column::{ColumnKind, column_kinds};
use super::format::format_rows;
use super::EngineError;

/// One session.
pub struct InProcess {
    session: SessionContext,
}

impl InProcess {
    /// A session that sees the Parquet files of `tables`.
    pub async fn connect(tables: &Path) -> Result<Self, EngineError> {
        let session = SessionContext::new_with_config(SessionConfig::new().with_information_schema(true));
        for entry in fs::read_dir(tables)? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            session
                .register_parquet(name.as_ref(), path.to_string_lossy(), ParquetReadOptions::default())
                .await
                .map_err(EngineError::from_display)?;
        }
        Ok(Self { session })
    }
}

#[async_trait]
impl AsyncDB for InProcess {
    type Error = EngineError;
    type ColumnType = ColumnKind;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<ColumnKind>, EngineError> {
        let frame = self.session.sql(sql).await.map_err(EngineError::from_display)?;
        let schema = frame.schema().as_arrow().clone();
        let batches = frame.collect().await.map_err(EngineError::from_display)?;
        let rows = format_rows(&batches).map_err(EngineError::from_display)?;
        Ok(super::as_output(sql, column_kinds(&schema), rows))
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "warpflight"
    }
}
