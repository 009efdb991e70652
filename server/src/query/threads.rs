//! The threads that plan and compute, apart from those that serve connections.

use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::error::{Error, Result};

/// Stack of the threads that plan and compute: planners recurse once a level of an expression.
/// Reserved, not used, until something recurses.
pub const STACK_BYTES: usize = 256 << 20;

/// A task that ends when nobody waits for it any more.
pub(super) struct AbortOnDrop<T>(JoinHandle<T>);

impl<T: Send + 'static> AbortOnDrop<T> {
    /// A task on the threads of whoever asks, which are not the engine's.
    pub(super) fn here(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The threads that plan and compute.
pub(super) struct Threads {
    runtime: Option<tokio::runtime::Runtime>,
}

impl Threads {
    /// So many.
    ///
    /// # Errors
    /// `Resources` if they cannot be had.
    pub(super) fn new(count: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name("warpflight-query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| Error::resources(format!("threads for queries: {error}")))?;
        Ok(Self {
            runtime: Some(runtime),
        })
    }

    /// Begins work that ends when the handle is dropped.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDrop<T> {
        match &self.runtime {
            Some(runtime) => AbortOnDrop(runtime.spawn(work)),
            None => unreachable!("the threads stop only when the engine is dropped"),
        }
    }

    /// Does work to its end; a panic in it becomes an error.
    ///
    /// # Errors
    /// As the work; `Internal` for a panic.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let mut task = self.spawn(work.in_current_span());
        match (&mut task.0).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => {
                Err(Error::internal(format!("a panic while planning: {error}")))
            }
            Err(_) => Err(Error::unavailable("the server is shutting down")),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime must not be dropped where async code runs; this one need not be waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
