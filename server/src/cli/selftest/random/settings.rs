//! Options under which a random statement runs, so that rare paths are taken: many partitions, one at a time, other
//! strategies. In: a source of random numbers. Out: names and values.

use std::fmt;

use kernels::selftest::Random;

/// Each option with the values that it may take; the first is the default.
const OPTIONS: [(&str, &[&str]); 5] = [
    ("target_partition_size", &["0", "1", "4KiB"]),
    ("partitions_in_flight", &["8", "1", "2"]),
    ("max_rows_per_partition", &["1048576", "7"]),
    ("executor", &["streaming", "streaming", "streaming", "in-memory"]),
    (
        "debug_force",
        &["none", "groups", "lists", "small_tables", "seek", "swap"],
    ),
];

/// A value of each.
#[derive(Debug, Clone, Copy)]
pub struct Settings([&'static str; OPTIONS.len()]);

impl Settings {
    /// Any.
    pub fn random(random: &mut Random) -> Self {
        Self(OPTIONS.map(|(_, values)| values[random.below(values.len() as u64) as usize]))
    }

    /// Names and values.
    pub fn options(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let values = self.0;
        OPTIONS
            .into_iter()
            .zip(values)
            .map(|((name, _), value)| (name, value))
    }

    /// The same with one more at its default.
    pub fn plainer(&self) -> Vec<Self> {
        let mut found = Vec::new();
        let mut plainer = *self;
        for (at, (_, values)) in OPTIONS.into_iter().enumerate() {
            if self.0[at] != values[0] {
                let mut one = plainer;
                one.0[at] = values[0];
                found.push(one);
                plainer = one;
            }
        }
        found.reverse();
        found
    }
}

/// As statements that set what is not a default.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((name, value), (_, values)) in self.options().zip(OPTIONS) {
            if value != values[0] {
                write!(f, "set {name} = '{value}'; ")?;
            }
        }
        Ok(())
    }
}
