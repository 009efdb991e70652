//! Sort keys: the order of the keys is the order of the values.

use std::cmp::Ordering;

use super::{BLOCK, kernel};
use crate::parquet::{SLACK_BYTES, StringRef};
use crate::selftest::{Context, Failure, expect_equal};
use crate::{Args, Grid};

/// Words that the kernel writes for a value.
const WORDS: usize = 16;

/// The order of two values in each of the kernel's types, and the words of its key.
type Compare = fn(i128, i128) -> Ordering;
const TYPES: [(&str, Compare, &[usize]); 7] = [
    ("i8", |a, b| (a as i8).cmp(&(b as i8)), &[0]),
    ("i16", |a, b| (a as i16).cmp(&(b as i16)), &[1]),
    ("i32", |a, b| (a as i32).cmp(&(b as i32)), &[2]),
    ("i64", |a, b| (a as i64).cmp(&(b as i64)), &[3]),
    ("i128", |a, b| a.cmp(&b), &[4, 5]),
    (
        "f64",
        |a, b| f64::from_bits(a as u64).total_cmp(&f64::from_bits(b as u64)),
        &[6],
    ),
    (
        "f32",
        |a, b| f32::from_bits(a as u32).total_cmp(&f32::from_bits(b as u32)),
        &[7],
    ),
];

pub(super) fn order_keys(context: &mut Context) -> Result<(), Failure> {
    numbers(context)?;
    strings(context)
}

fn numbers(context: &mut Context) -> Result<(), Failure> {
    let values: Vec<i128> = (0..1000).map(|_| context.random.integer()).collect();
    let kernel = kernel(context, "order_keys")?;
    let (stream, reservation) = (&context.stream, &context.reservation);
    let input = stream.upload_values(reservation, &values)?;
    let output = stream.allocate(reservation, values.len() * WORDS * 8)?;
    let args = Args::new()
        .buffer(&input)
        .value(values.len() as u64)
        .buffer(&output);
    stream.launch(&kernel, Grid::covering(values.len(), BLOCK, BLOCK as u32), &args)?;
    let keys: Vec<u64> = stream.read_sync(output.view())?;
    for (name, compare, words) in TYPES {
        for at in 1..values.len() {
            let key = |row: usize, first: usize| -> Vec<u64> {
                words
                    .iter()
                    .map(|word| keys[row * WORDS + first + word])
                    .collect()
            };
            let expected = compare(values[at - 1], values[at]);
            let ascending = key(at - 1, 0).cmp(&key(at, 0));
            let width_bits = name[1..].parse::<u32>().map_or(64, |bits| bits.min(64));
            // Keys narrower than a word are turned over within their width.
            let descending = key(at - 1, 8).cmp(&key(at, 8));
            if (ascending, descending) != (expected, expected.reverse()) {
                return Err(Failure(format!(
                    "{name}: {} and {} sort {ascending:?} and, descending, {descending:?}, expected {expected:?}",
                    values[at - 1],
                    values[at]
                )));
            }
            if width_bits < 64 && key(at, 8)[0] >> width_bits != 0 {
                return Err(Failure(format!(
                    "{name}: key {:#x} is wider than its type",
                    key(at, 8)[0]
                )));
            }
        }
    }
    Ok(())
}

fn strings(context: &mut Context) -> Result<(), Failure> {
    const STRING_WORDS: usize = 4;
    let texts: Vec<Vec<u8>> = (0..500)
        .map(|_| {
            let length = context.random.below(STRING_WORDS as u64 * 8 + 1) as usize;
            // Few letters, zero among them, so that many strings start alike.
            (0..length)
                .map(|_| [0, b'a', 0xff][context.random.below(3) as usize])
                .collect()
        })
        .collect();
    let kernel = kernel(context, "string_words")?;
    let mut bytes = texts.concat();
    bytes.extend([0xaa; SLACK_BYTES]);
    let (stream, reservation) = (&context.stream, &context.reservation);
    let data = stream.upload_values(reservation, &bytes)?;
    let mut address = data.address();
    let refs: Vec<StringRef> = texts
        .iter()
        .map(|text| {
            let bytes = text.len() as u32;
            address += u64::from(bytes);
            StringRef {
                address: address - u64::from(bytes),
                bytes,
                reserved: 0,
            }
        })
        .collect();
    let refs = stream.upload_values(reservation, &refs)?;
    let count = texts.len() * STRING_WORDS;
    let output = stream.allocate(reservation, count * 8)?;
    let args = Args::new()
        .buffer(&refs)
        .value(texts.len() as u64)
        .value(STRING_WORDS as u64)
        .buffer(&output)
        .also_uses(&data);
    stream.launch(&kernel, Grid::covering(count, BLOCK, BLOCK as u32), &args)?;
    let expected: Vec<u64> = texts
        .iter()
        .flat_map(|text| {
            let mut padded = text.clone();
            padded.resize(STRING_WORDS * 8, 0);
            let words: Vec<u64> = padded
                .as_chunks::<8>()
                .0
                .iter()
                .map(|&word| u64::from_be_bytes(word))
                .collect();
            words
        })
        .collect();
    let words: Vec<u64> = stream.read_sync(output.view())?;
    expect_equal("words of strings", &words, &expected)?;
    let key = |at: usize| {
        (
            &words[at * STRING_WORDS..(at + 1) * STRING_WORDS],
            texts[at].len(),
        )
    };
    for at in 1..texts.len() {
        if key(at - 1).cmp(&key(at)) != texts[at - 1].cmp(&texts[at]) {
            return Err(Failure(format!(
                "{:?} and {:?} do not sort as their words",
                texts[at - 1],
                texts[at]
            )));
        }
    }
    Ok(())
}
