//! Queries on the device against the same on the CPU. In: cases, a device's name. Out: for each whether the answers
//! are equal, and where it ran.

use std::path::{Path, PathBuf};

use super::cases::{self, Case, Order};
use super::tables;
use crate::cli::local::{Answer, LocalServer, Plan, Session};
use crate::error::{Error, Result};
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

/// Two sessions on one server: one on the device, one on the CPU.
pub struct Sessions {
    device: Session,
    cpu: Session,
}

impl Sessions {
    /// Connects twice.
    ///
    /// # Errors
    /// `Unavailable` if the server does not answer.
    pub async fn open(server: &LocalServer) -> Result<Self> {
        let mut device = Session::open(server.url()).await?;
        device.set("verify", "true").await?;
        let mut cpu = Session::open(server.url()).await?;
        cpu.set("device", "cpu").await?;
        // Filters that DataFusion makes of joined keys leave row groups out by statistics, which know nothing of NaN:
        // its answer would lack rows whose keys are equal as NaN is.
        cpu.set("datafusion.optimizer.enable_dynamic_filter_pushdown", "false")
            .await?;
        Ok(Self { device, cpu })
    }

    /// Sets an option of the session on the device.
    ///
    /// # Errors
    /// What the server says.
    pub async fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.device.set(name, value).await
    }

    /// Runs a case on both: where it ran, or what was wrong.
    pub async fn run(&mut self, case: &Case) -> Result<Ran, String> {
        let expected = self.cpu.ask(&case.sql).await;
        match (self.on_device(&case.sql).await, expected) {
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
