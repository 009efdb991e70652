//! The DataFusion context of a session: shared memory, caches and tables below, its own names above.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::config::ConfigNonZeroUsize;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::catalog::{self, Catalog, ExternalTableFactory};
use crate::config::Config;
use crate::config::carried::Carried;
use crate::config::sections::{EngineOptions, JoinOrder};
use crate::error::Result;
use crate::exec::{Gpus, Settings};
use crate::security::rights::Rights;
use crate::sql::rules;

/// What all sessions share.
pub struct Base {
    /// The tables that the server serves.
    pub catalog: Arc<Catalog>,
    /// Memory, spilling, object stores, caches.
    pub runtime: Arc<RuntimeEnv>,
    /// The devices that queries may run on.
    pub gpus: Arc<Gpus>,
    /// What is done to every physical plan, after DataFusion's rules and those of [`crate::sql::rules`].
    pub rules: Vec<PhysicalRule>,
}

/// A rule for physical plans.
pub type PhysicalRule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// The context of a new session.
///
/// # Errors
/// `Internal` if DataFusion refuses our own configuration.
pub fn of_session(config: &Config, base: &Base, rights: &Arc<Rights>, id: &str) -> Result<SessionContext> {
    let mut session = SessionConfig::new();
    catalog::session_options(session.options_mut());
    let carried = &mut session.options_mut().extensions;
    carried.insert(Carried(Settings {
        engine: config.engine.clone(),
        gpus: Arc::clone(&base.gpus),
    }));
    carried.insert(Carried(config.engine.join_order));
    set_engine(session.options_mut(), config, &config.engine);
    let builder = SessionStateBuilder::new()
        .with_default_features()
        .with_session_id(id.to_owned())
        .with_config(session)
        .with_runtime_env(Arc::clone(&base.runtime))
        .with_catalog_list(base.catalog.session(Arc::clone(rights)))
        .with_table_factories(ExternalTableFactory::factories(&base.catalog, rights).collect());
    let builder = rules::analyzer()
        .into_iter()
        .fold(builder, SessionStateBuilder::with_analyzer_rule);
    let builder = rules::logical()
        .into_iter()
        .fold(builder, SessionStateBuilder::with_optimizer_rule);
    let state = rules::physical()
        .into_iter()
        .chain(base.rules.iter().cloned())
        .fold(builder, SessionStateBuilder::with_physical_optimizer_rule)
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// Puts changed engine options into force for the statements to come.
pub fn apply_engine(context: &SessionContext, config: &Config, engine: &EngineOptions) {
    let state = context.state_ref();
    set_engine(state.write().config_mut().options_mut(), config, engine);
}

fn set_engine(options: &mut datafusion::config::ConfigOptions, config: &Config, engine: &EngineOptions) {
    if let Some(Carried(settings)) = options.extensions.get_mut::<Carried<Settings>>() {
        settings.engine = engine.clone();
    }
    if let Some(Carried(order)) = options.extensions.get_mut::<Carried<JoinOrder>>() {
        *order = engine.join_order;
    }
    // What a third pass over the rules finds is next to nothing, and costs what the first one does.
    options.optimizer.max_passes = OPTIMIZER_PASSES_MAX;
    // The sides that were chosen are kept: the physical plan's own choice knows less of the rows.
    options.optimizer.join_reordering = engine.join_order != JoinOrder::Cost;
    let partitions = match engine.cpu_partitions {
        0 => cpu_threads(config),
        partitions => partitions,
    };
    options.execution.target_partitions = partitions;
    if let Ok(rows) = ConfigNonZeroUsize::try_new(engine.batch_rows) {
        options.execution.batch_size = rows;
    }
}

/// Passes over DataFusion's rules and ours for logical plans: its default is 3. Of the 22 TPC-H queries none is changed by
/// the third.
const OPTIMIZER_PASSES_MAX: usize = 2;

/// Threads that run queries.
pub fn cpu_threads(config: &Config) -> usize {
    match config.engine.cpu_threads {
        0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        threads => threads,
    }
}
