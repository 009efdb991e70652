//! What an order of joins costs on a device that builds a hash table of one side and streams the other past it.
//!
//! The unit is one row that asks a table. A row that enters a table is written to memory that is not in order, at
//! [`BUILD`] times that; a row of a result is written once. Both grow with the bytes that the row carries.

use super::graph::Graph;
use super::tree::{Set, Tree};

/// What a row that enters a table costs, in rows that ask one.
const BUILD: f64 = 3.0;
/// What a row of a result costs, in rows that ask a table.
const RESULT: f64 = 1.0;
/// Bytes that a row costs without any column: its hash and its place.
const ROW_BYTES: f64 = 16.0;
/// The bytes of a row that costs exactly what the constants above say.
const USUAL_BYTES: f64 = 32.0;

/// The cost of one join, of what enters its table to what leaves it.
pub fn of_join(graph: &Graph, build: Set, probe: Set) -> f64 {
    entering(graph, build) + graph.rows(probe) + leaving(graph, build | probe)
}

/// What the rows of a set cost as the side that is built.
pub fn entering(graph: &Graph, set: Set) -> f64 {
    of_table(graph.rows(set), graph.row_bytes(set))
}

/// What the rows of a set cost as the result of a join.
pub fn leaving(graph: &Graph, set: Set) -> f64 {
    RESULT * graph.rows(set) * weight(graph.row_bytes(set))
}

/// What `rows` rows of so many bytes cost as a table.
pub fn of_table(rows: f64, row_bytes: f64) -> f64 {
    BUILD * rows * weight(row_bytes)
}

/// The cost of all joins of a tree.
pub fn of_tree(graph: &Graph, tree: &Tree) -> f64 {
    match tree {
        Tree::Relation(_) => 0.0,
        Tree::Join(build, probe) => {
            of_tree(graph, build) + of_tree(graph, probe) + of_join(graph, build.set(), probe.set())
        }
    }
}

fn weight(bytes: f64) -> f64 {
    (ROW_BYTES + bytes) / USUAL_BYTES
}
