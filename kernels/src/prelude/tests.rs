//! The choice of pieces: small where little is used, and never short of what is.

use std::collections::HashMap;

use super::*;

/// Names that a piece defines: functions by their names before `(`, types, and macros.
fn defined(text: &'static str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["#define", name, ..] | ["struct", name, ..] => {
                found.push(name.split(['(', ';']).next().unwrap_or(name))
            }
            _ if line.contains("WF_DEVICE ") || line.contains("WF_CALLED ") => {
                let before = line.split_once('(').map_or(line, |(before, _)| before);
                found.extend(before.split([' ', '*']).next_back());
            }
            _ => {}
        }
    }
    found.retain(|name| names(name).next() == Some(name));
    found
}

#[test]
fn every_name_is_in_one_piece() {
    // An overload in another piece would silently not be there, and another be called.
    let mut owners: HashMap<&str, usize> = HashMap::new();
    for (piece, text) in PIECES.iter().enumerate() {
        for name in defined(text) {
            let owner = *owners.entry(name).or_insert(piece);
            assert!(owner == piece, "{name} is defined by pieces {owner} and {piece}");
            let first = Index::get().owners[name];
            assert!(
                first == piece,
                "{name} of piece {piece} stands in piece {first} already"
            );
        }
    }
    assert!(owners.len() > 150, "found {} names", owners.len());
}

#[test]
fn a_name_never_comes_without_its_piece() {
    for (piece, text) in PIECES.iter().enumerate() {
        for name in defined(text) {
            let chosen = text_for(&format!("{name};"));
            assert!(chosen.contains(PIECES[piece]), "{name} without piece {piece}");
            for used in names(&chosen) {
                let Some(&owner) = Index::get().owners.get(used) else {
                    continue;
                };
                assert!(
                    chosen.contains(PIECES[owner]),
                    "{name} comes with {used}, which is not there"
                );
            }
        }
    }
}

#[test]
fn only_what_is_used_is_there() {
    let bare = text_for("WF_KERNEL(32) nothing() {}");
    assert!(bare.contains("#define WF_OVERFLOW") && bare.contains("void wf_raise("));
    assert!(
        !bare.contains("wf_string_compare") && bare.len() < 6_000,
        "{} bytes",
        bare.len()
    );
    let sum = text_for("wf_own_add_wide(a, b, c)  // not wf_extreme_text");
    assert!(sum.contains("wf_shared_add_wide") && !sum.contains("wf_find_group"));
    let all = text();
    assert!(PIECES.iter().all(|piece| all.contains(piece)));
}
