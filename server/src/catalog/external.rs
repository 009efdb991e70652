//! `CREATE EXTERNAL TABLE`: a session's own table of files below `data_roots`.
//!
//! In: the statement as DataFusion parsed it. Out: a table. It is opened at once, so that a wrong
//! location is refused where it is written.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::CreateExternalTable;

use super::Catalog;
use super::format::Format;
use super::provider::OpenTable;
use super::table::Specification;
use crate::error::{Error, Result};
use crate::security::rights::Rights;

/// The types that `STORED AS` takes.
pub const FILE_TYPES: [&str; 5] = ["PARQUET", "CSV", "JSON", "NDJSON", "ARROW"];

/// Makes external tables for one session.
#[derive(Debug)]
pub struct ExternalTableFactory {
    catalog: Arc<Catalog>,
    rights: Arc<Rights>,
}

impl ExternalTableFactory {
    /// A factory for a session with these rights.
    pub fn new(catalog: Arc<Catalog>, rights: Arc<Rights>) -> Self {
        Self { catalog, rights }
    }

    /// The same factory under every type that it takes, as `SessionState`'s table factories want it.
    pub fn factories(
        catalog: &Arc<Catalog>,
        rights: &Arc<Rights>,
    ) -> impl Iterator<Item = (String, Arc<dyn TableProviderFactory>)> {
        let factory: Arc<dyn TableProviderFactory> =
            Arc::new(Self::new(Arc::clone(catalog), Arc::clone(rights)));
        FILE_TYPES
            .into_iter()
            .map(move |name| (name.to_owned(), Arc::clone(&factory)))
    }

    fn specification(&self, statement: &CreateExternalTable) -> Result<Specification> {
        if statement.unbounded {
            return Err(Error::unsupported(
                "CREATE UNBOUNDED EXTERNAL TABLE: tables are files, which end",
            ));
        }
        let locations = statement
            .locations
            .iter()
            .map(|text| self.catalog.locate_for(&self.rights, text))
            .collect::<Result<Vec<_>>>()?;
        let columns: SchemaRef = Arc::clone(statement.schema.inner());
        let given = &statement.table_partition_cols;
        Ok(Specification {
            name: statement.name.table().to_owned(),
            locations,
            format: Some(Format::of_name(&statement.file_type)?),
            options: statement.options.clone().into_iter().collect(),
            partition_columns: match (given.is_empty(), columns.fields().is_empty()) {
                // With columns declared and no partitions among them, folders are only folders.
                (true, false) => Some(Vec::new()),
                (true, true) => None,
                (false, _) => Some(given.clone()),
            },
            columns: (!columns.fields().is_empty()).then_some(columns),
            orders: statement.order_exprs.clone(),
            constraints: statement.constraints.clone(),
            defaults: statement.column_defaults.clone(),
            definition: statement.definition.clone(),
        })
    }
}

#[async_trait]
impl TableProviderFactory for ExternalTableFactory {
    async fn create(
        &self,
        session: &dyn Session,
        statement: &CreateExternalTable,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let table = self.catalog.user_table(self.specification(statement)?);
        let opened = table.open(session).await?;
        Ok(Arc::new(OpenTable::kept(table, opened)))
    }
}
