//! The keys of a table, asked for rows of a scan before all columns of these are there: whatever join the table was built
//! for, the rows that match none of its keys are not wanted.
//!
//! In: a join, and its table, which the thread of the query has built. Out: a step of a kernel that keeps the rows with a
//! match, for threads of scans. The table stays as it is meanwhile, but for its marks of what was seen, which are not
//! looked at.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::JoinType;
use kernels::Buffer;
use kernels::join::JoinHeader;

use super::Table;
use crate::batch::Repr;
use crate::pipeline::Stage;
use crate::pipeline::expr::{Expr, Node};
use crate::pipeline::kernels::{Finding, Lookup, Probe, Step, is_unsigned};

/// See the module.
#[derive(Debug)]
pub struct TableKeys {
    /// Of the rows.
    keys: Vec<Expr>,
    table: Arc<Table>,
    /// Whether it is known that no two rows of the table have the same keys.
    is_distinct: bool,
}

impl TableKeys {
    /// The keys of `table`, which is that of the join of `stage`. A null must not equal a null in it. `None` if it does not say
    /// which keys it has, as one of dense keys of which only those that were seen leave.
    pub fn of(stage: &Stage, table: Arc<Table>) -> Option<Self> {
        let says = *table.lookup() != Lookup::Dense || table.header().rows != 0;
        let join = &stage.join;
        // Where it matters only that there is a row, nobody counts them.
        let is_counted = join.join_type != JoinType::RightSemi || !join.residual.is_empty();
        says.then(|| Self {
            keys: join.keys.clone(),
            is_distinct: is_counted && table.is_unique(),
            table,
        })
    }

    /// The columns of rows that are asked for.
    pub fn columns(&self) -> BTreeSet<usize> {
        self.keys.iter().flat_map(Expr::columns).collect()
    }

    /// The same for rows of which column i is `places[i]`.
    #[must_use]
    pub fn over(&self, places: &[Expr]) -> Self {
        Self {
            keys: self.keys.iter().map(|key| key.substitute(places)).collect(),
            table: Arc::clone(&self.table),
            is_distinct: self.is_distinct,
        }
    }

    /// The column of numbers that is the only key, where these lie close together and each has one row at most.
    pub fn dense_column(&self) -> Option<usize> {
        match (&self.keys[..], self.table.lookup()) {
            ([key], Lookup::Dense) if self.is_distinct => match key.node {
                Node::Column(column, _) => Some(column),
                _ => None,
            },
            _ => None,
        }
    }

    /// Of the numbers from `least` to `most`, how large a part are keys of the table, if these lie evenly in their range.
    /// Asked of one with a [`Self::dense_column`].
    pub fn share_of(&self, least: i128, most: i128) -> f64 {
        let base = self.table.header().base;
        let is_unsigned = self
            .keys
            .first()
            .is_some_and(|key| Repr::of(&key.data_type).is_some_and(is_unsigned));
        let base = match is_unsigned {
            true => i128::from(base),
            false => i128::from(base.cast_signed()),
        };
        share(base, self.table.entry_count(), self.table.rows(), least, most)
    }

    /// Keeps the rows that pass `filters` and have a match.
    pub(in crate::operator) fn step<'a>(&'a self, filters: &'a [Expr]) -> Step<'a> {
        Step {
            probe: Probe {
                filters,
                keys: &self.keys,
                lookup: self.table.lookup(),
                unique: self.table.is_unique(),
                null_keys: false,
            },
            finding: Finding::Presence { wanted: true },
        }
    }

    pub(in crate::operator) fn header(&self) -> JoinHeader {
        self.table.header()
    }

    /// What the header's addresses lead to. A launch on another stream than the table's waits for what that one has queued
    /// so far, the making of the table with it, and their memory is used again only after the launch.
    pub(in crate::operator) fn uses(&self) -> Vec<&Buffer> {
        self.table.uses()
    }
}

/// Of the numbers from `least` to `most`, how large a part is among `count` that lie evenly in `entries` from `base` on.
fn share(base: i128, entries: usize, count: usize, least: i128, most: i128) -> f64 {
    let end = base + entries as i128;
    let both = (most + 1).min(end) - least.max(base);
    let all = most - least + 1;
    match both > 0 && all > 0 {
        true => both as f64 / all as f64 * (count as f64 / entries as f64),
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_share_of_the_numbers_that_it_may_be_asked_for() {
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
        near(share(0, 100, 100, 0, 99), 1.0);
        near(share(-50, 100, 25, -50, 49), 0.25);
        // One month of many.
        near(share(300, 30, 30, 0, 2999), 0.01);
        // More than is asked for.
        near(share(0, 1000, 1000, 500, 600), 1.0);
        near(share(0, 100, 80, 50, 149), 0.4);
        near(share(0, 100, 100, 200, 300), 0.0);
        near(share(0, 0, 0, 0, 10), 0.0);
    }
}
