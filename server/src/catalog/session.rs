//! The schema `public` as one session sees it: its own tables and views, the served tables that
//! its user's grants name, and paths.
//!
//! In: names from statements. Out: tables. A served table that the user may not read does not
//! exist for that user. It does not know how tables are opened.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::TableType;

use super::format::Format;
use super::provider::OpenTable;
use super::table::{FileTable, Opened, Specification};
use super::{Catalog, Served};
use crate::error::{Error, Result};
use crate::security::rights::Rights;

/// The name of the schema with the served tables.
pub const SCHEMA: &str = "public";

/// What a table is, to clients that ask for a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableKind {
    /// Served to all whose grants name it.
    Table,
    /// A view of this session.
    View,
    /// A table of this session.
    LocalTemporary,
}

impl TableKind {
    /// Its name in Flight SQL's and JDBC's lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "TABLE",
            Self::View => "VIEW",
            Self::LocalTemporary => "LOCAL TEMPORARY",
        }
    }

    /// What a session's own table is.
    pub fn of_session(table: &dyn TableProvider) -> Self {
        match table.table_type() {
            TableType::View => Self::View,
            TableType::Base | TableType::Temporary => Self::LocalTemporary,
        }
    }
}

/// A table in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// What it holds, if the configuration says so.
    pub comment: Option<String>,
}

/// The schema `public` of one session.
#[derive(Debug)]
pub struct SessionSchema {
    catalog: Arc<Catalog>,
    rights: Arc<Rights>,
    own: RwLock<BTreeMap<String, Arc<dyn TableProvider>>>,
}

impl SessionSchema {
    /// The schema of a session with these rights.
    pub fn new(catalog: Arc<Catalog>, rights: Arc<Rights>) -> Self {
        Self {
            catalog,
            rights,
            own: RwLock::default(),
        }
    }

    /// All tables that the session sees, by name.
    pub fn tables(&self) -> Vec<TableInfo> {
        let info = |name: &str, kind, comment: Option<String>| TableInfo {
            schema: SCHEMA.into(),
            name: name.to_owned(),
            kind,
            comment,
        };
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let served = self
            .visible()
            .map(|(name, served)| info(name, TableKind::Table, served.comment.clone()));
        let mut tables: Vec<TableInfo> = served
            .chain(
                own.iter()
                    .map(|(name, table)| info(name, TableKind::of_session(table.as_ref()), None)),
            )
            .collect();
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        tables
    }

    /// The session's own table of a name.
    pub fn own_table(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.own
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// Whether a session may make, replace or drop a table of this name.
    ///
    /// # Errors
    /// `Sql` if it is a served table that the session sees.
    pub fn check_own(&self, name: &str) -> Result<()> {
        match self.serves(name) {
            false => Ok(()),
            true => Err(Error::sql(format!(
                "table {name} is served by this server: a session cannot make, replace or drop it"
            ))),
        }
    }

    /// Whether a name stands for a served table, which the session has no table of its own in place of.
    pub fn serves(&self, name: &str) -> bool {
        self.own_table(name).is_none() && self.served(name).is_some()
    }

    /// Whether the files of a table are listed now as they were when it was opened.
    ///
    /// # Errors
    /// As [`FileTable::open`].
    pub async fn has_unchanged(&self, table: &FileTable, opened: &Arc<Opened>) -> Result<bool> {
        let now = table.open(self.catalog.opening_session()?).await?;
        Ok(Arc::ptr_eq(&now, opened))
    }

    fn visible(&self) -> impl Iterator<Item = (&String, &Served)> {
        self.catalog
            .served
            .iter()
            .filter(|(name, _)| self.rights.reads(name))
    }

    fn served(&self, name: &str) -> Option<&Served> {
        self.catalog.served.get(name).filter(|_| self.rights.reads(name))
    }

    async fn opened(&self, table: &Arc<FileTable>) -> Result<Arc<dyn TableProvider>> {
        let opened = table.open(self.catalog.opening_session()?).await?;
        Ok(Arc::new(OpenTable::for_statement(Arc::clone(table), opened)))
    }

    async fn path_table(&self, path: &str) -> Result<Arc<dyn TableProvider>> {
        let location = self.catalog.locate_for(&self.rights, path)?;
        let table = self.catalog.user_table(Specification {
            locations: vec![location],
            ..Specification::default()
        });
        self.opened(&table).await
    }
}

/// Whether a name in FROM is a path or a URL: it has a slash, or ends like a data file.
fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name.starts_with('~') || Format::of_file(name).is_some()
}

#[async_trait]
impl SchemaProvider for SessionSchema {
    fn table_names(&self) -> Vec<String> {
        self.tables().into_iter().map(|table| table.name).collect()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.own_table(name) {
            return Ok(Some(match table.downcast_ref::<OpenTable>() {
                Some(files) => Arc::new(files.reopened(self.catalog.opening_session()?).await?),
                None => table,
            }));
        }
        if let Some(served) = self.served(name) {
            return Ok(Some(self.opened(&served.table).await?));
        }
        match is_path(name) {
            true => Ok(Some(self.path_table(name).await?)),
            false => Ok(None),
        }
    }

    async fn table_type(&self, name: &str) -> DataFusionResult<Option<TableType>> {
        if let Some(table) = self.own_table(name) {
            return Ok(Some(table.table_type()));
        }
        // Known without opening it.
        Ok(self.served(name).map(|_| TableType::Base))
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        self.check_own(&name)?;
        if is_path(&name) {
            return Err(Error::sql(format!("table {name:?}: found a path, expected a name")).into());
        }
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        Ok(own.insert(name, table))
    }

    fn deregister_table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let removed = self
            .own
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        if removed.is_none() {
            self.check_own(name)?;
        }
        Ok(removed)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.own_table(name).is_some() || self.served(name).is_some()
    }
}
