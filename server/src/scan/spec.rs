//! What a scan reads, as plain values.
//!
//! In: DataFusion's node over Parquet files. Out: the files, the columns, the predicate, or why the scan is not taken.
//! It opens no file.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, ParquetRowSelection};
use datafusion::datasource::physical_plan::{FileScanConfig, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::expressions::DynamicFilterTracking;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_expr::utils::{
    collect_columns, conjunction, reassign_expr_columns, split_conjunction,
};
use datafusion::physical_plan::PhysicalExpr;
use object_store::ObjectMeta;

use crate::batch::Repr;

/// A scan of Parquet files: what is read, and what is left out unread.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanSpec {
    pub(super) store: ObjectStoreUrl,
    pub(super) files: Vec<ScanFile>,
    /// The table's columns in files, then those of its folders.
    pub(super) table_schema: SchemaRef,
    /// How many of them are in files.
    pub(super) file_columns: usize,
    /// The columns read, by their place in `table_schema`, ascending.
    pub(super) columns: Vec<usize>,
    schema: SchemaRef,
    projection: Vec<(Arc<dyn PhysicalExpr>, String)>,
    exact_predicate: Option<Arc<dyn PhysicalExpr>>,
    pub(super) pruning: Pruning,
    pub(super) metadata_size_hint: Option<usize>,
    /// What timestamps of 12 bytes become, as DataFusion's options say it.
    pub(super) coerce_int96: Option<String>,
    pub(super) coerce_int96_tz: Option<String>,
}

/// A file, or the part of it whose row groups start in a range.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScanFile {
    pub(super) meta: ObjectMeta,
    pub(super) range: Option<FileRange>,
    /// Of the columns that are in no file.
    pub(super) partition_values: Vec<ScalarValue>,
}

/// What may be left out unread.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pruning {
    /// Over the table's schema, without dynamic filters.
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    pub(super) by_statistics: bool,
    pub(super) by_bloom_filters: bool,
    pub(super) by_page_index: bool,
    pub(super) in_list_max: usize,
}

impl std::fmt::Display for ScanSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns: Vec<&str> = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let files = match self.files.len() {
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        write!(f, "{files} [{}]", columns.join(", "))
    }
}

impl ScanSpec {
    /// Reads a node of DataFusion.
    ///
    /// # Errors
    /// Why this scan is not read by the GPU, in words.
    pub fn of(source: &DataSourceExec) -> Result<ScanSpec, String> {
        let Some((config, parquet)) = source.downcast_to_file_source::<ParquetSource>() else {
            return Err("only Parquet files are read by the GPU".to_owned());
        };
        let options = parquet.table_parquet_options();
        let schemas = config.file_source().table_schema();
        if options.crypto.file_decryption.is_some() || options.crypto.factory_id.is_some() {
            return Err("the files are encrypted".to_owned());
        }
        if config.expr_adapter_factory.is_some() {
            return Err("the table adapts its files in its own way".to_owned());
        }
        if let Some(column) = schemas.virtual_columns().first() {
            return Err(format!(
                "column {} is made by the reader of the files",
                column.name()
            ));
        }
        let table_schema = Arc::clone(schemas.table_schema());
        let whole: ProjectionExprs;
        let projection = match config.file_source().projection() {
            Some(projection) => projection,
            None => {
                let all: Vec<usize> = (0..table_schema.fields().len()).collect();
                whole = ProjectionExprs::from_indices(&all, &table_schema);
                &whole
            }
        };
        let predicate = static_part(config.file_source().filter().as_ref());
        let exact = predicate.clone().filter(|_| options.global.pushdown_filters);

        let expressions = projection.expr_iter().chain(exact.clone());
        let mut columns: Vec<usize> = expressions
            .flat_map(|expression| collect_columns(&expression))
            .map(|column| column.index())
            .collect();
        columns.sort_unstable();
        columns.dedup();
        check_types(&table_schema, &columns)?;
        let schema = Arc::new(
            table_schema
                .project(&columns)
                .map_err(|error| error.to_string())?,
        );
        let over_schema = |expression: &Arc<dyn PhysicalExpr>| {
            reassign_expr_columns(Arc::clone(expression), &schema).map_err(|error| error.to_string())
        };
        Ok(ScanSpec {
            store: config.object_store_url.clone(),
            files: files(config)?,
            file_columns: schemas.file_schema().fields().len(),
            projection: projection
                .iter()
                .map(|column| Ok((over_schema(&column.expr)?, column.alias.clone())))
                .collect::<Result<_, String>>()?,
            exact_predicate: exact.as_ref().map(over_schema).transpose()?,
            pruning: Pruning {
                predicate,
                by_statistics: options.global.pruning,
                by_bloom_filters: options.global.bloom_filter_on_read,
                by_page_index: options.global.enable_page_index,
                in_list_max: options.global.max_in_list_size,
            },
            metadata_size_hint: options.global.metadata_size_hint,
            coerce_int96: options.global.coerce_int96.clone(),
            coerce_int96_tz: options.global.coerce_int96_tz.clone(),
            columns,
            schema,
            table_schema,
        })
    }

