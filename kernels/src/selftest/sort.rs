//! Sorting, the first rows, and boundaries, against Rust's own sort.

use super::{Check, Context, Failure, Random, expect_equal};
use crate::sort::{Keys, Sorter, TILE_ROWS};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "sort/order",
        run: order,
    },
    Check {
        name: "sort/first",
        run: first,
    },
    Check {
        name: "sort/boundaries",
        run: boundaries,
    },
    Check {
        name: "sort/refused",
        run: refused,
    },
];

/// How the words of rows are drawn.
#[derive(Debug, Clone, Copy)]
enum Pattern {
    Random,
    Equal,
    Ascending,
    Descending,
    FewValues,
    /// Rows differ in one digit of one word only.
    OneDigit,
    /// The highest keys, which padding must not be taken for.
    Highest,
}

const PATTERNS: [Pattern; 7] = [
    Pattern::Random,
    Pattern::Equal,
    Pattern::Ascending,
    Pattern::Descending,
    Pattern::FewValues,
    Pattern::OneDigit,
    Pattern::Highest,
];

/// Key words as the device has them: all rows of word 0 first.
fn draw(random: &mut Random, pattern: Pattern, rows: usize, words: usize) -> Vec<u64> {
    let varied_word = random.below(words as u64) as usize;
    let shift = 8 * random.below(8);
    let equal = random.bits();
    let mut keys = Vec::with_capacity(rows * words);
    for word in 0..words {
        for row in 0..rows {
            keys.push(match pattern {
                Pattern::Random => random.bits(),
                Pattern::Equal => equal,
                // Several rows a value, so that the words after it decide.
                Pattern::Ascending => (row as u64 / 5) >> (3 * (words - 1 - word)),
                Pattern::Descending => u64::MAX - row as u64 / 3,
                Pattern::FewValues => random.below(3) << (random.below(2) * 40),
                Pattern::OneDigit if word == varied_word => random.below(256) << shift,
                Pattern::OneDigit => equal,
                Pattern::Highest => u64::MAX - u64::from(random.chance(10)),
            });
        }
    }
    keys
}

fn row_words(keys: &[u64], rows: usize, row: u32) -> impl Iterator<Item = u64> + '_ {
    keys.iter().skip(row as usize).step_by(rows).copied()
}

fn sorted(keys: &[u64], rows: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_by(|&a, &b| row_words(keys, rows, a).cmp(row_words(keys, rows, b)));
    order
}

fn order(context: &mut Context) -> Result<(), Failure> {
    let sorter = Sorter::new(&context.device)?;
    for rows in context.sizes(TILE_ROWS) {
        for pattern in PATTERNS {
            let words = 1 + context.random.below(4) as usize;
            let keys = draw(&mut context.random, pattern, rows, words);
            let stream = &context.stream;
            let uploaded = stream.upload_values(&context.reservation, &keys)?;
            // The function's own word for what it takes is enough, to the byte.
            let exact = context.device.reserve(Sorter::sort_bytes(rows, words))?;
            let view = uploaded.view();
            let order = sorter.sort(stream, &exact, Keys { view, rows, words })?;
            expect_equal(
                &format!("{pattern:?}, {rows} rows of {words} words"),
                &stream.read_sync::<u32>(order.view())?,
                &sorted(&keys, rows),
            )?;
        }
    }
    Ok(())
}

fn first(context: &mut Context) -> Result<(), Failure> {
    let sorter = Sorter::new(&context.device)?;
    let mut sizes = vec![0, 1, 33, 4096, 4097, 9000 + context.random.below(9000) as usize];
    let is_fast = context.is_fast();
    if is_fast {
        sizes.push((1 << 20) + 7);
    }
    for rows in sizes {
        for pattern in PATTERNS {
            let words = 1 + context.random.below(3) as usize;
            let keys = draw(&mut context.random, pattern, rows, words);
            let expected = sorted(&keys, rows);
            let stream = &context.stream;
            let uploaded = stream.upload_values(&context.reservation, &keys)?;
            let view = uploaded.view();
            let some = 2 + context.random.below(3000) as usize;
            let mut counts = vec![1, some, rows / 2];
            if !is_fast {
                // Other seeds draw others.
                counts = vec![counts[context.random.below(3) as usize]];
            }
            for k in [&counts[..], &[0]].concat() {
                let exact = context.device.reserve(Sorter::first_bytes(rows, words, k))?;
                let first = sorter.first(stream, &exact, Keys { view, rows, words }, k)?;
                expect_equal(
                    &format!("{pattern:?}, first {k} of {rows} rows of {words} words"),
                    &stream.read_sync::<u32>(first.view())?,
                    &expected[..k.min(rows)],
                )?;
            }
        }
    }
    Ok(())
}

fn boundaries(context: &mut Context) -> Result<(), Failure> {
    let sorter = Sorter::new(&context.device)?;
    for rows in context.sizes(256) {
        for pattern in PATTERNS {
            let words = 1 + context.random.below(3) as usize;
            let by = 1 + context.random.below(words as u64) as usize;
            let keys = draw(&mut context.random, pattern, rows, words);
            let order = sorted(&keys, rows);
            let Context {
                stream, reservation, ..
            } = &*context;
            let uploaded = stream.upload_values(reservation, &keys)?;
            let uploaded_order = stream.upload_values(reservation, &order)?;
            let view = uploaded.view();
            let exact = context.device.reserve(Sorter::boundaries_bytes(rows))?;
            let prefix = Keys { view, rows, words }.prefix(by)?;
            let bitmap = sorter.boundaries(stream, &exact, prefix, uploaded_order.view())?;
            let mut expected = vec![0u32; rows.div_ceil(32)];
            let key = |at: usize| row_words(&keys, rows, order[at]).take(by);
            for at in (0..rows).filter(|&at| at == 0 || key(at - 1).ne(key(at))) {
                expected[at / 32] |= 1 << (at % 32);
            }
            expect_equal(
                &format!("{pattern:?}, {rows} rows by {by} of {words} words"),
                &stream.read_sync::<u32>(bitmap.view())?,
                &expected,
            )?;
        }
    }
    Ok(())
}

fn refused(context: &mut Context) -> Result<(), Failure> {
    let sorter = Sorter::new(&context.device)?;
    let Context {
        stream, reservation, ..
    } = &*context;
    let buffer = stream.allocate_zeroed(reservation, 64)?;
    let view = buffer.view();
    for (rows, words) in [(8, 0), (4, 3), (1 << 32, 1), (0, 70_000)] {
        let keys = Keys { view, rows, words };
        if sorter.sort(stream, reservation, keys).is_ok()
            || sorter.first(stream, reservation, keys, 1).is_ok()
        {
            return Err(Failure(format!(
                "{rows} rows of {words} words in 64 bytes were sorted"
            )));
        }
    }
    Ok(())
}
