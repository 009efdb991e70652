//! The same work on several sources, side by side, results in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::KernelSource;

/// Runs `work` on each source by up to `threads_max` threads.
pub(crate) fn compile_all<T: Send>(
    sources: &[&KernelSource],
    threads_max: usize,
    work: impl Fn(&KernelSource) -> T + Sync,
) -> Vec<T> {
    if sources.len() <= 1 || threads_max <= 1 {
        return sources.iter().map(|source| work(source)).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(sources.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads_max.min(sources.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(source) = sources.get(index) else { break };
                    let result = work(source);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
