//! What came of the checks so far. In: outcomes, from jobs side by side. Out: a line a failure, a line now and then on
//! a terminal, the summary.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cli::local::Plan;
use crate::error::{Error, Result};

/// Between two lines that say how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// See the module.
pub struct Tally {
    verbose: bool,
    /// Whether somebody looks.
    terminal: bool,
    all: u64,
    /// After which no check is begun.
    limit: Option<Duration>,
    begun: Instant,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
    whole: u64,
    queries: u64,
    alone: u64,
    progress: Option<Instant>,
    /// How many queries the CPU ran a part of, by why; a query may have several reasons.
    fallbacks: BTreeMap<String, u64>,
    /// How many queries both the device and the CPU refused, by what the device said.
    refusals: BTreeMap<String, u64>,
}

impl Tally {
    /// Of `all` checks, the first of which begins now; none is to be begun after `limit`.
    pub fn new(all: u64, limit: Option<Duration>, verbose: bool) -> Self {
        Self {
            verbose,
            terminal: stderr().is_terminal(),
            all,
            limit,
            begun: Instant::now(),
            counts: Mutex::default(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether time is up.
    pub fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.begun.elapsed() >= limit)
    }

    /// Prints what a check is about, if every check has a line.
    pub fn announce(&self, text: impl FnOnce() -> String) -> Result<()> {
        match self.verbose {
            true => print(&text()),
            false => Ok(()),
        }
    }

    /// A check ended.
    pub fn note(&self, name: &str, wall: Duration, outcome: Result<(), String>) -> Result<()> {
        let mut counts = self.counts();
        let line = match outcome {
            Ok(()) => {
                counts.passed += 1;
                self.verbose
                    .then(|| format!("ok      {name:<40} {:>9.3} s\n", wall.as_secs_f64()))
            }
            Err(reason) => {
                counts.failed += 1;
                Some(format!("FAILED  {name}: {reason}\n"))
            }
        };
        let since = counts.progress.unwrap_or(self.begun);
        if self.terminal && since.elapsed() >= PROGRESS_EVERY {
            counts.progress = Some(Instant::now());
            let done = counts.passed + counts.failed + counts.skipped;
            // There is nobody to tell if standard error is closed.
            let _ = writeln!(stderr(), "{done} of {}, {} failed", self.all, counts.failed);
        }
        drop(counts);
        line.map_or(Ok(()), |line| print(&line))
    }

    /// A check was left out.
    pub fn skip(&self, name: &str, reason: &str) -> Result<()> {
        self.counts().skipped += 1;
        print(&format!("SKIPPED {name}: {reason}\n"))
    }

    /// A check is a query.
    pub fn query(&self) {
        self.counts().queries += 1;
    }

    /// A query reached a limit beside others, and runs again alone.
    pub fn again_alone(&self) {
        self.counts().alone += 1;
    }

    /// Both refused a query.
    pub fn refused(&self, reason: &str) {
        *self.counts().refusals.entry(headline(reason)).or_default() += 1;
    }

    /// Where a query ran.
    pub fn placed(&self, plan: &Plan) {
        let mut counts = self.counts();
        let reasons = match plan {
            Plan::Whole => {
                counts.whole += 1;
                return;
            }
            Plan::Part(reasons) => reasons,
            Plan::None => "nothing of it is for a device",
        };
        for reason in reasons.split("; ") {
            *counts.fallbacks.entry(reason.to_owned()).or_default() += 1;
        }
    }

    /// Whether no check failed.
    pub fn is_well(&self) -> bool {
        self.counts().failed == 0
    }

    /// All of it in words.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let mut text = String::new();
        if counts.queries > 0 {
            text.push_str(&format!(
                "{} of {} queries ran wholly on the device\n",
                counts.whole, counts.queries
            ));
        }
        for (reason, count) in &counts.fallbacks {
            text.push_str(&format!("  {count} with a part on the CPU: {reason}\n"));
        }
        for (reason, count) in &counts.refusals {
            text.push_str(&format!("  {count} refused on both: {reason}\n"));
        }
        if counts.alone > 0 {
            text.push_str(&format!(
                "  {} reached a limit beside others, and ran again alone\n",
                counts.alone
            ));
        }
        let ran = counts.passed + counts.failed;
        if let Some(limit) = self.limit {
            text.push_str(&format!(
                "{ran} of {} checks were begun within {} s\n",
                self.all,
                limit.as_secs()
            ));
        }
        text.push_str(&format!("{} of {ran} checks passed\n", counts.passed));
        if counts.skipped > 0 {
            text.push_str(&format!(
                "{} skipped: nothing is known of what they check\n",
                counts.skipped
            ));
        }
        text
    }
}

/// The beginning of a message, without what differs from one to the next.
fn headline(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let end = line.char_indices().nth(90).map_or(line.len(), |(at, _)| at);
    line[..end].to_owned()
}

/// Writes to standard output.
///
/// # Errors
/// `Data` if that takes nothing.
pub fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::data(format!("standard output: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_is_told_from_what_was_to_run() {
        let tally = Tally::new(9, Some(Duration::from_secs(60)), false);
        assert!(!tally.is_over());
        for _ in 0..2 {
            tally.query();
            tally.placed(&Plan::Whole);
            tally.note("one", Duration::ZERO, Ok(())).unwrap();
        }
        tally.again_alone();
        assert_eq!(
            tally.summary(),
            "2 of 2 queries ran wholly on the device\n  1 reached a limit beside others, and ran again alone\n\
             2 of 9 checks were begun within 60 s\n2 of 2 checks passed\n"
        );
        assert!(tally.is_well());
        assert!(Tally::new(9, Some(Duration::ZERO), false).is_over());
    }
}
