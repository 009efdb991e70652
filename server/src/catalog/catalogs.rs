//! The catalogs of one session: `warpflight` with `public`, the session's own schemas and
//! `information_schema`.
//!
//! In: names of catalogs and schemas. Out: those. What a session creates lives and ends with it.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider};
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, TableType};
use datafusion::prelude::SessionContext;

use super::session::{SCHEMA, SessionSchema, TableInfo, TableKind};
use crate::error::{Error, Result};

/// The name of the catalog with the served tables.
pub const CATALOG: &str = "warpflight";

/// All catalogs of a session.
#[derive(Debug)]
pub struct SessionCatalogs {
    catalog: Arc<SessionCatalog>,
}

impl SessionCatalogs {
    /// The catalogs around a session's schema.
    pub fn new(schema: SessionSchema) -> Self {
        Self {
            catalog: Arc::new(SessionCatalog {
                public: Arc::new(schema),
                own: Arc::default(),
            }),
        }
    }

    /// Those of a session's context.
    pub fn of(context: &SessionContext) -> Option<Arc<Self>> {
        let state = context.state_ref();
        let catalogs: Arc<dyn Any + Send + Sync> = Arc::clone(state.read().catalog_list()) as _;
        catalogs.downcast().ok()
    }

    /// The schema `public`.
    pub fn public(&self) -> &Arc<SessionSchema> {
        &self.catalog.public
    }

    /// The names of all schemas of `warpflight`, in order.
    pub fn schema_names(&self) -> Vec<String> {
        self.catalog.schema_names()
    }

    /// Refuses the statements that DataFusion would run without asking the catalogs, or whose
    /// refusal by a catalog it would not pass on. To be called before a statement is run.
    ///
    /// # Errors
    /// `Unsupported` for `CREATE DATABASE`, `Sql` if a served table is to be dropped or replaced.
    pub fn check(&self, plan: &LogicalPlan) -> Result<()> {
        let LogicalPlan::Ddl(statement) = plan else {
            return Ok(());
        };
        let table = match statement {
            DdlStatement::CreateCatalog(create) => {
                return Err(Error::unsupported(format!(
                    "CREATE DATABASE {}: the server has one, {CATALOG}; CREATE SCHEMA makes schemas of a session",
                    create.catalog_name
                )));
            }
            DdlStatement::CreateMemoryTable(create) if create.or_replace => &create.name,
            DdlStatement::CreateExternalTable(create) if create.or_replace => &create.name,
            DdlStatement::CreateView(create) if create.or_replace => &create.name,
            DdlStatement::DropTable(drop) => &drop.name,
            DdlStatement::DropView(drop) => &drop.name,
            _ => return Ok(()),
        };
        match is_public(table) {
            true => self.catalog.public.check_own(table.table()),
            false => Ok(()),
        }
    }

    /// Whether a name stands for a served table, which the session has no table of its own in place of.
    pub fn serves(&self, name: &TableReference) -> bool {
        is_public(name) && self.catalog.public.serves(name.table())
    }

    /// All tables that the session sees, by schema and name; not those of `information_schema`.
    pub async fn tables(&self) -> DataFusionResult<Vec<TableInfo>> {
        let mut tables = self.catalog.public.tables();
        for (schema, provider) in self.catalog.own_schemas() {
            for name in provider.table_names() {
                let Some(table) = provider.table(&name).await? else {
                    continue;
                };
                let kind = TableKind::of_session(table.as_ref());
                tables.push(TableInfo {
                    schema: schema.clone(),
                    name,
                    kind,
                    comment: None,
                });
            }
        }
        tables.sort_by(|one, other| (&one.schema, &one.name).cmp(&(&other.schema, &other.name)));
        Ok(tables)
    }
}

/// Whether a name is one in the schema `public`.
fn is_public(name: &TableReference) -> bool {
    name.catalog().is_none_or(|catalog| catalog == CATALOG)
        && name.schema().is_none_or(|schema| schema == SCHEMA)
}

