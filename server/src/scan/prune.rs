//! Row groups that need not be read: outside of a range, or without a row that the predicate can want.
//!
//! In: a file with its footer, and the scan's predicate. Out: the row groups left. DataFusion's own pruning decides.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    BloomFilterStatistics, DefaultParquetFileReaderFactory, ParquetAccessPlan, ParquetFileMetrics,
    ParquetFileReaderFactory, RowGroupAccessPlanFilter,
};
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExprSimplifier;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapterFactory, replace_columns_with_literals,
};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::arrow::parquet_column;

use super::open::OpenFile;
use super::spec::{ScanFile, ScanSpec};

/// The row groups of a part of a file that are read, and how many of the part were left out.
pub(super) async fn row_groups(
    spec: &ScanSpec,
    part: &ScanFile,
    file: &Arc<OpenFile>,
    store: &Arc<dyn ObjectStore>,
) -> Result<(Vec<usize>, usize), DataFusionError> {
    let groups = file.metadata.row_groups();
    let mut plan = RowGroupAccessPlanFilter::new(ParquetAccessPlan::new_all(groups.len()));
    if let Some(range) = &part.range {
        // A row group without columns has no place in the file.
        if groups.iter().any(|group| group.columns().is_empty()) {
            return Ok((Vec::new(), 0));
        }
        plan.prune_by_range(groups, range);
    }
    let in_part = plan.remaining_row_group_count();
    if let Some(predicate) = predicate(spec, part, file) {
        // DataFusion's functions count into metrics of its own, which nobody reads here.
        let metrics = ParquetFileMetrics::new(0, &file.name, &ExecutionPlanMetricsSet::new());
        if spec.pruning.by_statistics {
            let descr = file.metadata.file_metadata().schema_descr();
            plan.prune_by_statistics(&file.schema, descr, groups, &predicate, &metrics);
        }
        if spec.pruning.by_bloom_filters && plan.remaining_row_group_count() > 0 {
            let kept: Vec<usize> = plan.row_group_indexes().collect();
            if let Some(filters) = bloom_filters(&predicate, file, store, &kept).await? {
                plan.prune_by_bloom_filters(&predicate, &metrics, &filters);
            }
        }
    }
    let kept: Vec<usize> = plan.row_group_indexes().collect();
    let left_out = in_part - kept.len();
    Ok((kept, left_out))
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
