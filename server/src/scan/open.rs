//! Opening a scan: footers, what of the files is read, and how each column of each file is decoded.
//!
//! In: a specification and DataFusion's context. Out: row groups with their columns, pruned. It reads no pages. What files
//! of one layout have in common is found once for all of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::sync::{Arc, Mutex, Weak};

use arrow::datatypes::{SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::datasource::physical_plan::parquet::metadata::{CachedParquetMetaData, DFParquetMetadata};
use datafusion::datasource::physical_plan::parquet::{Int96Coercer, apply_file_schema_type_coercions};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::{parquet_column, parquet_to_arrow_schema};
use parquet::file::metadata::ParquetMetaData;

use super::fetch::is_local;
use super::form::Form;
use super::kept::{self, Rows};
use super::prune;
use super::spec::ScanSpec;
use crate::catalog::location::readable;
use crate::error::{Error, Result};
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
    pub(super) columns: Arc<[FileColumn]>,
    /// Whether it is a file of this machine.
    pub(super) is_local: bool,
    /// The file while some partition reads it, so that the next one need not open it again.
    pub(super) open: Mutex<Weak<File>>,
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
    /// How many of its rows are read.
    pub(super) rows: usize,
    /// Which, if not all are.
    pub(super) kept: Option<Rows>,
    pub(super) partition_values: Arc<[ScalarValue]>,
}

/// What opening found: the row groups to read, in order, and how many were left out.
pub(super) struct Opened {
    pub(super) groups: Vec<Group>,
    pub(super) pruned: usize,
    pub(super) store: Arc<dyn ObjectStore>,
}

/// A part of the scan's files, and the row groups of it that are read.
pub(super) struct Part {
    pub(super) partition_values: Arc<[ScalarValue]>,
    pub(super) file: Arc<OpenFile>,
    pub(super) kept: Vec<usize>,
    /// The rows that are read of those row groups of which not all are.
    pub(super) rows: BTreeMap<usize, Rows>,
}

/// Reads the footers and chooses the row groups.
pub(super) async fn open(spec: &ScanSpec, context: &TaskContext) -> Result<Opened, DataFusionError> {
    let store = context.runtime_env().object_store(&spec.store)?;
    let files = open_files(spec, context, &store).await?;
    let mut parts: Vec<Part> = spec
        .files
        .iter()
        .filter_map(|of| {
            let file = Arc::clone(files.get(&of.meta.location)?);
            let kept = prune::in_range(of, &file);
            Some(Part {
                partition_values: of.partition_values.clone().into(),
                file,
                kept,
                rows: BTreeMap::new(),
            })
        })
        .collect();
    let pruned = match &spec.pruning.predicate {
        Some(predicate) => prune::prune(spec, predicate, &mut parts, &store).await?,
        None => 0,
    };
    Ok(Opened {
        groups: groups(parts)?,
        pruned,
        store,
    })
}

/// The row groups of all parts, in order, without empty ones.
pub(super) fn groups(parts: Vec<Part>) -> Result<Vec<Group>> {
    let mut groups = Vec::with_capacity(parts.iter().map(|part| part.kept.len()).sum());
    for part in parts {
        for index in part.kept {
            let all = usize::try_from(part.file.metadata.row_group(index).num_rows()).map_err(|_| {
                Error::data(format!(
                    "{}: row group {index} has a negative number of rows",
                    part.file.name
                ))
            })?;
            let kept = part.rows.get(&index).cloned();
            let rows = kept.as_deref().map_or(all, kept::count);
            if rows > 0 {
                groups.push(Group {
                    file: Arc::clone(&part.file),
                    index,
                    rows,
                    kept,
                    partition_values: Arc::clone(&part.partition_values),
                });
            }
        }
    }
    Ok(groups)
}

