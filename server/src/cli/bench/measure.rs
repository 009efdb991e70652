//! One query, measured. In: the query and who is asked. Out: times, bytes, and whether the answer was right.

use serde_json::Value;

use super::agreement::agree;
use super::args::{Mode, TpchArgs};
use super::data::Files;
use super::duckdb::DuckDb;
use super::profile::Profile;
use super::published::Published;
use crate::cli::local::{Answer, Plan, Session};
use crate::error::{Error, Result};
use crate::tpch::Query;

/// Who is asked, about what.
pub struct Bench<'a> {
    /// What was asked for.
    pub args: &'a TpchArgs,
    /// The files, if they are known.
    pub files: Option<Files>,
    /// The session that is measured.
    pub session: Session,
    /// One that runs on the CPU.
    pub cpu: Option<Session>,
    /// DuckDB, if it is there.
    pub duckdb: Option<DuckDb>,
    /// The published answers, if they are asked for.
    pub published: Option<Published>,
}

/// Seconds of the runs of one query.
#[derive(Debug, Clone, PartialEq)]
pub struct Times {
    /// The first one.
    pub first: f64,
    /// The others, sorted.
    others: Vec<f64>,
}

impl Times {
    fn new(mut runs: Vec<f64>) -> Self {
        let first = if runs.is_empty() { f64::NAN } else { runs.remove(0) };
        runs.sort_by(f64::total_cmp);
        Self { first, others: runs }
    }

    /// The middle one of the others; the first if it is alone.
    pub fn median(&self) -> f64 {
        let count = self.others.len();
        match count {
            0 => self.first,
            _ => (self.others[(count - 1) / 2] + self.others[count / 2]) / 2.0,
        }
    }

    /// The shortest of the others; the first if it is alone.
    pub fn best(&self) -> f64 {
        self.others.first().copied().unwrap_or(self.first)
    }
}

/// What became of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// It is that of all who were asked.
    Equal,
    /// It is not, and how.
    Wrong(String),
    /// Nobody looked, and why.
    Skipped(&'static str),
}

impl Check {
    /// With what the comparison with another's answer found.
    fn and(self, other: &str, found: Result<(), String>) -> Self {
        match (self, found) {
            (Self::Wrong(difference), _) => Self::Wrong(difference),
            (_, Err(difference)) => Self::Wrong(format!("{other}: {difference}")),
            (_, Ok(())) => Self::Equal,
        }
    }
}

/// How long another engine took, and its rows.
type Answered = (Times, Vec<Value>);

/// One query's numbers.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Which.
    pub query: Query,
    /// Its runs.
    pub times: Times,
    /// Rows of its answer.
    pub rows: usize,
    /// Compressed bytes of its columns, if the files are known.
    pub bytes: Option<u64>,
    /// Where it ran.
    pub plan: Plan,
    /// Seconds on the CPU, once.
    pub cpu: Option<f64>,
    /// On DuckDB, or why not.
    pub duckdb: Option<Result<Times, String>>,
    /// Whether its answer was right, by all that were asked: the CPU, DuckDB and what is published.
    pub check: Check,
    /// Where its time goes, if that was asked for.
    pub profile: Option<Profile>,
}