    /// The same, of which nothing is left out unread.
    pub fn unpruned(&self) -> Self {
        let pruning = Pruning {
            predicate: None,
            ..self.pruning.clone()
        };
        Self {
            pruning,
            ..self.clone()
        }
    }

    /// The same with only those of its columns that `columns` names, ascending. Its node's output is not made of them.
    pub(super) fn of_columns(&self, columns: &[usize]) -> Self {
        let fields: Vec<_> = columns
            .iter()
            .map(|&column| Arc::clone(&self.schema.fields()[column]))
            .collect();
        Self {
            columns: columns.iter().map(|&column| self.columns[column]).collect(),
            schema: Arc::new(Schema::new(fields)),
            projection: Vec::new(),
            exact_predicate: None,
            ..self.clone()
        }
    }

    /// Whether what is left out unread depends on the value of a subquery, which is not there before that has run.
    pub fn asks_subqueries(&self) -> bool {
        self.pruning.predicate.as_ref().is_some_and(asks_subqueries)
    }

    /// The name of one of the columns read.
    pub(super) fn column_name(&self, column: usize) -> &str {
        self.table_schema.field(self.columns[column]).name()
    }

    /// The table's columns that are in files.
    pub(super) fn file_schema(&self) -> Result<SchemaRef, ArrowError> {
        let columns: Vec<usize> = (0..self.file_columns).collect();
        Ok(Arc::new(self.table_schema.project(&columns)?))
    }

    /// The columns that it reads, those of folders among them, in the table's order. Batches have these columns.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The node's output: expressions over [`Self::schema`], usually plain columns, and their names.
    pub fn projection(&self) -> Vec<(Arc<dyn PhysicalExpr>, String)> {
        self.projection.clone()
    }

    /// What rows must satisfy, over [`Self::schema`], if the node answers for it itself; dynamic filters are left out.
    pub fn exact_predicate(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.exact_predicate.clone()
    }
}

/// The conjuncts that do not change while the query runs.
fn static_part(predicate: Option<&Arc<dyn PhysicalExpr>>) -> Option<Arc<dyn PhysicalExpr>> {
    let kept: Vec<Arc<dyn PhysicalExpr>> = split_conjunction(predicate?)
        .into_iter()
        .filter(|conjunct| !DynamicFilterTracking::classify(conjunct).contains_dynamic_filter())
        .cloned()
        .collect();
    (!kept.is_empty()).then(|| conjunction(kept))
}

fn asks_subqueries(expression: &Arc<dyn PhysicalExpr>) -> bool {
    expression.is::<ScalarSubqueryExpr>() || expression.children().into_iter().any(asks_subqueries)
}

fn check_types(schema: &Schema, columns: &[usize]) -> Result<(), String> {
    for field in columns.iter().map(|&column| schema.field(column)) {
        if Repr::of(field.data_type()).is_none() {
            return Err(format!(
                "column {} has type {}, which the GPU does not read",
                field.name(),
                field.data_type()
            ));
        }
    }
    Ok(())
}

/// The files of all groups, in order; a part that stands in several groups is read once for each, as DataFusion does.
fn files(config: &FileScanConfig) -> Result<Vec<ScanFile>, String> {
    let files = config.file_groups.iter().flat_map(|group| group.iter());
    files.map(file).collect()
}

fn file(file: &PartitionedFile) -> Result<ScanFile, String> {
    let chosen =
        file.extension::<ParquetAccessPlan>().is_some() || file.extension::<ParquetRowSelection>().is_some();
    if chosen || file.arrow_schema.is_some() {
        return Err(format!(
            "file {} comes with a choice of rows or types",
            file.path()
        ));
    }
    Ok(ScanFile {
        meta: file.object_meta.clone(),
        range: file.range.clone(),
        partition_values: file.partition_values.clone(),
    })
}