/// The files of the scan, each once.
async fn open_files(
    spec: &ScanSpec,
    context: &TaskContext,
    store: &Arc<dyn ObjectStore>,
) -> Result<HashMap<Path, Arc<OpenFile>>, DataFusionError> {
    let cache = context.runtime_env().cache_manager.get_file_metadata_cache();
    let mut seen: HashSet<&Path> = HashSet::new();
    let files = spec.files.iter().map(|file| &file.meta);
    let metas: Vec<ObjectMeta> = files
        .filter(|meta| seen.insert(&meta.location))
        .cloned()
        .collect();
    let reading = metas.into_iter().map(|meta| {
        footer(
            Arc::clone(store),
            Arc::clone(&cache),
            meta,
            spec.metadata_size_hint,
        )
    });
    let read: Vec<(ObjectMeta, Arc<ParquetMetaData>)> = futures::stream::iter(reading)
        .buffered(FOOTERS_AT_ONCE)
        .try_collect()
        .await?;
    let local = read.iter().map(|(meta, _)| is_local(store, &meta.location));
    let local: Vec<bool> = local.collect();
    let mut shapes: Vec<Shape> = Vec::new();
    let mut files = HashMap::with_capacity(read.len());
    for ((meta, metadata), is_local) in read.into_iter().zip(local) {
        let name: Arc<str> = readable(meta.location.as_ref()).into();
        let shape = match shapes.iter().find(|shape| shape.is_of(&metadata)) {
            Some(shape) => shape,
            None => {
                shapes.push(Shape::of(spec, &metadata, &name)?);
                &shapes[shapes.len() - 1]
            }
        };
        let file = OpenFile {
            name,
            schema: Arc::clone(&shape.schema),
            columns: Arc::clone(&shape.columns),
            is_local,
            open: Mutex::default(),
            metadata,
            meta,
        };
        files.insert(file.meta.location.clone(), Arc::new(file));
    }
    Ok(files)
}

async fn footer(
    store: Arc<dyn ObjectStore>,
    cache: Arc<FileMetadataCache>,
    meta: ObjectMeta,
    size_hint: Option<usize>,
) -> Result<(ObjectMeta, Arc<ParquetMetaData>), DataFusionError> {
    if let Some(metadata) = known_footer(cache.as_ref(), &meta) {
        return Ok((meta, metadata));
    }
    // On a task of its own: reading what a footer says takes a processor.
    let read = tokio::spawn(read_footer(store, cache, meta, size_hint)).await;
    read.map_err(|error| Error::internal(format!("a footer was not read: {error}")))?
}

/// A footer that is kept, if the file is still the same; perhaps without the page indexes that the file has.
pub(super) fn kept_footer(cache: &FileMetadataCache, meta: &ObjectMeta) -> Option<Arc<ParquetMetaData>> {
    let entry = cache
        .get(&meta.location)
        .filter(|entry| entry.is_valid_for(meta))?;
    let metadata = entry
        .file_metadata
        .as_any()
        .downcast_ref::<CachedParquetMetaData>()?
        .parquet_metadata();
    Some(Arc::clone(metadata))
}

/// The same with all page indexes.
fn known_footer(cache: &FileMetadataCache, meta: &ObjectMeta) -> Option<Arc<ParquetMetaData>> {
    let metadata = kept_footer(cache, meta)?;
    // DataFusion copies the whole footer of a file without page indexes to look for them again, each time.
    let has_indexes = || {
        let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
        chunks
            .into_iter()
            .any(|chunk| chunk.column_index_offset().is_some())
    };
    let is_whole = metadata.column_index().is_some() && metadata.offset_index().is_some() || !has_indexes();
    is_whole.then_some(metadata)
}

async fn read_footer(
    store: Arc<dyn ObjectStore>,
    cache: Arc<FileMetadataCache>,
    meta: ObjectMeta,
    size_hint: Option<usize>,
) -> Result<(ObjectMeta, Arc<ParquetMetaData>), DataFusionError> {
    let metadata = DFParquetMetadata::new(store.as_ref(), &meta)
        .with_file_metadata_cache(Some(cache))
        .with_metadata_size_hint(size_hint)
        .fetch_metadata()
        .await
        .map_err(|error| {
            let name = readable(meta.location.as_ref());
            from_datafusion(error).context(format_args!("{name}: footer"))
        })?;
    Ok((meta, metadata))
}

/// What files with the same columns have in common.
struct Shape {
    of: Arc<ParquetMetaData>,
    schema: SchemaRef,
    columns: Arc<[FileColumn]>,
}

impl Shape {
    fn of(spec: &ScanSpec, metadata: &Arc<ParquetMetaData>, name: &str) -> Result<Self, DataFusionError> {
        let schema = physical_schema(spec, metadata)
            .map_err(|error| from_datafusion(error).context(format_args!("{name}: schema")))?;
        let in_files = spec.columns.iter().filter(|&&column| column < spec.file_columns);
        let columns: Vec<FileColumn> = in_files
            .map(|&column| file_column(spec, metadata, &schema, column))
            .collect::<Result<_, String>>()
            .map_err(|what| Error::data(format!("{name}: {what}")))?;
        Ok(Self {
            of: Arc::clone(metadata),
            schema,
            columns: columns.into(),
        })
    }

    fn is_of(&self, metadata: &ParquetMetaData) -> bool {
        let (known, file) = (self.of.file_metadata(), metadata.file_metadata());
        known.schema_descr() == file.schema_descr() && known.key_value_metadata() == file.key_value_metadata()
    }
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
