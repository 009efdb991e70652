//! The order of joins that costs least.
//!
//! In: a graph. Out: a tree over all its relations. Up to [`EXACT_MAX`] relations every tree without cross products
//! is looked at, bushy ones too, by dynamic programming over connected sets. Beyond, the two parts whose join is
//! smallest are joined until one is left. Parts that nothing connects are crossed last, smallest first.

use super::cost;
use super::graph::Graph;
use super::tree::{Set, Tree, relations};

/// Relations up to which all orders are looked at: 3^12 is half a million pairs of sets.
pub const EXACT_MAX: usize = 12;

/// The best tree; none if a reducer can never be joined.
pub fn best(graph: &Graph) -> Option<Tree> {
    let all = graph.region.all();
    let parts = match graph.region.relations.len() {
        count if count <= EXACT_MAX => exact(graph, count),
        _ => relations(all).map(Tree::Relation).collect(),
    };
    greedy(graph, parts)
}

/// How a set is best joined.
#[derive(Clone, Copy)]
struct Best {
    cost: f64,
    /// Its rows, and what they cost as the side that a table is built of.
    rows: f64,
    entering: f64,
    /// The side that the table is built of; 0 for a single relation.
    build: Set,
}

/// The best trees of the largest connected sets, which are one if the graph is connected.
fn exact(graph: &Graph, count: usize) -> Vec<Tree> {
    let mut table: Vec<Option<Best>> = vec![None; 1 << count];
    let of_set = |set: usize, cost: f64, build: usize| Best {
        cost,
        rows: graph.rows(set as Set),
        entering: cost::entering(graph, set as Set),
        build: build as Set,
    };
    for relation in 0..count {
        table[1 << relation] = Some(of_set(1 << relation, 0.0, 0));
    }
    for set in 1..table.len() {
        if set.is_power_of_two() {
            continue;
        }
        // What leaves the join is the same for all pairs.
        let mut best: Option<(f64, usize)> = None;
        let mut build = (set - 1) & set;
        while build != 0 {
            let probe = set ^ build;
            if let (Some(one), Some(other)) = (table[build], table[probe]) {
                let cost = one.cost + other.cost + one.entering + other.rows;
                // Whether they connect takes longer to find out than whether it matters.
                if best.is_none_or(|(least, _)| cost < least) && graph.connects(build as Set, probe as Set) {
                    best = Some((cost, build));
                }
            }
            build = (build - 1) & set;
        }
        let best = best.map(|(cost, build)| of_set(set, cost + cost::leaving(graph, set as Set), build));
        table[set] = best;
    }
    let mut left: Set = graph.region.all();
    let mut parts = Vec::new();
    while left != 0 {
        let connected = (1..table.len())
            .filter(|set| *set as Set & !left == 0 && table[*set].is_some())
            .max_by_key(|set| set.count_ones())
            .unwrap_or(1 << left.trailing_zeros());
        parts.push(tree(&table, connected as Set));
        left &= !(connected as Set);
    }
    parts
}

fn tree(table: &[Option<Best>], set: Set) -> Tree {
    match table[set as usize] {
        Some(Best { build, .. }) if build != 0 => Tree::join(tree(table, build), tree(table, set & !build)),
        _ => Tree::Relation(set.trailing_zeros() as usize),
    }
}

fn greedy(graph: &Graph, mut parts: Vec<Tree>) -> Option<Tree> {
    while parts.len() > 1 {
        let (one, other) = next(graph, &parts, true).or_else(|| next(graph, &parts, false))?;
        // The later one first: its removal leaves the other's place alone.
        let (later, earlier) = (
            parts.swap_remove(one.max(other)),
            parts.swap_remove(one.min(other)),
        );
        let (a, b) = (earlier.set(), later.set());
        parts.push(match cost::of_join(graph, a, b) <= cost::of_join(graph, b, a) {
            true => Tree::join(earlier, later),
            false => Tree::join(later, earlier),
        });
    }
    parts.pop()
}

/// The two parts that are joined to the fewest rows: on keys, or at all.
fn next(graph: &Graph, parts: &[Tree], on_keys: bool) -> Option<(usize, usize)> {
    let sets: Vec<Set> = parts.iter().map(Tree::set).collect();
    let mut least: Option<(f64, (usize, usize))> = None;
    for one in 0..sets.len() {
        for other in 0..one {
            let fits = match on_keys {
                true => graph.connects(sets[one], sets[other]),
                false => graph.reducer(sets[one]).is_none() && graph.reducer(sets[other]).is_none(),
            };
            let size = graph.rows(sets[one] | sets[other]);
            if fits && least.is_none_or(|(known, _)| size < known) {
                least = Some((size, (one, other)));
            }
        }
    }
    least.map(|(_, pair)| pair)
}
