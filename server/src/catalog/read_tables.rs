//! The served tables that a plan reads, as they were when it was made.
//!
//! In: a plan, and the names in its statement. Out: whether a session would find the same tables under these names, with
//! the same files. It keeps no plan.

use std::sync::Arc;

use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use super::SessionCatalogs;
use super::provider::OpenTable;
use super::table::{FileTable, Opened};
use crate::error::Result;

/// See the module.
#[derive(Debug)]
pub struct ReadTables {
    names: Vec<TableReference>,
    tables: Vec<(Arc<FileTable>, Arc<Opened>)>,
}

impl ReadTables {
    /// Those of `plan`, whose statement has these names. `None` if it reads none, or one that is no served table or is not
    /// among the names: views, tables of sessions, paths and functions may be others when they are asked for again, and so
    /// may what `EXECUTE` stands for.
    pub fn of(catalogs: &SessionCatalogs, names: &[TableReference], plan: &LogicalPlan) -> Option<Self> {
        let mut tables: Vec<(Arc<FileTable>, Arc<Opened>)> = Vec::new();
        let found = plan.apply_with_subqueries(|node| {
            let LogicalPlan::TableScan(scan) = node else {
                return Ok(TreeNodeRecursion::Continue);
            };
            let provider = source_as_provider(&scan.source)?;
            let is_named = names.iter().any(|name| name.table() == scan.table_name.table());
            let parts = provider.downcast_ref::<OpenTable>().map(OpenTable::parts);
            let Some((table, opened)) = parts.filter(|_| is_named) else {
                return Ok(TreeNodeRecursion::Stop);
            };
            if !tables.iter().any(|(known, _)| Arc::ptr_eq(known, table)) {
                tables.push((Arc::clone(table), Arc::clone(opened)));
            }
            Ok(TreeNodeRecursion::Continue)
        });
        let read = Self {
            names: names.to_vec(),
            tables,
        };
        let has_others = !matches!(found, Ok(TreeNodeRecursion::Continue));
        (!has_others && !read.tables.is_empty() && read.are_named(catalogs)).then_some(read)
    }

    /// How many files they have.
    pub fn files(&self) -> usize {
        self.tables.iter().map(|(_, opened)| opened.files()).sum()
    }

    /// Whether a session finds the same tables under these names, and their files are listed as they were.
    ///
    /// # Errors
    /// As [`FileTable::open`].
    pub async fn are_found(&self, catalogs: &SessionCatalogs) -> Result<bool> {
        Ok(self.are_named(catalogs) && self.are_unchanged(catalogs, |_| true).await?)
    }

    /// As [`ReadTables::are_found`], for a statement that was planned a moment ago: what was listed since then is not listed
    /// again.
    ///
    /// # Errors
    /// As [`FileTable::open`].
    pub async fn are_still_found(&self, catalogs: &SessionCatalogs) -> Result<bool> {
        Ok(self.are_named(catalogs) && self.are_unchanged(catalogs, Opened::is_old).await?)
    }

    /// Whether each name is that of a served table: the user may read it, and the session has none of its own in its place.
    fn are_named(&self, catalogs: &SessionCatalogs) -> bool {
        self.names.iter().all(|name| catalogs.serves(name))
    }

    async fn are_unchanged(
        &self,
        catalogs: &SessionCatalogs,
        is_looked_at: impl Fn(&Opened) -> bool,
    ) -> Result<bool> {
        for (table, opened) in &self.tables {
            if is_looked_at(opened) && !catalogs.public().has_unchanged(table, opened).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
