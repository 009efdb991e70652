//! Comparison, search and LIKE.

use super::{BLOCK, kernel};
use crate::launch::{Args, Grid};
use crate::parquet::StringRef;
use crate::selftest::{Context, Failure, Random, expect_equal};

/// Few letters, so that strings meet; some of two, three and four bytes, and the pattern's own signs.
const LETTERS: [char; 10] = ['a', 'b', 'A', 'é', '猫', '🦀', '%', '_', '\\', 'a'];

/// Mostly signs, so that they stand side by side and next to wide characters.
const SIGNS: [char; 6] = ['%', '_', '_', '🦀', 'é', 'a'];

fn text(random: &mut Random, most: u64, letters: &[char]) -> String {
    (0..random.below(most))
        .map(|_| letters[random.below(letters.len() as u64) as usize])
        .collect()
}

/// LIKE by its definition: every way to spend a %.
fn like(text: &[char], pattern: &[char], fold: bool) -> bool {
    let same = |a: char, b: char| a == b || fold && a.eq_ignore_ascii_case(&b);
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| like(&text[skipped..], rest, fold)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest, fold),
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            text.first().is_some_and(|&first| same(first, *literal)) && like(&text[1..], rest, fold)
        }
    }
}

fn find(text: &str, part: &str) -> i64 {
    text.find(part).map_or(-1, |at| at as i64)
}

pub(super) fn string_functions(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "string_functions")?;
    let count = 3000;
    let random = &mut context.random;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for at in 0..count {
        let left = text(random, [40, 9, 9, 4][at / 4 % 4], &LETTERS[..6]);
        let right = match at % 4 {
            0 => left.chars().take(random.below(9) as usize).collect(),
            1 => left.chars().skip(random.below(4) as usize).collect(),
            2 => text(random, 6, &LETTERS),
            // As many characters as there are, or one more or less.
            _ if at % 8 == 3 => {
                format!(
                    "%{}",
                    "_".repeat((left.chars().count() + random.below(3) as usize).saturating_sub(1))
                )
            }
            _ => text(random, 6, &SIGNS),
        };
        pairs.push((left, right));
    }
    let mut bytes = Vec::new();
    let mut place = |string: &str| {
        let start = bytes.len() as u64;
        bytes.extend(string.as_bytes());
        StringRef {
            address: start,
            bytes: string.len() as u32,
            reserved: 0,
        }
    };
    let refs: Vec<(StringRef, StringRef)> = pairs
        .iter()
        .map(|(left, right)| (place(left), place(right)))
        .collect();
    bytes.extend([0; 8]);
    let Context {
        stream, reservation, ..
    } = &*context;
    let source = stream.upload_values(reservation, &bytes)?;
    let moved = |reference: &StringRef| StringRef {
        address: reference.address + source.address(),
        ..*reference
    };
    let lefts: Vec<StringRef> = refs.iter().map(|(left, _)| moved(left)).collect();
    let rights: Vec<StringRef> = refs.iter().map(|(_, right)| moved(right)).collect();
    let lefts = stream.upload_values(reservation, &lefts)?;
    let rights = stream.upload_values(reservation, &rights)?;
    let out = stream.allocate(reservation, count * 7 * 8)?;
    let args = Args::new()
        .buffer(&lefts)
        .buffer(&rights)
        .value(count as u64)
        .buffer(&out)
        .also_uses(&source);
    stream.launch(&kernel, Grid::covering(count, BLOCK, BLOCK as u32), &args)?;
    let found = stream.read_sync::<i64>(out.view())?;
    for (at, (left, right)) in pairs.iter().enumerate() {
        let characters = |string: &str| string.chars().collect::<Vec<_>>();
        let (text, pattern) = (characters(left), characters(right));
        let expected = [
            left.as_bytes().cmp(right.as_bytes()) as i64,
            i64::from(left.starts_with(right.as_str())),
            i64::from(left.ends_with(right.as_str())),
            find(left, right),
            i64::from(like(&text, &pattern, false)),
            i64::from(like(&text, &pattern, true)),
            text.len() as i64,
        ];
        expect_equal(
            &format!("functions of {left:?} and {right:?}"),
            &found[at * 7..][..7],
            &expected,
        )?;
    }
    Ok(())
}
