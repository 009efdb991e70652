//! The 22 queries of TPC-H, with the specification's validation parameters. In: a number and a scale. Out: the text,
//! and what its first line says of its order. Knows nothing of who runs them.

use crate::error::{Error, Result};

/// Q11's fraction as its text has it, which is that of scale 0.1.
const FRACTION_IN_TEXT: &str = "0.0010000000";
/// Q11's fraction at scale 1.
const FRACTION: f64 = 0.0001;
const SORTED_BY: &str = "-- sorted by: ";

macro_rules! texts {
    ($($number:literal)*) => {
        &[$(include_str!(concat!("queries/q", $number, ".sql"))),*]
    };
}

const TEXTS: &[&str] = texts! {
    "01" "02" "03" "04" "05" "06" "07" "08" "09" "10" "11" "12" "13" "14" "15" "16" "17" "18" "19" "20" "21" "22"
};

/// One query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    number: usize,
}

impl Query {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=TEXTS.len()).map(|number| Self { number })
    }

    /// The query of a number from 1.
    ///
    /// # Errors
    /// `Sql` if there is none.
    pub fn new(number: usize) -> Result<Self> {
        match number {
            1..=22 => Ok(Self { number }),
            _ => Err(Error::sql(format!("found query {number}, expected 1 to 22"))),
        }
    }

    /// Its number, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// Its text for data of `scale`: Q11 asks for a fraction that depends on it.
    pub fn sql(self, scale: f64) -> String {
        let fraction = format!("{:.10}", FRACTION / scale);
        self.text().replace(FRACTION_IN_TEXT, &fraction)
    }

    /// The columns that the result is sorted by: rows that agree on them come in any order.
    pub fn sort_keys(self) -> Vec<&'static str> {
        let first = self.text().lines().next().unwrap_or_default();
        let keys = first.strip_prefix(SORTED_BY);
        keys.map(|keys| keys.split(", ").collect()).unwrap_or_default()
    }

    /// The words of its text without comments: among them the columns that it reads.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let code = self
            .text()
            .lines()
            .map(|line| line.split("--").next().unwrap_or_default());
        code.flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
    }

    fn text(self) -> &'static str {
        TEXTS[self.number - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fraction_goes_with_the_scale() {
        let query = Query::new(11).unwrap();
        assert!(query.sql(1.0).contains("* 0.0001000000\n"));
        assert!(query.sql(100.0).contains("* 0.0000010000\n"));
        assert!(query.sql(0.1).contains("* 0.0010000000\n"));
        assert!(Query::new(0).is_err() && Query::new(23).is_err());
    }

    #[test]
    fn order_and_columns() {
        let query = Query::new(1).unwrap();
        assert_eq!(query.sort_keys(), ["l_returnflag", "l_linestatus"]);
        assert!(Query::new(6).unwrap().sort_keys().is_empty());
        let words: Vec<&str> = Query::new(6).unwrap().words().collect();
        assert!(words.contains(&"l_discount") && !words.contains(&"l_tax"));
        assert_eq!(Query::all().count(), 22);
    }
}
