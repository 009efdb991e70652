//! What a session's catalog list holds: names of catalogs and schemas, filtered and in order.
//!
//! Patterns are those of SQL's LIKE: `%` is any text, `_` any one character, and a backslash
//! takes either literally (the escape that SqlInfo names). They tell upper from lower case.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider};
use datafusion::catalog::{CatalogProvider, SchemaProvider};
use datafusion::prelude::SessionContext;

use crate::error::{Error, Result};

/// What takes a wildcard of a pattern literally.
pub const PATTERN_ESCAPE: &str = "\\";

/// The catalogs, ordered by name; with a filter, the one of exactly that name. Every schema here
/// is in a catalog, so the empty name, which asks for what has none, finds nothing.
pub fn catalogs(context: &SessionContext, name: Option<&str>) -> BTreeSet<String> {
    let names = context.catalog_names().into_iter();
    names
        .filter(|found| name.is_none_or(|name| name == found))
        .collect()
}

/// A schema that a session sees.
pub struct VisibleSchema {
    /// The catalog that it is in.
    pub catalog: String,
    /// Its name.
    pub name: String,
    /// Its tables.
    pub provider: Arc<dyn SchemaProvider>,
}

impl VisibleSchema {
    /// Whether its tables describe the others.
    pub fn is_system(&self) -> bool {
        self.name == INFORMATION_SCHEMA
    }
}

/// The schemas whose catalog has the given name and whose name fits the pattern, ordered by
/// catalog, then by name.
///
/// # Errors
/// `Internal` only.
pub fn schemas(
    context: &SessionContext,
    catalog: Option<&str>,
    pattern: Option<&str>,
) -> Result<Vec<VisibleSchema>> {
    let mut visible = Vec::new();
    for catalog_name in catalogs(context, catalog) {
        // A catalog or a schema may go between the listing of its name and the look at it.
        let Some(provider) = context.catalog(&catalog_name) else {
            continue;
        };
        for name in matching(schema_names(context, provider.as_ref()), pattern)? {
            if let Some(provider) = schema(context, provider.as_ref(), &name) {
                visible.push(VisibleSchema {
                    catalog: catalog_name.clone(),
                    name,
                    provider,
                });
            }
        }
    }
    Ok(visible)
}

/// DataFusion keeps `information_schema` out of its catalogs and answers for it in each of them.
fn schema_names(context: &SessionContext, catalog: &dyn CatalogProvider) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = catalog.schema_names().into_iter().collect();
    if context.copied_config().information_schema() {
        names.insert(INFORMATION_SCHEMA.to_owned());
    }
    names
}

fn schema(
    context: &SessionContext,
    catalog: &dyn CatalogProvider,
    name: &str,
) -> Option<Arc<dyn SchemaProvider>> {
    if name == INFORMATION_SCHEMA && context.copied_config().information_schema() {
        let catalogs = Arc::clone(context.state_ref().read().catalog_list());
        return Some(Arc::new(InformationSchemaProvider::new(catalogs)));
    }
    catalog.schema(name)
}

/// Those of the names that fit a pattern, in their order; all of them where there is none.
///
/// # Errors
/// `Internal` only.
pub fn matching(names: BTreeSet<String>, pattern: Option<&str>) -> Result<Vec<String>> {
    let Some(pattern) = pattern else {
        return Ok(names.into_iter().collect());
    };
    let fits = compute::like(
        &StringArray::from_iter_values(&names),
        &StringArray::new_scalar(pattern),
    )
    .map_err(|error| Error::internal(format!("pattern {pattern:?}: {error}")))?;
    Ok(names
        .into_iter()
        .zip(fits.values())
        .filter_map(|(name, fits)| fits.then_some(name))
        .collect())
}

/// A result from its columns.
///
/// # Errors
/// `Internal` if they do not fit the schema.
pub fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(schema, columns)
        .map_err(|error| Error::internal(format!("rows of a metadata command: {error}")))
}

