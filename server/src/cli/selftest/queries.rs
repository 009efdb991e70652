//! Queries on the device against the same on the CPU. In: cases. Out: for each whether the answers are equal, and where it
//! ran.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::RwLock;

use super::cases::{self, Case, Order};
use super::tables;
use super::tally::Tally;
use crate::cli::local::{Answer, Plan, Session};
use crate::error::{Error, Kind, Result};
use crate::tpch::{self, Silent, TpchOptions};

/// A folder that is removed with everything in it when it is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new one in the system's temporary directory.
    ///
    /// # Errors
    /// `Data` if it cannot be made.
    pub fn new() -> Result<Self> {
        let name = format!("warpflight-selftest-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)
            .map_err(|error| Error::data(format!("{}: {error}", path.display())))?;
        Ok(Self(path))
    }

    /// Its subfolder with the tables of the statements, `rows` each.
    ///
    /// # Errors
    /// `Data` if they cannot be written.
    pub fn statements(&self, rows: usize) -> Result<PathBuf> {
        self.filled("statements", |folder| tables::write(folder, rows))
    }

    /// Its subfolder of this name with what `write` writes there.
    ///
    /// # Errors
    /// `Data` if it cannot be made, or what `write` says.
    pub fn filled(&self, name: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let folder = self.0.join(name);
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::data(format!("{}: {error}", folder.display())))?;
        write(&folder)?;
        Ok(folder)
    }

    /// Its subfolder with the TPC-H tables.
    ///
    /// # Errors
    /// As [`tpch::generate`].
    pub fn tpch(&self) -> Result<PathBuf> {
        let folder = self.0.join("tpch");
        let options = TpchOptions {
            row_group_bytes: 1 << 20,
            ..TpchOptions::new(cases::SCALE, &folder)
        };
        tpch::generate(&options, &Silent)?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, whose temporary directory it is.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What came of a case that the device and the CPU agree on.
#[derive(Debug)]
pub struct Ran {
    /// Where it ran.
    pub plan: Plan,
    /// What it is refused with, if both refuse it.
    pub refused: Option<String>,
}

/// Who runs when several jobs do: all side by side, or one alone.
pub struct Turns {
    jobs: usize,
    alone: RwLock<()>,
    tally: Arc<Tally>,
}

impl Turns {
    /// Of so many jobs.
    pub fn new(jobs: usize, tally: Arc<Tally>) -> Self {
        Self {
            jobs,
            alone: RwLock::default(),
            tally,
        }
    }
}

/// Two sessions on one server: one on the device, one on the CPU.
pub struct Sessions {
    device: Session,
    cpu: Session,
    turns: Arc<Turns>,
}

/// What a case came to, and whether a limit was reached, which may be due to what ran beside it.
struct Attempt {
    outcome: Result<Ran, String>,
    at_limit: bool,
}

impl Sessions {
    /// Connects twice.
    ///
    /// # Errors
    /// `Unavailable` if the server does not answer.
    pub async fn open(url: &str, turns: &Arc<Turns>) -> Result<Self> {
        let mut device = Session::open(url).await?;
        device.set("verify", "true").await?;
        let mut cpu = Session::open(url).await?;
        cpu.set("device", "cpu").await?;
        // Filters that DataFusion makes of joined keys leave row groups out by statistics, which know nothing of NaN:
        // its answer would lack rows whose keys are equal as NaN is.
        cpu.set("datafusion.optimizer.enable_dynamic_filter_pushdown", "false")
            .await?;
        let turns = Arc::clone(turns);
        Ok(Self { device, cpu, turns })
    }

    /// Sets an option of the session on the device.
    ///
    /// # Errors
    /// What the server says.
    pub async fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.device.set(name, value).await
    }

    /// Runs a case on both: where it ran, or what was wrong. One that reaches a limit beside others runs again alone.
    pub async fn run(&mut self, case: &Case) -> Result<Ran, String> {
        let turns = Arc::clone(&self.turns);
        let beside = turns.alone.read().await;
        let Attempt { outcome, at_limit } = self.attempt(case).await;
        drop(beside);
        if !at_limit || turns.jobs == 1 {
            return outcome;
        }
        turns.tally.again_alone();
        let _alone = turns.alone.write().await;
        self.attempt(case).await.outcome
    }

    async fn attempt(&mut self, case: &Case) -> Attempt {
        let expected = self.cpu.ask(&case.sql).await;
        let found = self.on_device(&case.sql).await;
        let of = |error: Option<&Error>| error.is_some_and(|error| error.kind() == Kind::Resources);
        let at_limit = of(found.as_ref().err()) || of(expected.as_ref().err());
        Attempt {
            outcome: self.agreed(case, found, expected).await,
            at_limit,
        }
    }

    async fn agreed(
        &mut self,
        case: &Case,
        found: Result<(Plan, Answer)>,
        expected: Result<Answer>,
    ) -> Result<Ran, String> {
        match (found, expected) {
            (Ok((plan, answer)), Ok(expected)) => {
                same(case, &answer, &expected)?;
                Ok(Ran { plan, refused: None })
            }
            // A part of it has an answer on one of them only.
            (Err(error), Err(_)) if error.message().contains("verify: ") => Err(error.message().to_owned()),
            // What both refuse, such as a division by zero, they agree on.
            (Err(error), Err(_)) => Ok(Ran {
                plan: self.device.plan(&case.sql).await.unwrap_or(Plan::None),
                refused: Some(error.message().to_owned()),
            }),
            (Err(error), Ok(_)) => Err(error.message().to_owned()),
            (Ok(_), Err(error)) => Err(format!("it has an answer, but the CPU says: {}", error.message())),
        }
    }

    async fn on_device(&mut self, sql: &str) -> Result<(Plan, Answer)> {
        let plan = self.device.plan(sql).await?;
        if plan != Plan::Whole {
            return Ok((plan, self.device.ask(sql).await?));
        }
        // What is said to run on the device must not leave it unseen.
        self.device.set("fallback_mode", "raise").await?;
        let answer = self.device.ask(sql).await;
        self.device.set("fallback_mode", "warn").await?;
        match answer {
            Err(error) if error.message().contains(Plan::GAVE_BACK) => {
                let answer = self.device.ask(sql).await?;
                Ok((Plan::Part(error.message().to_owned()), answer))
            }
            answer => Ok((plan, answer?)),
        }
    }
}

fn same(case: &Case, answer: &Answer, expected: &Answer) -> Result<(), String> {
    match &case.order {
        Order::Of(columns) => answer.compare(expected, columns),
        Order::All => {
            let columns = expected.columns();
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            answer.compare(expected, &columns)
        }
    }
}

#[cfg(test)]
mod tests;
