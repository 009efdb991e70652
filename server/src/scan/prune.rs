//! Row groups and pages that need not be read: outside of a range, or without a row that a predicate can want.
//!
//! In: files with their footers, and a predicate. Out: the row groups left, and of those with page indexes the rows. DataFusion's
//! own pruning decides, over the row groups of all files of one layout at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::Schema;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    BloomFilterStatistics, DefaultParquetFileReaderFactory, PagePruningAccessPlanFilter, ParquetAccessPlan,
    ParquetFileMetrics, ParquetFileReaderFactory, RowGroupAccess, RowGroupAccessPlanFilter,
};
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExprSimplifier;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapterFactory, replace_columns_with_literals,
};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::arrow::parquet_column;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::SchemaDescriptor;

use super::kept;
use super::open::{OpenFile, Part};
use super::spec::{ScanFile, ScanSpec};

/// Row groups whose page indexes are looked at first.
const PAGE_INDEX_SAMPLE: usize = 8;
/// One row in so many must be lost of them, or else the others are not looked at.
const SAMPLE_LOSES: usize = 32;

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

/// Leaves row groups and rows out of the parts that no row which meets `predicate`, over the table's columns, can be
/// among; returns how many row groups.
pub(super) async fn prune(
    spec: &ScanSpec,
    predicate: &Arc<dyn PhysicalExpr>,
    parts: &mut [Part],
    store: &Arc<dyn ObjectStore>,
) -> Result<usize, DataFusionError> {
    let count = |parts: &[Part]| parts.iter().map(|part| part.kept.len()).sum::<usize>();
    let before = count(parts);
    let mut left: Vec<&mut Part> = parts.iter_mut().filter(|part| !part.kept.is_empty()).collect();
    while let Some(first) = left.first() {
        let (schema, values) = (
            Arc::clone(&first.file.schema),
            Arc::clone(&first.partition_values),
        );
        let is_alike =
            |part: &Part| Arc::ptr_eq(&part.file.schema, &schema) && part.partition_values == values;
        let predicate = in_file(spec, predicate, &values, &first.file);
        let (mut alike, others) = left.into_iter().partition(|part| is_alike(part));
        left = others;
        if let Some(predicate) = predicate {
            prune_alike(spec, &predicate, &mut alike, store).await?;
        }
    }
    Ok(before - count(parts))
}

/// The same for parts of files of one layout and one predicate over their columns.
async fn prune_alike(
    spec: &ScanSpec,
    expression: &Arc<dyn PhysicalExpr>,
    parts: &mut [&mut Part],
    store: &Arc<dyn ObjectStore>,
) -> Result<(), DataFusionError> {
    let Some(first) = parts.first() else {
        return Ok(());
    };
    let schema = Arc::clone(&first.file.schema);
    let predicate = PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(&schema))
        .with_max_in_list_size(spec.pruning.in_list_max)
        .build(Arc::clone(expression));
    if let Some(predicate) = &predicate {
        if spec.pruning.by_statistics && !predicate.always_true() {
            by_statistics(predicate, parts);
        }
        if spec.pruning.by_bloom_filters {
            for part in parts.iter_mut().filter(|part| !part.kept.is_empty()) {
                let Some(filters) = bloom_filters(predicate, &part.file, store, &part.kept).await? else {
                    continue;
                };
                let mut plan = RowGroupAccessPlanFilter::new(access(part, &part.kept));
                plan.prune_by_bloom_filters(predicate, &metrics(&part.file), &filters);
                part.kept = plan.row_group_indexes().collect();
            }
        }
    }
    if spec.pruning.by_page_index {
        let filter = PagePruningAccessPlanFilter::new(expression, schema);
        if filter.filter_number() > 0 {
            by_page_index(&filter, parts);
        }
    }
    Ok(())
}

/// DataFusion's functions count into metrics of its own, which nobody reads here.
fn metrics(file: &OpenFile) -> ParquetFileMetrics {
    ParquetFileMetrics::new(0, &file.name, &ExecutionPlanMetricsSet::new())
}

/// What is read of some of a part's row groups, as DataFusion says it.
fn access(part: &Part, groups: &[usize]) -> ParquetAccessPlan {
    let mut plan = ParquetAccessPlan::new_none(part.file.metadata.num_row_groups());
    for &group in groups {
        let rows = usize::try_from(part.file.metadata.row_group(group).num_rows());
        plan.set(
            group,
            match (part.rows.get(&group), rows) {
                (Some(kept), Ok(rows)) => RowGroupAccess::Selection(RowSelection::from_consecutive_ranges(
                    kept.iter().cloned(),
                    rows,
                )),
                _ => RowGroupAccess::Scan,
            },
        );
    }
    plan
}

