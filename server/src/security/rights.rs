//! A user's rights: which served tables the user sees, and whether paths may be named in SQL.
//!
//! In: a `[[user]]` entry. Out: yes or no. It does not know tables, plans or sessions.

use crate::config::tables::UserEntry;

/// What one user may do.
#[derive(Debug, Clone)]
pub struct Rights {
    /// The user's name; `anonymous` where authentication is off.
    pub user: String,
    read: Vec<String>,
    /// May name paths and URLs below `data_roots`.
    pub files: bool,
    /// May write below `write_roots`.
    pub write: bool,
    /// May see and cancel the queries of others.
    pub admin: bool,
}

impl Rights {
    /// The rights of a configured user.
    pub fn of(entry: &UserEntry) -> Self {
        Self {
            user: entry.name.clone(),
            read: entry.read.clone(),
            files: entry.files,
            write: entry.write,
            admin: entry.admin,
        }
    }

    /// Everything that the configuration allows anybody: where authentication is off.
    pub fn anonymous() -> Self {
        Self {
            user: "anonymous".into(),
            read: vec!["*".into()],
            files: true,
            write: true,
            admin: true,
        }
    }

    /// Whether the user sees and reads a served table.
    pub fn reads(&self, table: &str) -> bool {
        self.read
            .iter()
            .any(|pattern| matches(pattern.as_bytes(), table.as_bytes()))
    }
}

/// Whether `name` fits `pattern`, in which `*` stands for any text.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        Some((byte, rest)) => name
            .split_first()
            .is_some_and(|(first, tail)| first == byte && matches(rest, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("*", "anything", true),
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("tpch_*", "tpch_lineitem", true),
            ("*_2024_*", "sales_2024_eu", true),
            ("*_2024_*", "sales_2023_eu", false),
            ("", "x", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                fits,
                "{pattern} {name}"
            );
        }
    }
}