impl CatalogProviderList for SessionCatalogs {
    /// Keeps none: `CREATE DATABASE` is refused before it comes here, this method has no way to.
    fn register_catalog(
        &self,
        _name: String,
        catalog: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        Some(catalog)
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.into()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::clone(&self.catalog) as _)
    }
}

/// The catalog `warpflight` of a session.
#[derive(Debug)]
struct SessionCatalog {
    public: Arc<SessionSchema>,
    own: Arc<RwLock<BTreeMap<String, Arc<dyn SchemaProvider>>>>,
}

impl SessionCatalog {
    fn own_schemas(&self) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.iter()
            .map(|(name, schema)| (name.clone(), Arc::clone(schema)))
            .collect()
    }

    /// What `information_schema` lists: the same tables, without those that cannot be opened.
    fn listed(&self) -> Arc<dyn CatalogProviderList> {
        let readable =
            |schema: Arc<dyn SchemaProvider>| Arc::new(Readable(schema)) as Arc<dyn SchemaProvider>;
        let schemas = self
            .own_schemas()
            .into_iter()
            .chain([(SCHEMA.to_owned(), Arc::clone(&self.public) as _)])
            .map(|(name, schema)| (name, readable(schema)))
            .collect();
        Arc::new(Listed(Arc::new(ListedCatalog(schemas))))
    }
}

impl CatalogProvider for SessionCatalog {
    fn schema_names(&self) -> Vec<String> {
        let own = self.own_schemas().into_iter().map(|(name, _)| name);
        let mut names: Vec<String> = own.chain([SCHEMA.into(), INFORMATION_SCHEMA.into()]).collect();
        names.sort();
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        match name {
            SCHEMA => Some(Arc::clone(&self.public) as _),
            INFORMATION_SCHEMA => Some(Arc::new(InformationSchemaProvider::new(self.listed()))),
            name => self
                .own
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .get(name)
                .cloned(),
        }
    }

    fn register_schema(
        &self,
        name: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> DataFusionResult<Option<Arc<dyn SchemaProvider>>> {
        if matches!(name, SCHEMA | INFORMATION_SCHEMA) {
            return Err(
                Error::sql(format!("schema {name} is the server's: a session cannot make it")).into(),
            );
        }
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        Ok(own.insert(name.to_owned(), schema))
    }

    fn deregister_schema(
        &self,
        name: &str,
        cascade: bool,
    ) -> DataFusionResult<Option<Arc<dyn SchemaProvider>>> {
        if matches!(name, SCHEMA | INFORMATION_SCHEMA) {
            return Err(
                Error::sql(format!("schema {name} is the server's: a session cannot drop it")).into(),
            );
        }
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        let tables = own.get(name).map_or(0, |schema| schema.table_names().len());
        if tables > 0 && !cascade {
            return Err(Error::sql(format!(
                "schema {name} holds {tables} tables: drop them first, or drop the schema with CASCADE"
            ))
            .into());
        }
        Ok(own.remove(name))
    }
}

/// The one catalog that `information_schema` lists.
#[derive(Debug)]
struct Listed(Arc<ListedCatalog>);

impl CatalogProviderList for Listed {
    fn register_catalog(
        &self,
        _name: String,
        _catalog: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.into()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::clone(&self.0) as _)
    }
}

#[derive(Debug)]
struct ListedCatalog(BTreeMap<String, Arc<dyn SchemaProvider>>);

impl CatalogProvider for ListedCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.0.get(name).cloned()
    }
}

/// A schema whose tables that cannot be opened are left out where columns are listed.
#[derive(Debug)]
struct Readable(Arc<dyn SchemaProvider>);

#[async_trait]
impl SchemaProvider for Readable {
    fn table_names(&self) -> Vec<String> {
        self.0.table_names()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        Ok(self.0.table(name).await.unwrap_or_else(|error| {
            tracing::warn!(table = name, %error, "table left out of information_schema");
            None
        }))
    }

    async fn table_type(&self, name: &str) -> DataFusionResult<Option<TableType>> {
        self.0.table_type(name).await
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.table_exist(name)
    }
}
