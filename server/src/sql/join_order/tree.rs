//! Orders of joins: binary trees over a region's relations, and sets of relations.

/// A set of relations, one bit each.
pub type Set = u64;

/// The set of one relation.
pub fn only(relation: usize) -> Set {
    1 << relation
}

/// The relations of a set, in order.
pub fn relations(set: Set) -> impl Iterator<Item = usize> {
    (0..Set::BITS as usize).filter(move |relation| set & only(*relation) != 0)
}

/// An order of joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// A relation by its number.
    Relation(usize),
    /// A join: the side that its table is built of, and the side that asks it.
    Join(Box<Tree>, Box<Tree>),
}

impl Tree {
    /// The join of two trees.
    pub fn join(build: Self, probe: Self) -> Self {
        Self::Join(Box::new(build), Box::new(probe))
    }

    /// Its relations.
    pub fn set(&self) -> Set {
        match self {
            Self::Relation(relation) => only(*relation),
            Self::Join(build, probe) => build.set() | probe.set(),
        }
    }
}
