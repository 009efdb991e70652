//! Queries side by side. In: what is to be run, a server, how many jobs. Out: outcomes in the tally. Each job has
//! sessions of its own and takes whatever comes next; what a check is does not depend on who runs it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::task::JoinSet;

use super::cases::Case;
use super::queries::{Ran, Sessions, Turns};
use super::random;
use super::tally::Tally;
use crate::cli::local::LocalServer;
use crate::error::{Error, Result};

/// Checks by their numbers.
pub enum Work {
    /// These.
    Cases(Vec<Case>),
    /// Statements made from a seed.
    Random(random::Chosen),
}

impl Work {
    /// The numbers that there are.
    pub fn numbers(&self) -> Range<u64> {
        match self {
            Self::Cases(cases) => 0..cases.len() as u64,
            Self::Random(chosen) => chosen.numbers(),
        }
    }
}

/// What jobs share.
struct Shared {
    work: Work,
    next: AtomicU64,
    end: u64,
    tally: Arc<Tally>,
}

/// Runs all of `work`, `jobs` at a time, until time is up.
///
/// # Errors
/// If sessions cannot be had, or outcomes not be printed. What queries end with is in the tally.
pub async fn run(server: &LocalServer, jobs: usize, work: Work, tally: &Arc<Tally>) -> Result<()> {
    let Range { start, end } = work.numbers();
    let jobs = jobs.min(usize::try_from(end - start).unwrap_or(usize::MAX));
    let turns = Arc::new(Turns::new(jobs, Arc::clone(tally)));
    let shared = Arc::new(Shared {
        work,
        next: AtomicU64::new(start),
        end,
        tally: Arc::clone(tally),
    });
    // Dropped, it stops them: at an error of one, and at Ctrl-C.
    let mut running = JoinSet::new();
    for _ in 0..jobs {
        let sessions = Sessions::open(server.url(), &turns).await?;
        running.spawn(job(Arc::clone(&shared), sessions));
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(|error| Error::internal(format!("a job of the self-test: {error}")))??;
    }
    Ok(())
}

async fn job(shared: Arc<Shared>, mut sessions: Sessions) -> Result<()> {
    let tally = &*shared.tally;
    while !tally.is_over() {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= shared.end {
            break;
        }
        tally.query();
        match &shared.work {
            Work::Cases(cases) => one(&cases[number as usize], &mut sessions, tally).await?,
            Work::Random(chosen) => random::one(*chosen, number, &mut sessions, tally).await?,
        }
    }
    Ok(())
}

async fn one(case: &Case, sessions: &mut Sessions, tally: &Tally) -> Result<()> {
    let start = Instant::now();
    let outcome = match sessions.run(case).await {
        Ok(Ran { plan, .. }) => {
            tally.placed(&plan);
            Ok(())
        }
        Err(reason) => Err(format!("{reason}\n        {}", case.sql)),
    };
    tally.note(&case.name, start.elapsed(), outcome)
}
