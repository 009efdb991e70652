//! A server within this process, for commands that measure or check it: on a free loopback port, asked through the
//! same client as any other server. In: a configuration, and what is to be done with the server. Out: what comes of that, after
//! the server is closed and its devices with it.

mod session;

pub(in crate::cli) use session::{Answer, Plan, Session};

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::config::Config;
use crate::config::sections::{SecurityOptions, ServerOptions};
use crate::core::Core;
use crate::error::{Error, Kind, Result};
use crate::flight::{listen, service};
use crate::observe::log;

/// How long the end of a server waits for what its queries left behind, such as a kernel that is being compiled.
const CLOSE_WAIT: Duration = Duration::from_secs(10);
/// The same after Ctrl-C.
const INTERRUPTED_WAIT: Duration = Duration::from_secs(2);

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

    /// Stops its queries and closes its devices, waiting for both, `timeout` at most. Whether all are closed.
    pub async fn close(self, timeout: Duration) -> bool {
        self.served.abort();
        self.core.close(timeout).await
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
    let config = unlogged(folders, flags)?;
    log::init(&config.server)?;
    Ok(config)
}

/// The same without beginning to log, which a process does once.
pub(in crate::cli) fn unlogged(folders: &[&Path], flags: &[(String, String)]) -> Result<Config> {
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
    Ok(config)
}

/// Does `work` on threads as `serve` has them, which have ended when it returns.
///
/// # Errors
/// `Resources` if they cannot be started, or the work's own.
pub(in crate::cli) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(crate::query::STACK_BYTES)
        .build()
        .map_err(|error| Error::resources(format!("threads: {error}")))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(INTERRUPTED_WAIT);
    outcome
}

/// Does `work` with a server that is closed after it, also when Ctrl-C ends it.
///
/// # Errors
/// As [`LocalServer::start`], the work's own, or `Cancelled`.
pub(in crate::cli) async fn with_server<T>(
    config: Config,
    work: impl AsyncFnOnce(&LocalServer) -> Result<T>,
) -> Result<T> {
    let server = LocalServer::start(config).await?;
    let outcome = interruptible(work(&server)).await;
    let is_interrupted = matches!(&outcome, Err(error) if error.kind() == Kind::Cancelled);
    let timeout = match is_interrupted {
        true => INTERRUPTED_WAIT,
        false => CLOSE_WAIT,
    };
    server.close(timeout).await;
    outcome
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

#[cfg(test)]
mod tests;
