//! A table of files as one statement sees it.
//!
//! In: an opened table. Out: DataFusion's scan of it. A statement that is planned long before it
//! runs, such as a prepared one, reads the files that there are when it runs.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{ScanArgs, ScanResult, Session, TableProvider};
use datafusion::common::{Constraints, Statistics};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::table::{FileTable, Opened};
use crate::error::{Error, Result};

/// An opened table.
#[derive(Debug)]
pub struct OpenTable {
    table: Arc<FileTable>,
    opened: Arc<Opened>,
    /// Whether it was made for one statement, which just listed the files.
    for_one_statement: bool,
}

impl OpenTable {
    /// A table as it was opened for the statement that is being planned.
    pub fn for_statement(table: Arc<FileTable>, opened: Arc<Opened>) -> Self {
        Self {
            table,
            opened,
            for_one_statement: true,
        }
    }

    /// A table that a session keeps.
    pub fn kept(table: Arc<FileTable>, opened: Arc<Opened>) -> Self {
        Self {
            table,
            opened,
            for_one_statement: false,
        }
    }

    /// The same table as its files are now, for the statement that is being planned.
    ///
    /// # Errors
    /// As [`FileTable::open`].
    pub async fn reopened(&self, session: &dyn Session) -> Result<Self> {
        let opened = self.table.open(session).await?;
        Ok(Self::for_statement(Arc::clone(&self.table), opened))
    }

    /// What it is of, and as what it was opened.
    pub fn parts(&self) -> (&Arc<FileTable>, &Arc<Opened>) {
        (&self.table, &self.opened)
    }

    async fn present(&self, session: &dyn Session) -> DataFusionResult<Arc<Opened>> {
        if self.for_one_statement && !self.opened.is_old() {
            return Ok(Arc::clone(&self.opened));
        }
        let now = self.table.open(session).await?;
        if now.provider.schema() == self.opened.provider.schema() {
            return Ok(now);
        }
        Err(Error::data(format!(
            "table {}: its columns changed after the statement was prepared, prepare it again",
            self.table.specification.name
        ))
        .into())
    }
}

#[async_trait]
impl TableProvider for OpenTable {
    fn schema(&self) -> SchemaRef {
        self.opened.provider.schema()
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.opened.provider.constraints()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn get_table_definition(&self) -> Option<&str> {
        self.opened.provider.get_table_definition()
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        None
    }

    fn statistics(&self) -> Option<Statistics> {
        self.opened.statistics.clone()
    }

    fn get_column_default(&self, column: &str) -> Option<&Expr> {
        self.opened.provider.get_column_default(column)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.present(session)
            .await?
            .provider
            .scan(session, projection, filters, limit)
            .await
    }

    async fn scan_with_args<'a>(
        &self,
        session: &dyn Session,
        args: ScanArgs<'a>,
    ) -> DataFusionResult<ScanResult> {
        self.present(session)
            .await?
            .provider
            .scan_with_args(session, args)
            .await
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        self.opened.provider.supports_filters_pushdown(filters)
    }
}
