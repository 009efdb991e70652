//! The scalar functions that have code, by what they do: aliases and types are sorted out before.

/// A scalar function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// Null where both arguments are equal, else the first.
    NullIf,
}

impl Function {
    /// The name that SQL calls it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::NullIf => "nullif",
        }
    }

    /// Whether its results are strings that need room.
    pub(crate) fn makes_strings(self) -> bool {
        match self {
            Self::NullIf => false,
        }
    }
}
