//! What kernels must know of a join: its specification, and of its table how keys are found in it.

use datafusion::common::JoinType;

use crate::pipeline::JoinSpec;
use crate::pipeline::expr::{ColumnShape, Expr};
use crate::pipeline::kernels::{Finding, Lookup, Probe, Step, finding};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) filters: &'a [Expr],
    pub(super) join: &'a JoinSpec,
    pub(super) lookup: &'a Lookup,
    /// What stands for the keys where their entries were found before.
    pub(super) found: Option<&'a Expr>,
    /// Whether an entry has one row at most.
    pub(super) unique: bool,
    /// Columns of the table.
    pub(super) width: usize,
}

impl<'a> Look<'a> {
    pub(super) fn probe(&self) -> Probe<'a> {
        let (keys, lookup) = match self.found {
            Some(found) => (std::slice::from_ref(found), &Lookup::Found),
            None => (&self.join.keys[..], self.lookup),
        };
        Probe {
            filters: self.filters,
            keys,
            lookup,
            unique: self.unique,
            null_keys: self.join.null_keys,
        }
    }

    /// What rows do with what they find, if that needs no pairs; places are not filled in.
    pub(super) fn finding(&self) -> Option<Finding> {
        finding(self.join.join_type, !self.join.residual.is_empty(), self.unique)
    }

    /// Whether no other join can follow in the same kernel, which does not read what it writes.
    pub(super) fn is_last(&self) -> bool {
        matches!(self.finding(), Some(Finding::Mark { .. } | Finding::Seen))
    }

    /// Columns that it adds to those of the rows.
    pub(super) fn added(&self) -> usize {
        match self.join.join_type {
            JoinType::RightMark => 1,
            _ if self.join.adds_columns() => self.width,
            _ => 0,
        }
    }
}

/// The steps of joins that need no pairs, over columns of these shapes: behind the first `width`, those of each table.
pub(super) fn steps<'a>(
    looks: &[Look<'a>],
    width: usize,
    columns: &[ColumnShape],
) -> Result<Vec<Step<'a>>, String> {
    let mut next = width;
    let step = |look: &Look<'a>| {
        let first = next;
        next += look.added();
        let finding = match look.finding() {
            Some(Finding::Row { keeps, .. }) => Finding::Row {
                list: match next > first {
                    true => columns[first].through.map(|through| through.list),
                    false => None,
                },
                keeps,
            },
            Some(Finding::Mark { .. }) => Finding::Mark { column: first },
            Some(other) => other,
            None => return Err(format!("a {} join that needs pairs", look.join.join_type)),
        };
        Ok(Step {
            probe: look.probe(),
            finding,
        })
    };
    looks.iter().map(step).collect()
}
