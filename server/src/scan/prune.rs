//! Row groups that need not be read: outside of a range, or without a row that the predicate can want.
//!
//! In: files with their footers, and the scan's predicate. Out: the row groups left. DataFusion's own pruning decides,
//! over the row groups of all files of one layout at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::Schema;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    BloomFilterStatistics, DefaultParquetFileReaderFactory, ParquetAccessPlan, ParquetFileMetrics,
    ParquetFileReaderFactory, RowGroupAccess, RowGroupAccessPlanFilter,
};
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExprSimplifier;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapterFactory, replace_columns_with_literals,
};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::arrow::parquet_column;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::SchemaDescriptor;

use super::open::{OpenFile, Part};
use super::spec::{ScanFile, ScanSpec};

/// The row groups of a part of a file.
pub(super) fn in_range(part: &ScanFile, file: &OpenFile) -> Vec<usize> {
    let groups = file.metadata.row_groups();
    let Some(range) = &part.range else {
        return (0..groups.len()).collect();
    };
    // A row group without columns has no place in the file.
    if groups.iter().any(|group| group.columns().is_empty()) {
        return Vec::new();
    }
    let mut plan = RowGroupAccessPlanFilter::new(ParquetAccessPlan::new_all(groups.len()));
    plan.prune_by_range(groups, range);
    plan.row_group_indexes().collect()
}

