//! Random statements over random tables, on the device and on the CPU. In: a seed, a number, sessions. Out: a line for a
//! failure, with the smallest statement found that fails too; what ran where. Statement `K` of a seed is the same
//! however many others run.

mod expr;
mod generate;
mod relations;
mod select;
mod settings;
mod tables;
mod windows;

use std::fmt;
use std::ops::Range;
use std::time::Instant;

use kernels::selftest::Random;

use super::cases::{Case, Order};
use super::queries::{Folder, Ran, Sessions};
use super::tally::Tally;
use crate::cli::local::Plan;
use crate::error::Result;
use generate::Generator;
use select::Statement;
use settings::Settings;

/// Smaller statements that are tried for one that fails.
const TRIES_MAX: usize = 150;

/// Which statements run.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    /// What decides on tables and statements.
    pub seed: u64,
    /// How many.
    pub count: u64,
    /// This one alone.
    pub only: Option<u64>,
    /// Whether a statement that the device does not run whole is a failure.
    pub raise: bool,
}

/// Writes the tables of a seed.
///
/// # Errors
/// `Data` if they cannot be written.
pub fn write_tables(folder: &Folder, seed: u64) -> Result<std::path::PathBuf> {
    folder.filled("random", |path| tables::write(path, seed))
}

impl Chosen {
    /// The numbers of the statements.
    pub fn numbers(&self) -> Range<u64> {
        match self.only {
            Some(number) => number..number.saturating_add(1),
            None => 0..self.count,
        }
    }
}

/// The arguments that make the same statements again.
impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--random {} --seed {}", self.count, self.seed)
    }
}

/// Runs statement `number`.
///
/// # Errors
/// If settings cannot be set, or outcomes not be printed.
pub async fn one(chosen: Chosen, number: u64, sessions: &mut Sessions, tally: &Tally) -> Result<()> {
    let mut random = Random::new(chosen.seed.wrapping_mul(0x0100_0000_01b3) ^ number);
    let settings = Settings::random(&mut random);
    let statement = Generator::new(random).statement();
    let start = Instant::now();
    tally.announce(|| format!("random/{number}: {settings}{statement}\n"))?;
    let outcome = match attempt(chosen, sessions, &settings, &statement).await? {
        Ok(ran) => {
            match &ran.refused {
                Some(reason) => tally.refused(reason),
                None => tally.placed(&ran.plan),
            }
            Ok(())
        }
        Err(reason) => {
            let failing = Failing {
                settings,
                statement,
                reason,
            };
            Err(failing.smallest(chosen, sessions, tally).await?)
        }
    };
    let name = format!("random/{} --only {number}", chosen.seed);
    tally.note(&name, start.elapsed(), outcome)
}

/// Runs one statement; the inner error is what is wrong with an answer.
async fn attempt(
    chosen: Chosen,
    sessions: &mut Sessions,
    settings: &Settings,
    statement: &Statement,
) -> Result<Result<Ran, String>> {
    for (name, value) in settings.options() {
        sessions.set(name, value).await?;
    }
    let case = Case {
        name: String::new(),
        sql: statement.to_string(),
        order: match statement.order.is_empty() {
            true => Order::Of(Vec::new()),
            false => Order::All,
        },
    };
    let ran = sessions.run(&case).await;
    Ok(match ran {
        Ok(Ran {
            plan: Plan::Part(reasons),
            refused: None,
        }) if chosen.raise => Err(format!("it does not run whole on the device: {reasons}")),
        ran => ran,
    })
}

/// A statement that fails, and how.
struct Failing {
    settings: Settings,
    statement: Statement,
    reason: String,
}

impl Failing {
    /// It in words, with what is left of it when all that can be dropped is, as far as there is time.
    async fn smallest(mut self, chosen: Chosen, sessions: &mut Sessions, tally: &Tally) -> Result<String> {
        let whole = self.to_string();
        let mut tries = 0;
        for plainer in self.settings.plainer() {
            if tally.is_over() {
                break;
            }
            if let Err(reason) = attempt(chosen, sessions, &plainer, &self.statement).await? {
                (self.settings, self.reason) = (plainer, reason);
            }
        }
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            for smaller in self.statement.smaller() {
                tries += 1;
                if tries > TRIES_MAX || tally.is_over() {
                    break;
                }
                if let Err(reason) = attempt(chosen, sessions, &self.settings, &smaller).await? {
                    (self.statement, self.reason, goes_on) = (smaller, reason, true);
                    break;
                }
            }
        }
        Ok(format!("{whole}\n    smallest: {self}"))
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n        {}{}", self.reason, self.settings, self.statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(number: u64) -> Statement {
        Generator::new(Random::new(number)).statement()
    }

    #[test]
    fn a_seed_repeats_its_statements() {
        for number in 0..50 {
            assert_eq!(statement(number).to_string(), statement(number).to_string());
        }
        assert_ne!(statement(1).to_string(), statement(2).to_string());
    }

    #[test]
    fn everything_comes_up() {
        let all: String = (0..3000)
            .map(|number| statement(number).to_string() + "\n")
            .collect();
        for word in [
            "left join",
            "right join",
            "full join",
            "cross join",
            "left semi join",
            "right anti join",
            "not exists (",
            "not in (select",
            "is not distinct from",
            "group by",
            "having",
            "select distinct",
            "union all",
            "intersect all",
            "except ",
            "limit",
            "offset",
            "filter (where",
            "over (partition",
            "rows between",
            "groups between",
            "ignore nulls",
            "row_number()",
            "first_value(",
            "median(",
            "rollup (",
            "cube (",
            "or not exists (",
            "case when",
            "coalesce",
            " like ",
            "interval",
            "from (select",
            "t0 ",
            "t1 ",
        ] {
            assert!(all.contains(word), "{word}");
        }
    }

    #[test]
    fn smaller_statements_are_smaller() {
        for number in 0..200 {
            let whole = statement(number);
            for smaller in whole.smaller() {
                assert!(
                    smaller.to_string().len() < whole.to_string().len() + 2,
                    "{whole}\n{smaller}"
                );
            }
        }
    }
}
