//! DataFusion's settings that tables need.

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};

use super::catalogs::CATALOG;
use super::session::SCHEMA;

/// Sets what every session's options must hold for this catalog to work as it says.
pub fn session_options(options: &mut ConfigOptions) {
    options.catalog.default_catalog = CATALOG.into();
    options.catalog.default_schema = SCHEMA.into();
    options.catalog.create_default_catalog_and_schema = false;
    // The catalog has its own, which a broken table does not break.
    options.catalog.information_schema = false;
    options.catalog.has_header = true;

    // Where in the statement a name was not found.
    options.sql_parser.collect_spans = true;
    // Many clients cannot read Arrow's view types.
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.parquet.schema_force_view_types = false;

    // Listings are the table's own: every file in them is part of it.
    options.execution.listing_table_ignore_subdirectory = false;
    options.execution.collect_statistics = true;

    options.execution.parquet.pruning = true;
    options.execution.parquet.enable_page_index = true;
    options.execution.parquet.bloom_filter_on_read = true;
    // One read for most footers instead of two.
    options.execution.parquet.metadata_size_hint = Some(512 << 10);
}

/// The state in which served tables are opened, whoever asks for them.
pub fn opening_state(runtime: Arc<RuntimeEnv>) -> SessionState {
    let mut config = SessionConfig::new();
    session_options(config.options_mut());
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .build()
}