/// Leaves row groups out of the parts; returns how many.
pub(super) async fn prune(
    spec: &ScanSpec,
    parts: &mut [Part<'_>],
    store: &Arc<dyn ObjectStore>,
) -> Result<usize, DataFusionError> {
    if spec.pruning.predicate.is_none() {
        return Ok(0);
    }
    let count = |parts: &[Part<'_>]| parts.iter().map(|part| part.kept.len()).sum::<usize>();
    let before = count(parts);
    let mut left: Vec<&mut Part<'_>> = parts.iter_mut().filter(|part| !part.kept.is_empty()).collect();
    while let Some(first) = left.first() {
        let (schema, values) = (Arc::clone(&first.file.schema), &first.of.partition_values);
        let is_alike =
            |part: &Part<'_>| Arc::ptr_eq(&part.file.schema, &schema) && part.of.partition_values == *values;
        let predicate = predicate(spec, first.of, &first.file);
        let (mut alike, others) = left.into_iter().partition(|part| is_alike(part));
        left = others;
        if let Some(predicate) = predicate {
            prune_alike(spec, &predicate, &mut alike, store).await?;
        }
    }
    Ok(before - count(parts))
}

/// The same for parts of files of one layout and one predicate.
async fn prune_alike(
    spec: &ScanSpec,
    predicate: &PruningPredicate,
    parts: &mut [&mut Part<'_>],
    store: &Arc<dyn ObjectStore>,
) -> Result<(), DataFusionError> {
    if spec.pruning.by_statistics && !predicate.always_true() {
        by_statistics(predicate, parts);
    }
    if spec.pruning.by_bloom_filters {
        for part in parts.iter_mut().filter(|part| !part.kept.is_empty()) {
            let Some(filters) = bloom_filters(predicate, &part.file, store, &part.kept).await? else {
                continue;
            };
            // DataFusion's functions count into metrics of its own, which nobody reads here.
            let metrics = ParquetFileMetrics::new(0, &part.file.name, &ExecutionPlanMetricsSet::new());
            let mut chosen = vec![RowGroupAccess::Skip; part.file.metadata.num_row_groups()];
            part.kept
                .iter()
                .for_each(|&group| chosen[group] = RowGroupAccess::Scan);
            let mut plan = RowGroupAccessPlanFilter::new(ParquetAccessPlan::new(chosen));
            plan.prune_by_bloom_filters(predicate, &metrics, &filters);
            part.kept = plan.row_group_indexes().collect();
        }
    }
    Ok(())
}

fn by_statistics(predicate: &PruningPredicate, parts: &mut [&mut Part<'_>]) {
    let Some(first) = parts.first() else {
        return;
    };
    let file = Arc::clone(&first.file);
    let statistics = Statistics {
        schema: &file.schema,
        descr: file.metadata.file_metadata().schema_descr(),
        groups: parts
            .iter()
            .flat_map(|part| part.kept.iter().map(|&group| part.file.metadata.row_group(group)))
            .collect(),
    };
    match predicate.prune(&statistics) {
        Ok(wanted) => {
            let mut wanted = wanted.into_iter();
            for part in parts.iter_mut() {
                part.kept.retain(|_| wanted.next().unwrap_or(true));
            }
        }
        Err(error) => {
            tracing::debug!(file = %file.name, %error, "statistics leave no row group out");
        }
    }
}

/// What footers say of row groups, in the way in which pruning asks for it.
struct Statistics<'a> {
    schema: &'a Schema,
    descr: &'a SchemaDescriptor,
    groups: Vec<&'a RowGroupMetaData>,
}

impl<'a> Statistics<'a> {
    /// `None` where footers do not say it.
    fn of<T>(
        &'a self,
        column: &Column,
        what: impl FnOnce(StatisticsConverter<'a>) -> Result<T, ParquetError>,
    ) -> Option<T> {
        let converter = StatisticsConverter::try_new(column.name(), self.schema, self.descr);
        converter.and_then(what).ok()
    }

    fn groups(&self) -> impl Iterator<Item = &'a RowGroupMetaData> + use<'a> {
        self.groups.clone().into_iter()
    }
}

impl PruningStatistics for Statistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |column| column.row_group_mins(self.groups()))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |column| column.row_group_maxes(self.groups()))
    }

    fn num_containers(&self) -> usize {
        self.groups.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, |column| {
            Ok(Arc::new(column.row_group_null_counts(self.groups())?) as ArrayRef)
        })
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.groups().map(|group| u64::try_from(group.num_rows()).ok());
        Some(Arc::new(rows.collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// The predicate over the file's own columns. One that cannot be said of this file prunes nothing.
fn predicate(spec: &ScanSpec, part: &ScanFile, file: &OpenFile) -> Option<Arc<PruningPredicate>> {
    let predicate = Arc::clone(spec.pruning.predicate.as_ref()?);
    let folders = spec.table_schema.fields().iter().skip(spec.file_columns);
    let values: HashMap<String, ScalarValue> = folders
        .map(|field| field.name().clone())
        .zip(part.partition_values.iter().cloned())
        .collect();
    let rewritten = replace_columns_with_literals(predicate, &values)
        .and_then(|predicate| {
            DefaultPhysicalExprAdapterFactory
                .create(spec.file_schema()?, Arc::clone(&file.schema))?
                .rewrite(predicate)
        })
        .and_then(|predicate| PhysicalExprSimplifier::new(&file.schema).simplify(predicate));
    match rewritten {
        Ok(predicate) => PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(&file.schema))
            .with_max_in_list_size(spec.pruning.in_list_max)
            .build(predicate),
        Err(error) => {
            tracing::debug!(file = %file.name, %error, "the predicate leaves no row group out");
            None
        }
    }
}

/// The filters of the columns that the predicate compares with literals; `None` if there are none.
async fn bloom_filters(
    predicate: &PruningPredicate,
    file: &OpenFile,
    store: &Arc<dyn ObjectStore>,
    kept: &[usize],
) -> Result<Option<Vec<BloomFilterStatistics>>, DataFusionError> {
    let descr = file.metadata.file_metadata().schema_descr();
    let columns: Vec<(String, usize)> = predicate
        .literal_columns()
        .into_iter()
        .filter_map(|name| {
            let (leaf, _) = parquet_column(descr, &file.schema, &name)?;
            let has_filter = |&group: &usize| {
                file.metadata
                    .row_group(group)
                    .column(leaf)
                    .bloom_filter_offset()
                    .is_some()
            };
            kept.iter().any(has_filter).then_some((name, leaf))
        })
        .collect();
    if columns.is_empty() {
        return Ok(None);
    }
    let reader: Box<dyn AsyncFileReader> = DefaultParquetFileReaderFactory::new(Arc::clone(store))
        .create_reader(
            0,
            PartitionedFile::new_from_meta(file.meta.clone()),
            None,
            &ExecutionPlanMetricsSet::new(),
        )?;
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(&file.metadata), ArrowReaderOptions::new())?;
    let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata);
    let mut filters = vec![BloomFilterStatistics::new(); file.metadata.num_row_groups()];
    for &group in kept {
        let mut found = BloomFilterStatistics::with_capacity(columns.len());
        for (name, leaf) in &columns {
            match builder.get_row_group_column_bloom_filter(group, *leaf).await {
                Ok(Some(filter)) => {
                    let column = descr.column(*leaf);
                    found.insert(name, filter, column.physical_type(), column.type_length());
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(file = %file.name, column = name, %error, "a bloom filter is not used");
                }
            }
        }
        filters[group] = found;
    }
    Ok(Some(filters))
}
