//! Opening a scan: footers, what of the files is read, and how each column of each file is decoded.
//!
//! In: a specification and DataFusion's context. Out: row groups with their columns, pruned. It reads no pages.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::parquet::{Int96Coercer, apply_file_schema_type_coercions};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::{parquet_column, parquet_to_arrow_schema};
use parquet::file::metadata::ParquetMetaData;

use super::form::Form;
use super::prune;
use super::spec::ScanSpec;
use crate::catalog::location::readable;
use crate::error::Error;
use crate::error_datafusion::from_datafusion;

/// Footers that are fetched at once.
const FOOTERS_AT_ONCE: usize = 32;

/// A file whose footer was read.
#[derive(Debug)]
pub(super) struct OpenFile {
    /// As a person would write it.
    pub(super) name: Arc<str>,
    pub(super) meta: ObjectMeta,
    pub(super) metadata: Arc<ParquetMetaData>,
    /// Its columns as parquet's reader gives them.
    pub(super) schema: SchemaRef,
    /// For each column that the scan reads from files, how.
    pub(super) columns: Vec<FileColumn>,
}

/// How a column of a file becomes one of the table.
#[derive(Debug, Clone)]
pub(super) enum FileColumn {
    /// Its pages are decoded on the device.
    Device { leaf: usize, form: Form },
    /// It is decoded by the CPU, and why.
    Cpu { leaf: usize, reason: String },
    /// The file does not have it: null in all rows.
    Missing,
}

/// A row group that is read.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) file: Arc<OpenFile>,
    /// Its number in the file.
    pub(super) index: usize,
    pub(super) rows: usize,
    pub(super) partition_values: Arc<[ScalarValue]>,
}

/// What opening found: the row groups to read, in order, and how many were left out.
pub(super) struct Opened {
    pub(super) groups: Vec<Group>,
    pub(super) pruned: usize,
    pub(super) store: Arc<dyn ObjectStore>,
}

/// Reads the footers and chooses the row groups.
pub(super) async fn open(spec: &ScanSpec, context: &TaskContext) -> Result<Opened, DataFusionError> {
    let store = context.runtime_env().object_store(&spec.store)?;
    let mut distinct: HashMap<Path, ObjectMeta> = HashMap::new();
    for file in &spec.files {
        distinct.insert(file.meta.location.clone(), file.meta.clone());
    }
    let opening = distinct
        .into_values()
        .map(|meta| open_file(spec, context, &store, meta));
    let files: HashMap<Path, Arc<OpenFile>> = futures::stream::iter(opening)
        .buffer_unordered(FOOTERS_AT_ONCE)
        .map_ok(|file| (file.meta.location.clone(), Arc::new(file)))
        .try_collect()
        .await?;
    let (mut groups, mut pruned) = (Vec::new(), 0);
    for part in &spec.files {
        let Some(file) = files.get(&part.meta.location) else {
            continue;
        };
        let (kept, left_out) = prune::row_groups(spec, part, file, &store).await?;
        pruned += left_out;
        let partition_values: Arc<[ScalarValue]> = part.partition_values.clone().into();
        for index in kept {
            let rows = usize::try_from(file.metadata.row_group(index).num_rows()).map_err(|_| {
                Error::data(format!(
                    "{}: row group {index} has a negative number of rows",
                    file.name
                ))
            })?;
            if rows > 0 {
                groups.push(Group {
                    file: Arc::clone(file),
                    index,
                    rows,
                    partition_values: Arc::clone(&partition_values),
                });
            }
        }
    }
    Ok(Opened {
        groups,
        pruned,
        store,
    })
}

async fn open_file(
    spec: &ScanSpec,
    context: &TaskContext,
    store: &Arc<dyn ObjectStore>,
    meta: ObjectMeta,
) -> Result<OpenFile, DataFusionError> {
    let name: Arc<str> = readable(meta.location.as_ref()).into();
    let cache = context.runtime_env().cache_manager.get_file_metadata_cache();
    let metadata = DFParquetMetadata::new(store.as_ref(), &meta)
        .with_file_metadata_cache(Some(cache))
        .with_metadata_size_hint(spec.metadata_size_hint)
        .fetch_metadata()
        .await
        .map_err(|error| from_datafusion(error).context(format_args!("{name}: footer")))?;
    let schema = physical_schema(spec, &metadata)
        .map_err(|error| from_datafusion(error).context(format_args!("{name}: schema")))?;
    let in_files = spec.columns.iter().filter(|&&column| column < spec.file_columns);
    let columns = in_files
        .map(|&column| file_column(spec, &metadata, &schema, column))
        .collect::<Result<_, String>>()
        .map_err(|what| Error::data(format!("{name}: {what}")))?;
    Ok(OpenFile {
        name,
        meta,
        metadata,
        schema,
        columns,
    })
}

/// The types that parquet's reader gives the file's columns, told what the table wants: as DataFusion tells it.
fn physical_schema(spec: &ScanSpec, metadata: &ParquetMetaData) -> Result<SchemaRef, DataFusionError> {
    let file = metadata.file_metadata();
    let mut schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    let table = spec.file_schema()?;
    if let Some(coerced) = apply_file_schema_type_coercions(&table, &schema) {
        schema = coerced;
    }
    if let Some(unit) = spec.coerce_int96.as_deref().and_then(time_unit)
        && let Some(coerced) = Int96Coercer::new(file.schema_descr(), &schema, &unit)
            .with_timezone(spec.coerce_int96_tz.as_deref().map(Arc::from))
            .coerce()
    {
        schema = coerced;
    }
    Ok(Arc::new(schema))
}

fn time_unit(text: &str) -> Option<TimeUnit> {
    match text.to_ascii_lowercase().as_str() {
        "ns" => Some(TimeUnit::Nanosecond),
        "us" => Some(TimeUnit::Microsecond),
        "ms" => Some(TimeUnit::Millisecond),
        "s" => Some(TimeUnit::Second),
        _ => None,
    }
}

fn file_column(
    spec: &ScanSpec,
    metadata: &ParquetMetaData,
    schema: &SchemaRef,
    column: usize,
) -> Result<FileColumn, String> {
    let field = spec.table_schema.field(column);
    let descr = metadata.file_metadata().schema_descr();
    let Ok(root) = schema.index_of(field.name()) else {
        if field.is_nullable() {
            return Ok(FileColumn::Missing);
        }
        return Err(format!(
            "it has no column {}, which may not be null in the table",
            field.name()
        ));
    };
    let file_type = schema.field(root).data_type();
    let Some((leaf, _)) = parquet_column(descr, schema, field.name()) else {
        return Err(format!(
            "column {} has type {file_type}, the table has {}",
            field.name(),
            field.data_type()
        ));
    };
    Ok(
        match Form::of(&descr.column(leaf), file_type, field.data_type()) {
            Ok(form) => FileColumn::Device { leaf, form },
            Err(reason) => FileColumn::Cpu { leaf, reason },
        },
    )
}
