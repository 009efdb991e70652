//! Which strings come as codes of dictionaries.
//!
//! In: a scan, and footers that are known before it is opened. Out: a guess for each of its columns, so that kernels can
//! be compiled meanwhile: pages say it exactly when they are there.

use datafusion::execution::TaskContext;
use parquet::basic::Encoding;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::open::kept_footer;
use super::spec::ScanSpec;
use crate::batch::Repr;
use crate::catalog::footer::leaf;

/// Whether all data pages of a chunk name entries of its dictionary, as far as the footer tells.
pub(super) fn has_codes_alone(chunk: &ColumnChunkMetaData) -> bool {
    let is_only = |encoding: Encoding| {
        let mask = chunk.page_encoding_stats_mask();
        mask.is_some_and(|mask| mask.is_only(encoding))
    };
    chunk.dictionary_page_offset().is_some()
        && (is_only(Encoding::RLE_DICTIONARY) || is_only(Encoding::PLAIN_DICTIONARY))
}

impl ScanSpec {
    /// For each column of [`Self::schema`], whether its strings will be codes of dictionaries: as in its first file, if the
    /// footer of that is known, and else not.
    pub fn codes_about(&self, context: &TaskContext) -> Vec<bool> {
        let cache = context.runtime_env().cache_manager.get_file_metadata_cache();
        let first = self.files.first();
        let footer = first.and_then(|file| kept_footer(cache.as_ref(), &file.meta));
        let about = |&column: &usize| {
            let field = self.table_schema.field(column);
            let footer = footer.as_deref().filter(|_| column < self.file_columns);
            Repr::of(field.data_type()) == Some(Repr::Str)
                && footer.is_some_and(|footer| is_coded(footer, field.name()))
        };
        self.columns.iter().map(about).collect()
    }
}

fn is_coded(footer: &ParquetMetaData, name: &str) -> bool {
    let mut groups = footer.row_groups().iter();
    leaf(footer, name).is_some_and(|leaf| groups.all(|group| has_codes_alone(group.column(leaf))))
}
