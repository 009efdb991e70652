//! Paths that are rarely taken, taken always: for tests.

/// Which path is always taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Force {
    /// The one that suits.
    #[default]
    None,
    /// Keys are found as groups even where they lie close together, and groups are added up in device memory.
    Groups,
    /// A join's table lists the rows of each key, even where each has one; pairs leave a few at a time.
    Lists,
    /// Hash tables start with room for a few keys and grow; no build side of a join has too few rows to change places.
    SmallTables,
    /// Rows of scans are looked for by the columns of their filters and joins before the others are read.
    Seek,
    /// The sides of a join change places wherever they may, however many rows they have.
    Swap,
}
