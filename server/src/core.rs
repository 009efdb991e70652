//! What one server consists of, put together from its configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use crate::catalog::Catalog;
use crate::config::Config;
use crate::error::Result;
use crate::error_datafusion::from_datafusion;
use crate::exec::Gpus;
use crate::observe::machine;
use crate::observe::metrics::Metrics;
use crate::observe::shutdown::Shutdown;
use crate::query::Engine;
use crate::query::offloading::Offload;
use crate::security::tokens::Tokens;
use crate::security::users::Users;
use crate::session::context::Base;
use crate::session::store::Sessions;

/// Named in an out-of-memory error: the operators that hold most.
const NAMED_CONSUMERS: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN.saturating_add(2);

/// Everything that requests share.
pub struct Core {
    /// The configuration that the server started with.
    pub config: Arc<Config>,
    /// Who may ask.
    pub users: Users,
    /// Who has signed in.
    pub tokens: Tokens,
    /// Who is connected.
    pub sessions: Sessions,
    /// What runs.
    pub engine: Arc<Engine>,
    /// What is served.
    pub catalog: Arc<Catalog>,
    /// Memory, spilling, object stores, caches.
    pub runtime: Arc<RuntimeEnv>,
    /// The devices that queries may run on.
    pub gpus: Arc<Gpus>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How it ends.
    pub shutdown: Shutdown,
}

impl Core {
    /// A server of this configuration, not yet listening.
    ///
    /// # Errors
    /// `Sql` for a configuration that contradicts itself; `Resources` if threads or the spill
    /// directory cannot be had. A table that cannot be read is no error here but when it is used.
    pub async fn new(config: Config, environment: &BTreeMap<String, String>) -> Result<Arc<Self>> {
        let config = Arc::new(config);
        let users = Users::new(&config.users)?;
        let catalog = Catalog::open(&config, environment).await?;
        let runtime = runtime(&config, &catalog)?;
        let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))?);
        let shutdown = Shutdown::new(config.server.drain_timeout.0);
        let gpus = Gpus::new(&config.gpu, kernel_cache(environment));
        // A device that was asked for by name is missed at the start, not by the first query.
        gpus.start(config.engine.device)?;
        let base = Base {
            catalog: Arc::clone(&catalog),
            runtime: Arc::clone(&runtime),
            gpus: Arc::clone(&gpus),
            rules: vec![Arc::new(Offload)],
        };
        Ok(Arc::new(Self {
            users,
            tokens: Tokens::new(config.security.token_lifetime.0),
            sessions: Sessions::new(Arc::clone(&config), base),
            engine: Arc::new(Engine::new(&config, Arc::clone(&metrics), shutdown.clone())?),
            catalog,
            gpus,
            runtime,
            metrics,
            shutdown,
            config,
        }))
    }

    /// Ends what still runs and closes the devices, waiting `timeout` at most for threads of queries that use them.
    /// Whether all are closed: else the process may crash when it ends.
    pub async fn close(&self, timeout: Duration) -> bool {
        self.shutdown.start_drain();
        self.shutdown.cancel_token().cancel();
        self.shutdown.cut_token().cancel();
        let gpus = Arc::clone(&self.gpus);
        let closed = tokio::task::spawn_blocking(move || gpus.close_sync(timeout)).await;
        closed.unwrap_or_else(|error| {
            tracing::error!(%error, "closing the devices");
            false
        })
    }
}

/// Where compiled kernels are kept, unless the option says where: the user's cache folder.
pub fn kernel_cache(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let variable = |name: &str| {
        environment
            .get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    cache.map(|cache| cache.join("warpflight").join("kernels"))
}

fn runtime(config: &Config, catalog: &Arc<Catalog>) -> Result<Arc<RuntimeEnv>> {
    let memory = usize::try_from(machine::memory_limit(config)).unwrap_or(usize::MAX);
    let mode = match &config.limits.spill_directory {
        Some(directory) => DiskManagerMode::Directories(vec![directory.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let spill = DiskManagerBuilder::default()
        .with_mode(mode)
        .with_max_temp_directory_size(config.limits.spill_limit.0);
    let pool = TrackConsumersPool::new(FairSpillPool::new(memory), NAMED_CONSUMERS);
    let builder = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(spill);
    let runtime = catalog.configure(builder).build_arc().map_err(from_datafusion)?;
    catalog.attach(Arc::clone(&runtime));
    Ok(runtime)
}
