//! Ctrl-C. In: the signal. Out: a future that ends at the next one, for whoever runs a query.

use tokio::sync::watch;

use super::failure::{Failure, FailureKind, Outcome};

/// Counts the interrupts of the process.
pub struct Interrupt {
    count: watch::Receiver<u64>,
}

impl Interrupt {
    /// From now on Ctrl-C no longer ends the process by itself. With `impatient`, a second one does: for
    /// scripts whose output is stuck in a pipe that nobody reads.
    pub fn listen(impatient: bool) -> Outcome<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut signals = signal(SignalKind::interrupt())
            .map_err(|e| Failure::new(FailureKind::Query, format!("cannot listen for Ctrl-C: {e}")))?;
        let (sender, count) = watch::channel(0);
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                sender.send_modify(|n| *n += 1);
                if impatient && *sender.borrow() > 1 {
                    std::process::exit(i32::from(Failure::interrupted().exit_code()));
                }
            }
        });
        Ok(Self { count })
    }

    /// One that the returned function raises.
    #[cfg(test)]
    pub fn manual() -> (Self, impl FnOnce()) {
        let (sender, count) = watch::channel(0);
        (Self { count }, move || {
            sender.send_modify(|n| *n += 1);
            std::mem::forget(sender);
        })
    }

    /// Forgets interrupts that came before now.
    pub fn reset(&mut self) {
        self.count.mark_unchanged();
    }

    /// Ends at the next interrupt since the last [`reset`](Self::reset).
    pub async fn next(&mut self) {
        if self.count.changed().await.is_err() {
            // No more signals will be told of.
            std::future::pending::<()>().await;
        }
    }
}
