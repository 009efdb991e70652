//! The threads that read files and decompress pages for all scans.
//!
//! In: pieces of work. Out: their results, in order. The threads are made at the first use and stay. Work must not wait
//! for other work of these threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
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

/// Does all work side by side and waits for it. The first error stops the rest, and so does `stop`.
pub(super) fn run_sync<T: Send + 'static>(work: Vec<Work<T>>, stop: &dyn Fn() -> bool) -> Result<Vec<T>> {
    let jobs = threads()?;
    let stopped_flag = Stopped::default();
    let (sender, results) = mpsc::channel::<(usize, Result<T>)>();
    let count = work.len();
    for (index, work) in work.into_iter().enumerate() {
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
        jobs.send(job)
            .map_err(|_| Error::internal("the threads that read files are gone"))?;
    }
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

fn threads() -> Result<mpsc::Sender<Job>> {
    static JOBS: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_maker = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let jobs = match JOBS.get() {
        Some(jobs) => jobs,
        None => {
            let made = start_threads()?;
            JOBS.get_or_init(|| Mutex::new(made))
        }
    };
    Ok(jobs.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

fn start_threads() -> Result<mpsc::Sender<Job>> {
    let (sender, receiver) = mpsc::channel::<Job>();
    let receiver = Arc::new(Mutex::new(receiver));
    let count = std::thread::available_parallelism()
        .map_or(4, usize::from)
        .clamp(2, THREADS_MAX);
    for index in 0..count {
        let receiver = Arc::clone(&receiver);
        std::thread::Builder::new()
            .name(format!("warpflight-read-{index}"))
            .spawn(move || {
                loop {
                    let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    match job {
                        Ok(job) => job(),
                        Err(mpsc::RecvError) => return,
                    }
                }
            })
            .map_err(|error| Error::resources(format!("threads that read files: {error}")))?;
    }
    Ok(sender)
}