#[cfg(test)]
pub(super) mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::catalog::{MemoryCatalogProvider, MemorySchemaProvider, TableProvider};
    use datafusion::datasource::empty::EmptyTable;
    use datafusion::error::{DataFusionError, Result as DataFusionResult};
    use datafusion::prelude::SessionConfig;

    use super::*;

    /// A schema with a table that cannot be opened and one that is gone when it is looked at.
    #[derive(Debug)]
    struct Damaged;

    #[async_trait::async_trait]
    impl SchemaProvider for Damaged {
        fn table_names(&self) -> Vec<String> {
            vec!["torn".into(), "gone".into()]
        }

        async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
            match name {
                "torn" => Err(DataFusionError::Execution("torn.parquet: no footer".into())),
                _ => Ok(None),
            }
        }

        fn table_exist(&self, name: &str) -> bool {
            name == "torn"
        }
    }

    /// Two catalogs, of which `warpflight` is the default one: `public` with tables and views,
    /// `damaged`, and in each the `information_schema`.
    pub async fn context() -> SessionContext {
        let config = SessionConfig::new()
            .with_information_schema(true)
            .with_default_catalog_and_schema("warpflight", "public");
        let context = SessionContext::new_with_config(config);
        for statement in [
            "CREATE TABLE orders (id BIGINT NOT NULL, price DECIMAL(15,2), day DATE, note VARCHAR) AS VALUES (1, 2.5, '2024-01-01', 'a')",
            "CREATE TABLE order_items AS VALUES (1)",
            "CREATE TABLE orderXitems AS VALUES (1)",
            "CREATE TABLE \"Orders\" AS VALUES (1)",
            "CREATE VIEW cheap AS SELECT * FROM orders WHERE price < 10",
        ] {
            context.sql(statement).await.unwrap().collect().await.unwrap();
        }
        context
            .catalog("warpflight")
            .unwrap()
            .register_schema("damaged", Arc::new(Damaged))
            .unwrap();
        let archive = MemoryCatalogProvider::new();
        let old = MemorySchemaProvider::new();
        let columns = Arc::new(Schema::new(vec![Field::new("x", DataType::Int32, true)]));
        old.register_table("old_orders".into(), Arc::new(EmptyTable::new(columns)))
            .unwrap();
        archive.register_schema("old", Arc::new(old)).unwrap();
        context.register_catalog("archive", Arc::new(archive));
        context
    }

    /// The texts of a column.
    pub fn text(batch: &RecordBatch, column: usize) -> Vec<String> {
        batch
            .column(column)
            .as_string::<i32>()
            .iter()
            .map(|value| value.unwrap().to_owned())
            .collect()
    }

    #[test]
    fn patterns() {
        let names = ["a", "a%c", "aXc", "abc", "a\nc", "ab_c", "ABC", "äbc"];
        for (pattern, fits) in [
            (None, names.to_vec()),
            (Some("%"), names.to_vec()),
            (Some(""), vec![]),
            (Some("abc"), vec!["abc"]),
            (Some("a_c"), vec!["a%c", "aXc", "abc", "a\nc"]),
            (Some("a\\%c"), vec!["a%c"]),
            (Some("ab\\_c"), vec!["ab_c"]),
            (Some("_bc"), vec!["abc", "äbc"]),
            (Some("A%"), vec!["ABC"]),
            (Some("%c"), vec!["a%c", "aXc", "abc", "a\nc", "ab_c", "äbc"]),
            (Some("a.c"), vec![]),
        ] {
            let mut expected: Vec<String> = fits.into_iter().map(str::to_owned).collect();
            expected.sort();
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(matching(names, pattern).unwrap(), expected, "{pattern:?}");
        }
    }

    #[tokio::test]
    async fn without_information_schema() {
        let context = SessionContext::new();
        let names: Vec<String> = schemas(&context, None, None)
            .unwrap()
            .into_iter()
            .map(|schema| schema.name)
            .collect();
        assert_eq!(names, ["public"]);
    }
}
