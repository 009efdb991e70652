//! `warpflight serve`: from a configuration to a running server, and to its end.

mod args;
mod demo;
mod ready;
mod status;

pub use args::ServeArgs;
pub(super) use demo::FOLDER as DEMO_FOLDER;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tonic::transport::server::ServerTlsConfig;

use crate::config::Config;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::flight::{health, listen, service, tls};
use crate::observe::{http, log};

/// How often idle sessions are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How long the end waits for what queries left behind on devices, such as a kernel that is being compiled.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// Serves until a signal ends it.
pub fn run(args: &ServeArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("warpflight-net")
        // A plan that is dropped here recurses as deep as one that is made.
        .thread_stack_size(crate::query::STACK_BYTES)
        .build();
    let served = match runtime {
        Ok(runtime) => {
            let served = runtime.block_on(serve(args));
            // What still blocks a thread (a password check, a file being read) does not hold the exit.
            runtime.shutdown_background();
            served
        }
        Err(error) => Err(Error::resources(format!("threads for connections: {error}"))),
    };
    super::report(served)
}

async fn serve(args: &ServeArgs) -> Result<()> {
    let mut config = Config::load(args.config.as_deref(), &args.options)?;
    log::init(&config.server)?;
    if args.demo {
        demo::prepare(&mut config).await?;
    }
    tls::check_listen(&config)?;
    let transport_tls = tls::server_config(&config.security)?;
    let core = Core::new(config, &crate::config::store_environment()).await?;
    let served = endpoints(&core, transport_tls).await;
    core.close(CLOSE_WAIT).await;
    tracing::info!("stopped");
    served
}

/// Serves `core` until it has drained.
async fn endpoints(core: &Arc<Core>, transport_tls: Option<ServerTlsConfig>) -> Result<()> {
    let config = &core.config;
    let shutdown = &core.shutdown;
    shutdown.on_signals()?;
    tokio::spawn(shutdown.clone().run());

    let listener = listen::bind(&config.server, shutdown.cut_token())?;
    let endpoint = ready::Endpoint {
        address: listener.address(),
        tls: transport_tls.is_some(),
    };
    let source = Arc::new(status::Source::new(core, endpoint, listener.connections()));
    core.metrics.set_totals_source({
        let source = Arc::clone(&source);
        move || source.totals()
    });
    let http = match config.server.http {
        true => Some(http::bind(&config.server, shutdown)?),
        false => None,
    };
    let http_address = http.as_ref().map(http::HttpListener::address);
    let http_server = async {
        match http {
            Some(listener) => http::serve(listener, source, Arc::clone(&core.metrics), shutdown).await,
            None => Ok(()),
        }
    };

    let router = listen::transport(&config.server, transport_tls)?
        .add_service(health::service(shutdown.drain_started()).await)
        .add_service(service::new(Arc::clone(core))?);
    let flight_server = async {
        let served = router
            .serve_with_incoming_shutdown(listener.incoming(), shutdown.stopped())
            .await;
        served.map_err(|error| Error::internal(format!("Flight SQL endpoint: {error}")))
    };
    let sweep = tokio::spawn(sweep(Arc::clone(core)));
    let catalog = Arc::clone(&core.catalog);
    tokio::spawn(async move { catalog.warn_of_broken().await });
    ready::announce(core, endpoint, http_address)?;
    let (flight_served, http_served) = tokio::join!(flight_server, http_server);
    sweep.abort();
    flight_served.and(http_served)
}

async fn sweep(core: Arc<Core>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        core.sessions.close_idle();
    }
}
