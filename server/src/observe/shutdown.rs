//! How the server ends: it drains, cancels what is left, says goodbye, and cuts what still holds on.
//!
//! In: signals, or [`Shutdown::start_drain`]; a [`WorkGuard`] for each piece of running work. Out:
//! the four steps as futures and tokens. It does not know what the work is.
//!
//! | step | from | what others do |
//! |---|---|---|
//! | draining | a signal | refuse new work (`Unavailable`), health NOT_SERVING, `/ready` 503 |
//! | cancelled | `drain_timeout` later, if work still runs | stop that work |
//! | stopped | no work runs, or it did not stop | endpoints accept nothing more and say goodbye |
//! | cut | a moment later | connections that are still there are closed |

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// How long cancelled work may take to notice.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// How long clients may take to answer a goodbye.
const GOODBYE_GRACE: Duration = Duration::from_millis(500);

/// The exit code after a second signal: 128 and SIGINT's number, as shells have it.
const SECOND_SIGNAL_EXIT: i32 = 130;

#[derive(Debug, Clone, Copy, Default)]
struct Work {
    draining: bool,
    running: usize,
}

/// The end of one server; clones are handles to the same.
#[derive(Debug, Clone)]
pub struct Shutdown {
    drain_timeout: Duration,
    work: Arc<watch::Sender<Work>>,
    cancelled: CancellationToken,
    stopped: CancellationToken,
    cut: CancellationToken,
}

/// Running work that a drain waits for, until dropped.
#[derive(Debug)]
pub struct WorkGuard(Arc<watch::Sender<Work>>);

impl Drop for WorkGuard {
    fn drop(&mut self) {
        self.0.send_modify(|work| work.running -= 1);
    }
}

impl Shutdown {
    /// A server that runs. A drain of it waits for `drain_timeout` at most.
    pub fn new(drain_timeout: Duration) -> Self {
        Self {
            drain_timeout,
            work: Arc::new(watch::Sender::new(Work::default())),
            cancelled: CancellationToken::new(),
            stopped: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    /// Begins to drain; nothing more happens the second time.
    pub fn start_drain(&self) {
        self.work.send_modify(|work| work.draining = true);
    }

    /// Whether new work is refused.
    pub fn draining(&self) -> bool {
        self.work.borrow().draining
    }

    /// Counts a piece of work in; `None` if the server drains.
    pub fn enter(&self) -> Option<WorkGuard> {
        let entered = self.work.send_if_modified(|work| {
            work.running += usize::from(!work.draining);
            !work.draining
        });
        entered.then(|| WorkGuard(Arc::clone(&self.work)))
    }

    /// As [`Shutdown::enter`], with the error that a client gets.
    ///
    /// # Errors
    /// `Unavailable` if the server drains.
    pub fn admit(&self) -> Result<WorkGuard> {
        self.enter()
            .ok_or_else(|| Error::unavailable("the server is shutting down and takes no new work"))
    }

    /// Over when the drain begins.
    pub fn drain_started(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut work = self.work.subscribe();
        let sender = Arc::clone(&self.work);
        async move {
            // Cannot fail: the sender is held until here.
            let _ = work.wait_for(|work| work.draining).await;
            drop(sender);
        }
    }

    /// Over when what still runs is to stop.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.cancelled.clone().cancelled_owned()
    }

    /// The same as a token: a child of it stops one query alone, or with the server.
    pub fn cancel_token(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    /// Over when endpoints are to end: the signal for tonic and axum.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.stopped.clone().cancelled_owned()
    }

    /// Cancelled when connections are to be cut: a hung client does not hold the exit.
    pub fn cut_token(&self) -> CancellationToken {
        self.cut.clone()
    }

    /// Drains on SIGINT and SIGTERM; a second one ends the process at once with code 130.
    ///
    /// # Errors
    /// `Internal` if the handlers cannot be installed.
    pub fn on_signals(&self) -> Result<()> {
        let install = |kind| {
            signal(kind).map_err(|error| Error::internal(format!("cannot install a signal handler: {error}")))
        };
        let mut interrupt = install(SignalKind::interrupt())?;
        let mut terminate = install(SignalKind::terminate())?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            let name = either(&mut interrupt, &mut terminate).await;
            tracing::info!(
                signal = name,
                running = shutdown.work.borrow().running,
                "shutting down; a second signal ends at once"
            );
            shutdown.start_drain();
            let name = either(&mut interrupt, &mut terminate).await;
            tracing::warn!(signal = name, "second signal: ending at once");
            std::process::exit(SECOND_SIGNAL_EXIT);
        });
        Ok(())
    }

    /// Drives the steps, from the beginning of the drain to the cut. To be spawned beside the endpoints.
    pub async fn run(self) {
        self.drain_started().await;
        if !self.idle_within(self.drain_timeout).await {
            let running = self.work.borrow().running;
            tracing::warn!(
                running,
                drain_timeout_s = self.drain_timeout.as_secs_f64(),
                "cancelling what still runs"
            );
            self.cancelled.cancel();
            if !self.idle_within(CANCEL_GRACE).await {
                tracing::warn!(
                    running = self.work.borrow().running,
                    "work that did not stop is abandoned"
                );
            }
        }
        self.cancelled.cancel();
        self.stopped.cancel();
        tokio::time::sleep(GOODBYE_GRACE).await;
        self.cut.cancel();
    }

    async fn idle_within(&self, limit: Duration) -> bool {
        let mut work = self.work.subscribe();
        let idle = work.wait_for(|work| work.running == 0);
        tokio::time::timeout(limit, idle).await.is_ok()
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

#[cfg(test)]
mod tests;
