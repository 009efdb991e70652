//! Layouts of keys: how many words they take, and that no bit is two keys'.

#![allow(clippy::print_stdout, reason = "a random test says its seed")]

use std::time::SystemTime;

use arrow::datatypes::DataType;

use super::{KEYS_MAX, KeyLayout, KeyPlace, Place, WORD_BITS, key_bits, key_layout};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Node, Value};

fn key((data_type, nullable): &(DataType, bool)) -> Expr {
    Expr {
        data_type: data_type.clone(),
        nullable: *nullable,
        node: Node::Column(0, "k".into()),
    }
}

fn layout(keys: &[(DataType, bool)]) -> KeyLayout {
    let keys: Vec<Expr> = keys.iter().map(key).collect();
    key_layout(&keys).expect("types that the GPU holds")
}

#[test]
fn words_of_a_layout() {
    use DataType::{
        Boolean, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt32, Utf8,
    };
    let wide = || Decimal128(38, 2);
    for (words, keys) in [
        (0, vec![]),
        (1, vec![(Int64, false)]),
        (2, vec![(Int64, true)]),
        (1, vec![(Int32, true)]),
        (1, vec![(Date32, false), (Int32, false)]),
        (2, vec![(Date32, true), (Int32, false)]),
        (1, vec![(Boolean, true), (Boolean, true), (Int16, true)]),
        (
            1,
            vec![(Int8, true), (Float32, true), (UInt8, true), (Int8, true)],
        ),
        (
            2,
            vec![(Int8, true), (UInt32, true), (Float64, false), (Int8, true)],
        ),
        (
            2,
            vec![(Int32, false), (Int16, false), (UInt8, false), (Utf8, false)],
        ),
        (3, vec![(Utf8, true), (Utf8, false), (Boolean, false)]),
        (2, vec![(wide(), false)]),
        (3, vec![(Boolean, true), (wide(), true)]),
        (1, vec![(Boolean, false); KEYS_MAX]),
        (2, vec![(Boolean, true); KEYS_MAX]),
    ] {
        assert_eq!(layout(&keys).words, words, "{keys:?}");
    }
    let many: Vec<Expr> = vec![key(&(Boolean, false)); KEYS_MAX + 1];
    assert!(key_layout(&many).is_err());
}

#[test]
fn no_bit_is_two_keys() {
    let types = [
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt8,
        DataType::Int16,
        DataType::UInt16,
        DataType::Int32,
        DataType::UInt32,
        DataType::Float32,
        DataType::Date32,
        DataType::Int64,
        DataType::Float64,
        DataType::Decimal128(30, 3),
        DataType::Utf8,
    ];
    let since = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970");
    let seed = since.as_nanos() as u64 | 1;
    println!("seed {seed}");
    let mut state = seed;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 16) % bound as u64) as usize
    };
    for _ in 0..5000 {
        let count = below(KEYS_MAX + 1);
        let keys: Vec<(DataType, bool)> = (0..count)
            .map(|_| (types[below(types.len())].clone(), below(2) == 0))
            .collect();
        check(&keys);
    }
}

fn check(keys: &[(DataType, bool)]) {
    let layout = layout(keys);
    assert_eq!(layout.keys.len(), keys.len());
    let mut taken = vec![0u64; layout.words];
    let mut take = |place: Place, bits: usize| {
        for at in 0..bits {
            let bit = place.word * WORD_BITS + place.bit + at;
            let word = &mut taken[bit / WORD_BITS];
            assert_eq!(
                *word >> (bit % WORD_BITS) & 1,
                0,
                "bit {bit} is two keys': {keys:?}"
            );
            *word |= 1 << (bit % WORD_BITS);
        }
    };
    let (mut whole, mut narrow, mut texts) = (0, 0, Vec::new());
    for (key, (data_type, nullable)) in layout.keys.iter().zip(keys) {
        assert_eq!(Repr::of(data_type), Some(key.repr));
        let bits = key_bits(key.repr);
        take(key.value, bits);
        if bits < WORD_BITS {
            assert!(key.value.bit + bits <= WORD_BITS, "{key:?} ends in another word");
            narrow += bits;
        } else {
            assert_eq!(key.value.bit, 0, "{key:?} is whole words");
            whole += bits / WORD_BITS;
        }
        if key.repr == Repr::Str {
            texts.push(key.value.word);
        }
        assert_eq!(key.null.is_some(), *nullable);
        if let Some(null) = key.null {
            take(null, 1);
            narrow += 1;
        }
    }
    assert_eq!(layout.texts, texts);
    assert_eq!(layout.words, whole + narrow.div_ceil(WORD_BITS), "{keys:?}");
}

/// Sides of a join may have integers of other widths: what the key's cannot hold is not cut to it and then found.
#[test]
fn what_does_not_fit_is_asked_of_other_widths_alone() {
    let place = |repr| KeyPlace {
        repr,
        value: Place { word: 0, bit: 0 },
        null: None,
    };
    let value = |repr, valid: Option<&str>| Value {
        text: "v".into(),
        valid: valid.map(str::to_owned),
        repr,
        most: None,
    };
    assert_eq!(place(Repr::I32).fits(&value(Repr::I32, Some("n"))), None);
    assert_eq!(place(Repr::Str).fits(&value(Repr::Str, None)), None);
    let asked = place(Repr::I32).fits(&value(Repr::I64, None));
    assert_eq!(asked.as_deref(), Some("((u64)(i64)(v) == (u64)(i64)((i32)(v)))"));
    let asked = place(Repr::U8).fits(&value(Repr::I16, Some("n")));
    assert_eq!(
        asked.as_deref(),
        Some("(!(n) || (u64)(i64)(v) == (u64)((u8)(v)))")
    );
}
