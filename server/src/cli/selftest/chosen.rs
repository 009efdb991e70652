//! What of everything was asked for. In: arguments. Out: the checks that their names, or the wish for random statements,
//! choose.

use kernels::selftest::{self, Check};

use super::cases::{self, Case};
use super::{SelfTestArgs, random};
use crate::error::{Error, Result};

/// See the module.
pub struct Chosen {
    /// The kernels' own checks.
    pub kernels: Vec<Check>,
    /// Queries.
    pub cases: Vec<Case>,
    /// Random statements, instead of both.
    pub random: Option<random::Chosen>,
}

impl Chosen {
    /// What the arguments choose.
    ///
    /// # Errors
    /// `Sql` if no check's name begins as asked.
    pub fn new(args: &SelfTestArgs) -> Result<Self> {
        if let Some(count) = args.random {
            let (seed, only, raise) = (args.seed, args.only, args.raise);
            return Ok(Self {
                kernels: Vec::new(),
                cases: Vec::new(),
                random: Some(random::Chosen {
                    seed,
                    count,
                    only,
                    raise,
                }),
            });
        }
        let prefix = args.prefix.as_str();
        let kernels = selftest::checks().into_iter();
        let cases = cases::tpch().into_iter().chain(cases::statements());
        let chosen = Self {
            kernels: kernels.filter(|check| check.name.starts_with(prefix)).collect(),
            cases: cases.filter(|case| case.name.starts_with(prefix)).collect(),
            random: None,
        };
        if chosen.kernels.is_empty() && chosen.cases.is_empty() {
            return Err(Error::sql(format!(
                "found --prefix {prefix:?}, expected the beginning of a check's name, such as tpch, sql/groups or {}",
                selftest::checks().first().map_or("prelude/", |check| check.name)
            )));
        }
        Ok(chosen)
    }

    /// How many checks these are, the kernels' own run `seeds` times.
    pub fn checks(&self, seeds: u64) -> u64 {
        let random = self.random.map_or(0..0, |random| random.numbers());
        self.kernels.len() as u64 * seeds + self.cases.len() as u64 + (random.end - random.start)
    }
}