/// Leaves out rows whose pages cannot hold what is wanted, where that saves pages. Row groups are looked at one by one, which
/// takes its time (39 ms for 320 of lineitem): if a sample of them loses next to nothing, such as a short last page, the
/// others are left as they are.
fn by_page_index(filter: &PagePruningAccessPlanFilter, parts: &mut [&mut Part]) {
    let groups: usize = parts.iter().map(|part| part.kept.len()).sum();
    let step = groups.div_ceil(PAGE_INDEX_SAMPLE).max(1);
    let (mut number, mut sampled, mut lost) = (0usize, 0, 0);
    for part in parts.iter() {
        let sample = part.kept.iter().copied().filter(|_| {
            number += 1;
            (number - 1).is_multiple_of(step)
        });
        let sample: Vec<usize> = sample.collect();
        let Some(plan) = wanted_rows(filter, part, &sample) else {
            continue;
        };
        for group in sample {
            let rows = part.file.metadata.row_group(group).num_rows();
            let rows = usize::try_from(rows).unwrap_or(0);
            sampled += rows;
            lost += match &plan[group] {
                RowGroupAccess::Scan => 0,
                RowGroupAccess::Skip => rows,
                RowGroupAccess::Selection(selection) => rows.saturating_sub(selection.row_count()),
            };
        }
    }
    if lost * SAMPLE_LOSES < sampled || lost == 0 {
        return;
    }
    for part in parts {
        let Some(plan) = wanted_rows(filter, part, &part.kept) else {
            continue;
        };
        let mut rows = BTreeMap::new();
        part.kept.retain(|&group| match &plan[group] {
            RowGroupAccess::Selection(selection) => {
                let wanted = ranges(selection);
                if let Some(kept) = kept::worth_leaving_out(&part.file, group, &wanted) {
                    rows.insert(group, kept);
                }
                !wanted.is_empty()
            }
            RowGroupAccess::Skip => false,
            RowGroupAccess::Scan => true,
        });
        part.rows = rows;
    }
}

/// What the page index leaves of some of a part's row groups; `None` if there is none, or nothing to ask of it.
fn wanted_rows(
    filter: &PagePruningAccessPlanFilter,
    part: &Part,
    groups: &[usize],
) -> Option<Vec<RowGroupAccess>> {
    let metadata = &part.file.metadata;
    if groups.is_empty() || metadata.column_index().is_none() || metadata.offset_index().is_none() {
        return None;
    }
    let descr = metadata.file_metadata().schema_descr();
    let (access, metrics) = (access(part, groups), metrics(&part.file));
    let plan = filter.prune_plan_with_page_index(access, &part.file.schema, descr, metadata, &metrics);
    Some(plan.into_inner())
}

/// The ranges that a selection selects.
fn ranges(selection: &RowSelection) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for selector in selection.iter() {
        let end = at + selector.row_count;
        if !selector.skip && end > at {
            match ranges.last_mut() {
                Some(last) if last.end == at => last.end = end,
                _ => ranges.push(at..end),
            }
        }
        at = end;
    }
    ranges
}

fn by_statistics(predicate: &PruningPredicate, parts: &mut [&mut Part]) {
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
fn in_file(
    spec: &ScanSpec,
    predicate: &Arc<dyn PhysicalExpr>,
    partition_values: &[ScalarValue],
    file: &OpenFile,
) -> Option<Arc<dyn PhysicalExpr>> {
    let folders = spec.table_schema.fields().iter().skip(spec.file_columns);
    let values: HashMap<String, ScalarValue> = folders
        .map(|field| field.name().clone())
        .zip(partition_values.iter().cloned())
        .collect();
    let rewritten = replace_columns_with_literals(Arc::clone(predicate), &values)
        .and_then(|predicate| {
            DefaultPhysicalExprAdapterFactory
                .create(spec.file_schema()?, Arc::clone(&file.schema))?
                .rewrite(predicate)
        })
        .and_then(|predicate| PhysicalExprSimplifier::new(&file.schema).simplify(predicate));
    match rewritten {
        Ok(predicate) => Some(predicate),
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
