//! The queries of the self-test. In: nothing. Out: each with its name and with what is known of its order.

use crate::cli::sql::split::split;
use crate::tpch::Query;

const STATEMENTS: &str = include_str!("statements.sql");
const TPCH: &str = "tpch/";
const SECTION: &str = "-- section: ";
const IN_ORDER: &str = ", in order";

/// The scale of the TPC-H tables.
pub const SCALE: f64 = 0.01;

/// Which columns come in a fixed sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// These.
    Of(Vec<&'static str>),
    /// All: no two rows may change places.
    All,
}

/// A query that both the device and the CPU run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// `tpch/q01`, `sql/groups/03`.
    pub name: String,
    /// Its text.
    pub sql: String,
    /// Its order.
    pub order: Order,
}

impl Case {
    /// Whether it is over the TPC-H tables.
    pub fn is_tpch(&self) -> bool {
        self.name.starts_with(TPCH)
    }
}

/// Those over the eight TPC-H tables.
pub fn tpch() -> Vec<Case> {
    let case = |query: Query| Case {
        name: format!("{TPCH}q{:02}", query.number()),
        sql: query.sql(SCALE),
        order: Order::Of(query.sort_keys()),
    };
    Query::all().map(case).collect()
}

/// Those over tables of our own.
pub fn statements() -> Vec<Case> {
    let mut cases = Vec::new();
    for section in STATEMENTS.split(SECTION).skip(1) {
        let (head, text) = section.split_once('\n').unwrap_or((section, ""));
        let (name, in_order) = match head.trim().strip_suffix(IN_ORDER) {
            Some(name) => (name, true),
            None => (head.trim(), false),
        };
        let name = name.replace(' ', "_");
        for (at, statement) in split(text).0.into_iter().enumerate() {
            cases.push(Case {
                name: format!("sql/{name}/{:02}", at + 1),
                sql: statement.sql.to_owned(),
                order: if in_order {
                    Order::All
                } else {
                    Order::Of(Vec::new())
                },
            });
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_cases_apart() {
        let cases: Vec<Case> = tpch().into_iter().chain(statements()).collect();
        assert!(cases.len() > 120, "{}", cases.len());
        let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), cases.len());
        let sorts = cases
            .iter()
            .filter(|case| case.name.starts_with("sql/first_rows/"));
        assert!(
            sorts
                .into_iter()
                .all(|case| case.order == Order::All && case.sql.contains("order by"))
        );
    }
}
