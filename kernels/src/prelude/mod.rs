//! The header that every kernel stands on, our own and free of other headers. Comes in: the text of kernels. Goes out:
//! the pieces of CUDA C++ that it needs, which NVRTC and the host's C++ compiler both take, with the constants that it
//! shares with Rust.
//!
//! A compiler reads all that it is given, used or not, so a kernel gets only the pieces whose names it uses, and what
//! those need. Nobody lists what a piece defines or needs: names begin with `wf_`, `Wf` or `WF_`, a name belongs to the
//! first piece with it, and pieces stand in an order in which each comes after those that it needs.

mod hash;

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

pub use hash::{hash_bytes, hash_u64, hash_u128};

use crate::error_word::ErrorFlags;

/// The pieces; the first ones are there for every kernel.
const PIECES: [&str; 27] = [
    include_str!("types.cuh"),
    include_str!("error.cuh"),
    include_str!("bits.cuh"),
    include_str!("int128.cuh"),
    include_str!("hash.cuh"),
    include_str!("warp.cuh"),
    include_str!("block.cuh"),
    include_str!("order.cuh"),
    include_str!("floats.cuh"),
    include_str!("atomics.cuh"),
    include_str!("strings.cuh"),
    include_str!("dates.cuh"),
    include_str!("columns.cuh"),
    include_str!("group.cuh"),
    include_str!("join.cuh"),
    include_str!("aggregate.cuh"),
    include_str!("moments.cuh"),
    include_str!("extremes.cuh"),
    include_str!("expressions.cuh"),
    include_str!("intervals.cuh"),
    include_str!("text.cuh"),
    include_str!("text_made.cuh"),
    include_str!("regex.cuh"),
    include_str!("text_of.cuh"),
    include_str!("text_float.cuh"),
    include_str!("text_parse.cuh"),
    include_str!("window.cuh"),
];

/// Pieces that every kernel gets.
const ALWAYS: usize = 2;

/// What `text` needs of the prelude.
pub fn text_for(text: &str) -> String {
    let index = Index::get();
    let wanted: BTreeSet<usize> = (0..ALWAYS).chain(index.named_by(text)).collect();
    let all: BTreeSet<usize> = wanted
        .iter()
        .flat_map(|&piece| index.needs[piece].iter().copied().chain([piece]))
        .collect();
    let pieces: Vec<&str> = all.iter().map(|&piece| PIECES[piece]).collect();
    format!("{}{}", flags(), pieces.concat())
}

/// The whole prelude.
pub fn text() -> String {
    format!("{}{}", flags(), PIECES.concat())
}

/// The flags of the device error word.
fn flags() -> String {
    ErrorFlags::ALL
        .iter()
        .map(|(name, bit, _)| format!("#define WF_{name} {:#x}ull\n", 1u64 << bit))
        .collect()
}

/// Who has which name, and who needs whom.
struct Index {
    owners: HashMap<&'static str, usize>,
    /// Of each piece, all others that it needs, in the end.
    needs: Vec<BTreeSet<usize>>,
}

impl Index {
    fn get() -> &'static Self {
        static INDEX: OnceLock<Index> = OnceLock::new();
        INDEX.get_or_init(|| {
            let mut index = Self {
                owners: HashMap::new(),
                needs: Vec::new(),
            };
            for (piece, text) in PIECES.iter().enumerate() {
                for name in names(text) {
                    index.owners.entry(name).or_insert(piece);
                }
                let named: BTreeSet<usize> = index.named_by(text).filter(|&other| other != piece).collect();
                let behind = named.iter().flat_map(|&other| index.needs[other].iter().copied());
                index.needs.push(behind.chain(named.iter().copied()).collect());
            }
            index
        })
    }

    /// The pieces that have the names in `text`.
    fn named_by<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> + 'a {
        names(text).filter_map(|name| self.owners.get(name).copied())
    }
}

/// The prelude's names in a text without its comments.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let words = code.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    words.filter(|word| ["wf_", "Wf", "WF_"].iter().any(|start| word.starts_with(start)))
}

#[cfg(test)]
mod tests;
