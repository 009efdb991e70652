//! The DataFusion context of a session: shared memory, caches and tables below, its own names above.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::catalog::{self, Catalog};
use crate::config::Config;
use crate::config::sections::EngineOptions;
use crate::error::Result;
use crate::security::rights::Rights;

/// Name of the one catalog.
pub const CATALOG: &str = "warpflight";
/// Name of the schema of served tables, and of a session's own.
pub const SCHEMA: &str = "public";

/// What all sessions share.
pub struct Base {
    /// The tables that the server serves.
    pub catalog: Arc<Catalog>,
    /// Memory, spilling, object stores, caches.
    pub runtime: Arc<RuntimeEnv>,
}

/// The context of a new session.
///
/// # Errors
/// `Internal` if DataFusion refuses our own configuration.
pub fn of_session(config: &Config, base: &Base, rights: &Arc<Rights>, id: &str) -> Result<SessionContext> {
    let mut session = SessionConfig::new()
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, SCHEMA);
    catalog::session_options(session.options_mut());
    session.options_mut().sql_parser.collect_spans = true;
    set_engine(session.options_mut(), config, &config.engine);
    let mut builder = SessionStateBuilder::new()
        .with_default_features()
        .with_session_id(id.to_owned())
        .with_config(session)
        .with_runtime_env(Arc::clone(&base.runtime))
        .with_catalog_list(catalog::session_catalogs(&base.catalog, rights));
    for (format, factory) in catalog::table_factories(&base.catalog, rights) {
        builder = builder.with_table_factory(format, factory);
    }
    Ok(SessionContext::new_with_state(builder.build()))
}

/// Puts changed engine options into force for the statements to come.
pub fn apply_engine(context: &SessionContext, config: &Config, engine: &EngineOptions) {
    let state = context.state_ref();
    set_engine(state.write().config_mut().options_mut(), config, engine);
}

fn set_engine(options: &mut datafusion::config::ConfigOptions, config: &Config, engine: &EngineOptions) {
    let partitions = match engine.cpu_partitions {
        0 => cpu_threads(config),
        partitions => partitions,
    };
    options.execution.target_partitions = partitions.into();
    if let Some(rows) = NonZeroUsize::new(engine.batch_rows) {
        options.execution.batch_size = rows;
    }
}

/// Threads that run queries.
pub fn cpu_threads(config: &Config) -> usize {
    match config.engine.cpu_threads {
        0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        threads => threads,
    }
}
