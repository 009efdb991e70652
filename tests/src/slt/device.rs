//! The server with its queries on a device: the same statements, and where each of them ran.
//!
//! In: the server's URL and SQL text. Out: what [`FlightDb`] gives, and a tally of the queries that read a table, by
//! whether the device ran them whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput};

use super::column::ColumnKind;
use super::flight::FlightDb;
use super::{EngineError, is_query};

/// Where queries that read a table ran.
#[derive(Debug, Default)]
pub struct Tally {
    /// Wholly on the device.
    pub whole: usize,
    /// In part on the CPU, by what stood in the way.
    pub fallbacks: BTreeMap<String, usize>,
}

impl Tally {
    /// Queries that the CPU ran a part of.
    pub fn fallen_back(&self) -> usize {
        self.fallbacks.values().sum()
    }
}

/// One session of a server whose queries run on a device.
pub struct DeviceDb {
    inner: FlightDb,
    tables: Arc<Vec<String>>,
    tally: Arc<Mutex<Tally>>,
}

impl DeviceDb {
    /// Connects to the server at `url`. `tables` are the names that make a query one that is counted in `tally`.
    pub async fn connect(
        url: &str,
        tables: Arc<Vec<String>>,
        tally: Arc<Mutex<Tally>>,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            inner: FlightDb::connect(url).await?,
            tables,
            tally,
        })
    }

    async fn classify(&mut self, sql: &str) {
        // A query that cannot be planned is counted by what it then fails with.
        let Ok(DBOutput::Rows { rows, .. }) = self.inner.run(&format!("EXPLAIN {sql}")).await else {
            return;
        };
        let plan: Vec<String> = rows.into_iter().flatten().collect();
        let plan = plan.join(" ");
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        match plan.split_once("CpuFallbackExec: ") {
            Some((_, reasons)) => {
                let reason = reasons.split("\\n").next().unwrap_or(reasons);
                let reason = reason.split(';').next().unwrap_or(reason).trim();
                let reason: String = reason.chars().take(90).collect();
                *tally.fallbacks.entry(reason).or_default() += 1;
            }
            None if plan.contains("GpuExec") => tally.whole += 1,
            // Answered from statistics or constants alone.
            None => {}
        }
    }
}

#[async_trait]
impl AsyncDB for DeviceDb {
    type Error = EngineError;
    type ColumnType = ColumnKind;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<ColumnKind>, EngineError> {
        let lower = sql.trim_start().to_lowercase();
        let plain = is_query(sql) && !lower.starts_with("explain") && !lower.starts_with("show");
        if plain && super::script::mentions_any(sql, &self.tables) {
            self.classify(sql).await;
        }
        self.inner.run(sql).await
    }

    async fn shutdown(&mut self) {
        self.inner.shutdown().await;
    }

    fn engine_name(&self) -> &str {
        "warpflight"
    }
}
