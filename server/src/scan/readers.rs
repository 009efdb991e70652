//! The threads that read files and decompress pages for all scans.
//!
//! In: pieces of work and whose turn it is. Out: their results, in order. The threads are made at the first use and
//! stay, and serve all queries. Work must not wait for other work of these threads.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use crate::error::{Error, Result};

/// The most threads.
const THREADS_MAX: usize = 16;

/// How often whoever waits asks whether to stop.
const STOP_CHECK: Duration = Duration::from_millis(10);

type Job = Box<dyn FnOnce() + Send>;

/// Says to work under way that nobody wants its result any more.
#[derive(Debug, Clone, Default)]
pub(super) struct Stopped(Arc<AtomicBool>);

impl Stopped {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The error of work that was stopped.
pub(super) fn stopped() -> Error {
    Error::cancelled("the scan was stopped")
}

/// A piece of work.
pub(super) type Work<T> = Box<dyn FnOnce(&Stopped) -> Result<T> + Send>;

/// Where work stands among that of others: what is to be read has its place from when it was decided on, however soon
/// the thread that asks for it gets to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(u64);

impl Turn {
    /// Before all that is to be read: work on what was read, which would else wait for it.
    pub(super) const FIRST: Self = Self(0);

    /// Behind all that was decided on so far.
    pub fn last() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(1);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// Does all work side by side and waits for it. The first error stops the rest, and so does `stop`.
pub(super) fn run_sync<T: Send + 'static>(
    work: Vec<Work<T>>,
    turn: Turn,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<T>> {
    let stopped_flag = Stopped::default();
    let (sender, results) = mpsc::channel::<(usize, Result<T>)>();
    let count = work.len();
    let jobs = work.into_iter().enumerate().map(|(index, work)| {
        let (sender, flag) = (sender.clone(), stopped_flag.clone());
        let job: Job = Box::new(move || {
            let result = match flag.is_set() {
                true => Err(stopped()),
                false => catch_unwind(AssertUnwindSafe(|| work(&flag)))
                    .unwrap_or_else(|_| Err(Error::internal("a panic while reading a file"))),
            };
            // Whoever waited may have given up.
            let _ = sender.send((index, result));
        });
        job
    });
    threads()?.push(jobs, turn);
    drop(sender);
    let mut done: Vec<Option<T>> = (0..count).map(|_| None).collect();
    let mut left = count;
    while left > 0 {
        match results.recv_timeout(STOP_CHECK) {
            Ok((index, Ok(result))) => {
                done[index] = Some(result);
                left -= 1;
            }
            Ok((_, Err(error))) => {
                stopped_flag.set();
                return Err(error);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(Error::internal("work of the threads that read files was lost"));
            }
        }
        if stop() {
            stopped_flag.set();
            return Err(stopped());
        }
    }
    Ok(done.into_iter().flatten().collect())
}

/// How many threads there are at most: three processors of four, because memory is at its limit with these, and what
/// they read must be given to the device meanwhile.
pub(super) fn thread_count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(4, usize::from);
        (processors * 3 / 4).clamp(2, THREADS_MAX)
    })
}

/// Jobs that wait for a thread.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    added: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// By turn, and of one turn in the order in which they came.
    jobs: BTreeMap<(Turn, u64), Job>,
    came: u64,
}

impl Queue {
    fn push(&self, jobs: impl ExactSizeIterator<Item = Job>, turn: Turn) {
        let count = jobs.len();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for job in jobs {
            waiting.came += 1;
            let place = (turn, waiting.came);
            waiting.jobs.insert(place, job);
        }
        drop(waiting);
        match count < thread_count() {
            true => (0..count).for_each(|_| self.added.notify_one()),
            false => self.added.notify_all(),
        }
    }

    fn pop(&self) -> Job {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match waiting.jobs.pop_first() {
                Some((_, job)) => return job,
                None => waiting = self.added.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

fn threads() -> Result<&'static Queue> {
    static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    if let Some(queue) = QUEUE.get() {
        return Ok(queue);
    }
    let _one_maker = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    match QUEUE.get() {
        Some(queue) => Ok(queue),
        None => {
            let made = start_threads()?;
            Ok(QUEUE.get_or_init(|| made))
        }
    }
}

fn start_threads() -> Result<Arc<Queue>> {
    let queue = Arc::new(Queue::default());
    for index in 0..thread_count() {
        let queue = Arc::clone(&queue);
        std::thread::Builder::new()
            .name(format!("warpflight-read-{index}"))
            .spawn(move || {
                loop {
                    queue.pop()();
                }
            })
            .map_err(|error| Error::resources(format!("threads that read files: {error}")))?;
    }
    Ok(queue)
}
