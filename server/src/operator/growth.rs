//! How much room a table of groups is given before rows are entered into it.
//!
//! In: how many groups the first parts of a batch had. Out: how many more of it are thought to have. A table that turns out
//! too small grows and the rows are entered again, which costs as much as all of them; one that is far too large takes
//! memory from others. It knows no device.

use kernels::group::GroupTable;

/// Rows of the first part of a batch, which is entered alone.
const ROWS_FIRST: usize = 1 << 20;
/// The same where tables are to be small.
const ROWS_FORCED: usize = 16;
/// Each part is the rows of the ones before it, and so many times as many in all.
const PARTS: usize = 8;
/// A table that is filled to less than one part of so many has had its share of new groups.
const SPARSE: usize = 8;
/// Where new groups are at least this much as frequent as before, their rows are thought to stand together.
const STEADY: f64 = 0.9;
/// Room beyond what is expected.
const SPARE: f64 = 1.25;

/// How many new groups the first rows of a batch had.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    rows: usize,
    groups: usize,
}

/// The parts in which a batch of so many rows is entered.
#[derive(Debug)]
pub(super) struct Parts {
    rows: usize,
    rows_first: usize,
    groups_before: usize,
    seen: Vec<Seen>,
}

impl Parts {
    /// Those of a batch of `rows` rows that is about to be entered into `table`; `forced` makes them small.
    pub(super) fn of(rows: usize, table: &GroupTable, forced: bool) -> Self {
        let known = table.count_seen();
        let first = if forced { ROWS_FORCED } else { ROWS_FIRST };
        let has_room = table.capacity() >= known.saturating_add(rows);
        let is_sparse = known > 0 && known.saturating_mul(SPARSE) < table.capacity();
        let whole = has_room || is_sparse || rows <= first * 2;
        Self {
            rows,
            rows_first: if whole { rows } else { first },
            groups_before: known,
            seen: Vec::new(),
        }
    }

    /// Rows that are entered first.
    pub(super) fn first(&self) -> usize {
        self.rows_first
    }

    /// What comes after the first `rows` rows, when a table with room for `capacity` groups holds `count`: rows that are
    /// entered next, those before among them, and the groups that there are thought to be then. `None` after all.
    pub(super) fn next(&mut self, rows: usize, count: usize, capacity: usize) -> Option<(usize, usize)> {
        if rows >= self.rows {
            return None;
        }
        let groups = count.saturating_sub(self.groups_before);
        self.seen.push(Seen { rows, groups });
        let of = |rows: usize| (rows, self.groups_before + expected(&self.seen, rows));
        let all = of(self.rows);
        Some(match all.1 <= capacity {
            true => all,
            false => of(rows.saturating_mul(PARTS).min(self.rows)),
        })
    }
}

/// The groups that the first `rows` rows are thought to have, of which fewer were seen.
///
/// If new groups go on to come as often as they did, their rows stand together, and it will stay so. Else rows are thought
/// to be drawn from D groups: of n rows these are D (1 - e^(-n/D)).
fn expected(seen: &[Seen], rows: usize) -> usize {
    let nothing = Seen { rows: 0, groups: 0 };
    let [.., last] = seen else { return 0 };
    let before = seen.len().checked_sub(2).map_or(nothing, |at| seen[at]);
    let rate = |from: Seen, to: Seen| {
        (to.groups - from.groups.min(to.groups)) as f64 / (to.rows - from.rows).max(1) as f64
    };
    let latest = rate(before, *last);
    let more = rows.saturating_sub(last.rows) as f64;
    let steady = last.groups as f64 + latest * more;
    let is_steady = seen.len() < 2 || latest >= STEADY * rate(nothing, before);
    let expected = match is_steady {
        true => steady,
        false => (drawn(groups_drawn_from(*last), rows) * SPARE).min(steady),
    };
    expected.ceil() as usize
}

/// Groups that `rows` rows have, drawn from `groups`.
fn drawn(groups: f64, rows: usize) -> f64 {
    groups * -(-(rows as f64) / groups).exp_m1()
}

/// The number of groups of which so many rows have as many as were seen, by bisection.
fn groups_drawn_from(seen: Seen) -> f64 {
    let (mut low, mut high) = ((seen.groups as f64).max(1.0), 1e12);
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        match drawn(middle, seen.rows) < seen.groups as f64 {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is expected of `rows` rows after parts of them, if `groups` says how many groups the first so many have.
    fn expected_of(groups: impl Fn(usize) -> usize, rows: usize) -> usize {
        let parts = [1 << 20, 8 << 20];
        let seen = parts.map(|rows| Seen {
            rows,
            groups: groups(rows),
        });
        expected(&seen, rows)
    }

    #[test]
    fn rows_that_stand_together_go_on_to_have_as_many_groups() {
        assert_eq!(expected_of(|rows| rows / 4, 64 << 20), 16 << 20);
        assert_eq!(expected_of(|rows| rows, 64 << 20), 64 << 20);
    }

    #[test]
    fn rows_drawn_from_groups_have_them_all_at_last() {
        for groups in [1e5, 1e6, 1e7, 3e7] {
            let found = expected_of(|rows| drawn(groups, rows) as usize, 64 << 20) as f64;
            let right = drawn(groups, 64 << 20);
            assert!(
                found > right && found < right * 1.3,
                "{groups}: {found} for {right}"
            );
        }
    }

    #[test]
    fn of_one_part_the_most_is_expected() {
        let seen = [Seen {
            rows: 1000,
            groups: 7,
        }];
        assert_eq!(expected(&seen, 8000), 56);
        assert_eq!(expected(&[], 8000), 0);
        let none = [Seen { rows: 10, groups: 0 }, Seen { rows: 80, groups: 0 }];
        assert_eq!(expected(&none, 640), 0);
    }
}