impl Bench<'_> {
    /// Runs `query` as often as asked, and on the others.
    ///
    /// # Errors
    /// Those of the query.
    pub async fn measure(&mut self, query: Query) -> Result<Measured> {
        let sql = query.sql(self.args.scale);
        let mut plan = self.session.plan(&sql).await?;
        if plan == Plan::Whole {
            // What is said to run on the device must not leave it unseen.
            self.session.set("fallback_mode", "raise").await?;
        }
        let mut runs = Vec::new();
        let mut answer = None;
        while runs.len() <= self.args.runs {
            self.before_run()?;
            match self.session.ask(&sql).await {
                Ok(ran) => {
                    runs.push(ran.wall.as_secs_f64());
                    answer = Some(ran);
                }
                Err(error) if plan == Plan::Whole && error.message().contains(Plan::GAVE_BACK) => {
                    plan = Plan::Part(error.message().to_owned());
                    self.session.set("fallback_mode", "warn").await?;
                    runs.clear();
                }
                Err(error) => {
                    self.session.set("fallback_mode", "warn").await?;
                    return Err(error);
                }
            }
        }
        self.session.set("fallback_mode", "warn").await?;
        let answer = answer.ok_or_else(|| Error::internal("no run was made"))?;
        let times = Times::new(runs);
        let profile = match self.args.profile {
            true => Some(self.profile(&sql, times.median()).await?),
            false => None,
        };
        let (mut check, cpu) = self.check(query, &sql, &plan, &answer).await?;
        let duckdb = self.on_duckdb(&sql)?;
        if let Some(Ok((_, rows))) = &duckdb {
            check = check.and("DuckDB", agree(&answer, rows, &query.sort_keys()));
        }
        if let Some(published) = &self.published {
            check = check.and("published", published.agree(query, &answer));
        }
        Ok(Measured {
            query,
            times,
            rows: answer.rows(),
            bytes: self.files.as_ref().map(|files| files.scan_bytes(query)),
            plan,
            cpu,
            duckdb: duckdb.map(|ran| ran.map(|(times, _)| times)),
            check,
            profile,
        })
    }

    async fn profile(&mut self, sql: &str, seconds: f64) -> Result<Profile> {
        let (_, planning) = self.session.explained(&format!("EXPLAIN {sql}")).await?;
        self.before_run()?;
        let (analyzed, _) = self.session.explained(&format!("EXPLAIN ANALYZE {sql}")).await?;
        Ok(Profile::of(
            &analyzed,
            seconds * 1e3,
            planning.as_secs_f64() * 1e3,
        ))
    }

    fn before_run(&self) -> Result<()> {
        match &self.files {
            Some(files) if self.args.mode == Mode::Cold => files.cool(),
            _ => Ok(()),
        }
    }

    async fn check(
        &mut self,
        query: Query,
        sql: &str,
        plan: &Plan,
        answer: &Answer,
    ) -> Result<(Check, Option<f64>)> {
        if *plan == Plan::None {
            return Ok((Check::Skipped("ran on the CPU"), None));
        }
        self.before_run()?;
        let Some(cpu) = &mut self.cpu else {
            return Ok((Check::Skipped("not asked for"), None));
        };
        let expected = cpu.ask(sql).await.map_err(|error| error.context("on the CPU"))?;
        let check = match answer.compare(&expected, &query.sort_keys()) {
            Ok(()) => Check::Equal,
            Err(difference) => Check::Wrong(difference),
        };
        Ok((check, Some(expected.wall.as_secs_f64())))
    }

    /// What DuckDB takes for as many runs, and the rows of the last.
    fn on_duckdb(&mut self, sql: &str) -> Result<Option<Result<Answered, String>>> {
        let mut runs = Vec::new();
        let mut rows = Vec::new();
        while runs.len() <= self.args.runs {
            self.before_run()?;
            let Some(duckdb) = &mut self.duckdb else {
                return Ok(None);
            };
            match duckdb.run(sql) {
                Ok((seconds, answered)) => {
                    runs.push(seconds);
                    rows = answered;
                }
                Err(error) => return Ok(Some(Err(error.message().to_owned()))),
            }
        }
        Ok(Some(Ok((Times::new(runs), rows))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_run_counts_only_where_it_is_alone() {
        let times = Times::new(vec![9.0, 3.0, 1.0, 2.0, 8.0]);
        assert_eq!((times.first, times.median(), times.best()), (9.0, 2.5, 1.0));
        let alone = Times::new(vec![9.0]);
        assert_eq!((alone.first, alone.median(), alone.best()), (9.0, 9.0, 9.0));
    }
}
