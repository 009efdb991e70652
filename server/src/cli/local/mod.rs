//! A server within this process, for commands that measure or check it: on a free loopback port, asked through the
//! same client as any other server. In: a configuration. Out: its address, until it is dropped.

mod session;

pub(in crate::cli) use session::{Answer, Plan, Session};

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::config::sections::{SecurityOptions, ServerOptions};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::flight::{listen, service};
use crate::observe::log;

/// See the module.
pub(in crate::cli) struct LocalServer {
    /// What it consists of.
    pub core: Arc<Core>,
    url: String,
    served: JoinHandle<()>,
}

impl LocalServer {
    /// Serves as `config` says.
    ///
    /// # Errors
    /// As [`Core::new`]; `Sql` if no port can be had.
    pub async fn start(config: Config) -> Result<Self> {
        let core = Core::new(config, &crate::config::store_environment()).await?;
        let listener = listen::bind(&core.config.server, core.shutdown.cut_token())?;
        let url = format!("grpc://{}", listener.address());
        let router =
            listen::transport(&core.config.server, None)?.add_service(service::new(Arc::clone(&core))?);
        let served = tokio::spawn(async move {
            if let Err(error) = router.serve_with_incoming(listener.incoming()).await {
                tracing::error!(%error, "Flight SQL endpoint");
            }
        });
        Ok(Self { core, url, served })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// The configuration of a server that only this process asks, for the tables in `folders`: environment variables count
/// as they do for `serve`, `flags` over them, but it listens on loopback, without users, TLS and HTTP. Errors are
/// logged only, unless the option `log` asks for more.
///
/// # Errors
/// `Sql` as [`Config::load`].
pub(in crate::cli) fn config(folders: &[&Path], flags: &[(String, String)]) -> Result<Config> {
    let mut config = Config::load(None, flags)?;
    config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.server.http = false;
    if config.server.log == ServerOptions::default().log {
        config.server.log = "error".into();
    }
    config.security = SecurityOptions::default();
    config.data.data = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    log::init(&config.server)?;
    Ok(config)
}

/// Threads as `serve` has them.
///
/// # Errors
/// `Resources` if they cannot be started.
pub(in crate::cli) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(crate::query::STACK_BYTES)
        .build()
        .map_err(|error| Error::resources(format!("threads: {error}")))
}

/// What `work` comes to, unless Ctrl-C comes first.
///
/// # Errors
/// The work's own, or `Cancelled`.
pub(in crate::cli) async fn interruptible<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        outcome = work => outcome,
        _ = tokio::signal::ctrl_c() => Err(Error::cancelled("interrupted")),
    }
}
