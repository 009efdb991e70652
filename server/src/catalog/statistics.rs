//! What is known of a table's rows before they are read: how many, and each column's range and distinct values.
//!
//! In: an opened table. Out: DataFusion's statistics over all of its files, from their footers, which are cached.
//! Footers seldom say how many distinct values a column has; [`super::distinct`] estimates it from sizes. It does
//! not know what the statistics are used for.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::datasource::listing::ListingTable;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::error::Result;
use object_store::{ObjectMeta, ObjectStore};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use super::distinct;
use super::format::Format;

/// The statistics of a table: none if they cannot be had, which the scan that meets the same files reports.
pub async fn of_table(
    session: &dyn Session,
    table: &ListingTable,
    format: Format,
    store: &dyn ObjectStore,
    files: impl Iterator<Item = &ObjectMeta>,
) -> Option<Statistics> {
    let found = match format {
        Format::Parquet => of_parquet(session, table, store, files).await,
        Format::Csv | Format::Json | Format::Arrow => return None,
    };
    found
        .inspect_err(|error| tracing::debug!(%error, "a table without statistics"))
        .ok()
}

async fn of_parquet(
    session: &dyn Session,
    table: &ListingTable,
    store: &dyn ObjectStore,
    files: impl Iterator<Item = &ObjectMeta>,
) -> Result<Statistics> {
    let mut statistics = table.list_files_for_scan(session, &[], None).await?.statistics;
    let mut footers = Vec::new();
    for file in files {
        footers.push(footer(session, store, file).await?);
    }
    let schema = datafusion::catalog::TableProvider::schema(table);
    for (field, column) in schema.fields().iter().zip(&mut statistics.column_statistics) {
        if column.distinct_count.get_value().is_none()
            && let Some(values) = distinct::of_column(field.name(), &footers)
        {
            column.distinct_count = Precision::Inexact(values);
        }
    }
    Ok(statistics)
}

async fn footer(
    session: &dyn Session,
    store: &dyn ObjectStore,
    file: &ObjectMeta,
) -> Result<Arc<ParquetMetaData>> {
    let cache = session.runtime_env().cache_manager.get_file_metadata_cache();
    let hint = session.config_options().execution.parquet.metadata_size_hint;
    DFParquetMetadata::new(store, file)
        .with_metadata_size_hint(hint)
        .with_file_metadata_cache(Some(cache))
        .with_page_index_policy(Some(PageIndexPolicy::Skip))
        .fetch_metadata()
        .await
}
