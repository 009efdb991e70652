//! Joins: rows of one side kept in a table by their keys, and rows of the other side that look theirs up on their way
//! through a pipeline.

use std::fmt;

use arrow::datatypes::SchemaRef;
use datafusion::common::JoinType;

use super::PipelineId;
use super::expr::Expr;
use super::graph::{list, same_columns};

/// Rows kept by their keys, for a join: the left side, as DataFusion says it.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildSpec {
    /// Over the columns of the pipeline.
    pub keys: Vec<Expr>,
    /// What becomes of the rows.
    pub join_type: JoinType,
    /// Whether a null equals a null, which it may be on either side; else rows with a null key match none.
    pub null_keys: bool,
    /// Whether pairs must meet more than equal keys.
    pub has_residual: bool,
}

/// A join that rows of a pipeline pass: they are its right side.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Rows for which one of these is not true are dropped before it.
    pub filters: Vec<Expr>,
    /// The join.
    pub join: JoinSpec,
}

/// What a join does with the rows that it sees. The columns after it are, by its type: those before it and then those of
/// the table; those before it, and the mark if there is one; those of the table, and the mark.
#[derive(Debug, Clone)]
pub struct JoinSpec {
    /// The pipeline whose rows are kept in the table.
    pub build: PipelineId,
    /// What becomes of the rows.
    pub join_type: JoinType,
    /// Over the columns before it, in the order of the table's keys.
    pub keys: Vec<Expr>,
    /// What pairs must meet beside equal keys: over the columns of a row and then those of the table. An inner join
    /// has none, as filters behind it do the same.
    pub residual: Vec<Expr>,
    /// Whether a null equals a null.
    pub null_keys: bool,
    /// Whether this is NOT IN: a null on either side makes the answer unknown.
    pub null_aware: bool,
    /// Whether rows must leave in the order in which they come.
    pub keeps_order: bool,
    /// Columns of the table.
    pub table: SchemaRef,
    /// Columns before it.
    pub input: SchemaRef,
}

impl BuildSpec {
    /// Whether its table stays as it was built, whatever is looked up in it.
    pub fn is_only_read(&self) -> bool {
        matches!(
            self.join_type,
            JoinType::Inner
                | JoinType::Right
                | JoinType::RightSemi
                | JoinType::RightAnti
                | JoinType::RightMark
        )
    }

    /// A key as far as its layout goes, which is the same on both sides.
    pub fn laid_out(&self, key: &Expr) -> Expr {
        Expr {
            nullable: self.null_keys,
            ..key.clone()
        }
    }
}

impl PartialEq for JoinSpec {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            build,
            join_type,
            keys,
            residual,
            null_keys,
            null_aware,
            keeps_order,
            table,
            input,
        } = self;
        *build == other.build
            && *join_type == other.join_type
            && *keys == other.keys
            && *residual == other.residual
            && *null_keys == other.null_keys
            && *null_aware == other.null_aware
            && *keeps_order == other.keeps_order
            && same_columns(table, &other.table)
            && same_columns(input, &other.input)
    }
}

impl JoinSpec {
    /// Whether rows of the right side leave as they come, with what they found; else at most those of the table leave,
    /// when all rows have been seen.
    pub fn passes_rows(&self) -> bool {
        !matches!(
            self.join_type,
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark
        )
    }

    /// Whether rows of the table that no row matched leave, when all rows have been seen.
    pub fn keeps_table(&self) -> bool {
        matches!(self.join_type, JoinType::Left | JoinType::Full)
    }

    /// Whether rows that match none leave all the same.
    pub fn keeps_rows(&self) -> bool {
        matches!(self.join_type, JoinType::Right | JoinType::Full)
    }

    /// Whether the columns of the table are behind those of the rows.
    pub fn adds_columns(&self) -> bool {
        matches!(
            self.join_type,
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
        )
    }

    /// Whether the last column says of each row whether it has a match.
    pub fn adds_mark(&self) -> bool {
        matches!(self.join_type, JoinType::LeftMark | JoinType::RightMark)
    }

    /// Whether nothing can leave if the table is empty.
    pub fn needs_table(&self) -> bool {
        !self.keeps_rows() && !matches!(self.join_type, JoinType::RightAnti | JoinType::RightMark)
    }
}

impl fmt::Display for BuildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "build by [{}]", list(&self.keys))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.filters.is_empty() {
            let filters: Vec<String> = self.filters.iter().map(Expr::to_string).collect();
            write!(f, "filter {} | ", filters.join(" AND "))?;
        }
        let join = &self.join;
        let name = join.join_type.to_string().to_lowercase();
        write!(f, "{name} join p{}", join.build)?;
        match join.keys.is_empty() {
            true => write!(f, " (cross)")?,
            false => write!(f, " on [{}]", list(&join.keys))?,
        }
        if !join.residual.is_empty() {
            let residual: Vec<String> = join.residual.iter().map(Expr::to_string).collect();
            write!(f, " where {}", residual.join(" AND "))?;
        }
        Ok(())
    }
}
