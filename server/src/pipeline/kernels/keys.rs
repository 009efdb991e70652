//! Group keys as words of 64 bits: where each lies, and the text that puts them there and takes them out again.
//!
//! In: keys, by their types and by whether they may be null. Out: their layout, and statements over it. It does not know
//! what is found by the words.

#[cfg(test)]
mod tests;

use super::super::expr::{Code, Expr, Value};
use crate::batch::Repr;

/// Keys of the longest list.
const KEYS_MAX: usize = 64;
/// Bits of a word.
pub(super) const WORD_BITS: usize = 64;

/// Where the bits of keys lie in their words. Strings and what has 64 bits or more have words of their own; all else
/// shares words, so that most lists of narrow keys are one, which is found fastest. Bits that are nobody's are zeros.
///
/// `wf_hash_words` multiplies a word by a constant and folds the 128 bits of the product, so each bit of a word reaches
/// the low bits of its hash, which choose a slot: keys may differ in any part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyLayout {
    /// Each key.
    pub keys: Vec<KeyPlace>,
    /// Words in all.
    pub words: usize,
    /// The words that are strings, in order.
    pub texts: Vec<usize>,
}

/// Where a key lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPlace {
    /// The form of its values.
    pub repr: Repr,
    /// The first bit of its value.
    pub value: Place,
    /// For a key that may be null, the bit which says that it is; its value's bits are zeros then.
    pub null: Option<Place>,
}

/// A bit of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The word.
    pub word: usize,
    /// The bit, 0 the lowest.
    pub bit: usize,
}

/// Bits of a value among the words; of a string, those of what stands for it there.
pub(super) fn key_bits(repr: Repr) -> usize {
    match repr {
        Repr::Bool => 1,
        Repr::Str => WORD_BITS,
        other => other.width() * 8,
    }
}

/// The layout of a list of keys.
pub fn key_layout(keys: &[Expr]) -> Result<KeyLayout, String> {
    if keys.len() > KEYS_MAX {
        return Err(format!("{} group keys, the GPU takes {KEYS_MAX}", keys.len()));
    }
    let mut layout = KeyLayout {
        keys: Vec::with_capacity(keys.len()),
        words: 0,
        texts: Vec::new(),
    };
    for key in keys {
        let repr = Repr::of(&key.data_type)
            .ok_or_else(|| format!("group key {key} of type {} is not held on the GPU", key.data_type))?;
        let (word, bit) = (layout.words, 0);
        if repr == Repr::Str {
            layout.texts.push(word);
        }
        layout.words += key_bits(repr) / WORD_BITS;
        layout.keys.push(KeyPlace {
            repr,
            value: Place { word, bit },
            null: None,
        });
    }
    // The others behind them. Their widths are powers of two and fall, so each begins at a multiple of its own, no bit is
    // left out between two, and none lies across the end of a word.
    let mut taken = layout.words * WORD_BITS;
    let mut take = |bits: usize| {
        let (word, bit) = (taken / WORD_BITS, taken % WORD_BITS);
        taken += bits;
        Place { word, bit }
    };
    for bits in [32, 16, 8, 1] {
        for key in layout.keys.iter_mut().filter(|key| key_bits(key.repr) == bits) {
            key.value = take(bits);
        }
    }
    for (place, _) in layout.keys.iter_mut().zip(keys).filter(|(_, key)| key.nullable) {
        place.null = Some(take(1));
    }
    layout.words = taken.div_ceil(WORD_BITS);
    Ok(layout)
}

impl KeyPlace {
    /// The bits of `value`, no string: the first word of them, and the next if there is one.
    fn bits(&self, value: &Value) -> Vec<String> {
        let v = &value.text;
        let mut words = vec![match self.repr {
            // To the width: a sign is not to reach into the bits above.
            Repr::I8 | Repr::U8 => format!("(u64)(u8)({v})"),
            Repr::I16 | Repr::U16 => format!("(u64)(u16)({v})"),
            Repr::I32 | Repr::U32 => format!("(u64)(u32)({v})"),
            Repr::I128 => format!("(u64)({v})"),
            other => as_word(other, v),
        }];
        if self.repr == Repr::I128 {
            words.push(format!("(u64)((u128)({v}) >> 64)"));
        }
        let placed = |word: String| match (&value.valid, self.value.bit) {
            (Some(valid), 0) => format!("({valid} ? {word} : 0ull)"),
            (Some(valid), bit) => format!("({valid} ? {word} << {bit} : 0ull)"),
            (None, 0) => word,
            (None, bit) => format!("({word} << {bit})"),
        };
        words.into_iter().map(placed).collect()
    }

    /// The bit which says that `value` is null, if it may be.
    fn null_bit(&self, value: &Value) -> Option<(usize, String)> {
        let Place { word, bit } = self.null?;
        let valid = value.valid.as_ref()?;
        Some((word, format!("({valid} ? 0ull : 1ull << {bit})")))
    }

    /// Its value, no string, back from the words; `word` is the text of one of them.
    pub(super) fn value(&self, word: &dyn Fn(usize) -> String) -> String {
        let low = word(self.value.word);
        let low = match self.value.bit {
            0 => low,
            bit => format!("({low} >> {bit})"),
        };
        match self.repr {
            Repr::Bool => format!("(({low} & 1ull) != 0)"),
            Repr::F32 => format!("__uint_as_float((u32)({low}))"),
            Repr::F64 => format!("__longlong_as_double((i64)({low}))"),
            Repr::I128 => format!("(i128)((u128)({}) << 64 | ({low}))", word(self.value.word + 1)),
            // To a narrow type: what lies above is cut off, and the highest bit of what remains is the sign.
            other => format!("({})({low})", other.c_type()),
        }
    }

    /// Whether it is not null, if it may be; `word` is as above.
    pub(super) fn valid(&self, word: &dyn Fn(usize) -> String) -> Option<String> {
        let null = self.null?;
        Some(format!("({} >> {} & 1ull) == 0", word(null.word), null.bit))
    }

    /// Whether `value` is one of those that the key can have, where that is to be asked: the sides of a join may have
    /// integers of different widths, and one that is cut to the key's is not the key.
    pub(super) fn fits(&self, value: &Value) -> Option<String> {
        if value.repr == self.repr {
            return None;
        }
        let cut = format!("({})({})", self.repr.c_type(), value.text);
        let same = format!(
            "{} == {}",
            as_word(value.repr, &value.text),
            as_word(self.repr, &cut)
        );
        Some(match &value.valid {
            Some(valid) => format!("(!({valid}) || {same})"),
            None => format!("({same})"),
        })
    }
}

/// Statements that fill `words` and `texts` of one row; it is to be active.
pub(super) fn write_keys(code: &mut Code, layout: &KeyLayout, keys: &[Expr]) -> Result<(), String> {
    let values = keys
        .iter()
        .map(|key| code.value(key))
        .collect::<Result<Vec<Value>, String>>()?;
    let mut lines = format!(
        "u64 words[{}];\nWfStringRef texts[{}];\nconst u32 text_words[{}] = {{{}}};\n",
        layout.words.max(1),
        layout.texts.len().max(1),
        layout.texts.len().max(1),
        match layout.texts.is_empty() {
            true => "0u".to_owned(),
            false => layout
                .texts
                .iter()
                .map(|word| format!("{word}u"))
                .collect::<Vec<_>>()
                .join(", "),
        }
    );
    let mut parts = vec![Vec::new(); layout.words];
    let mut text = 0;
    for (value, key) in values.iter().zip(&layout.keys) {
        let bits = match key.repr {
            Repr::Str => {
                let valid = value.valid.as_deref().unwrap_or("true");
                lines.push_str(&format!(
                    "texts[{text}] = {valid} ? {} : WfStringRef{{(u64)literals, 0, 0}};\n",
                    value.text
                ));
                text += 1;
                vec![format!("(active ? wf_string_key(texts[{}]) : 0ull)", text - 1)]
            }
            _ => key.bits(value),
        };
        for (word, bits) in (key.value.word..).zip(bits).chain(key.null_bit(value)) {
            parts[word].push(bits);
        }
    }
    for (word, parts) in parts.iter().enumerate() {
        let bits = if parts.is_empty() {
            "0ull".into()
        } else {
            parts.join(" | ")
        };
        lines.push_str(&format!("words[{word}] = {bits};\n"));
    }
    code.write(&lines);
    Ok(())
}

/// A value of up to 64 bits as a word that stands for it alone, a signed one with its sign up to the highest bit; zero is
/// one value, whatever its sign.
pub(super) fn as_word(repr: Repr, value: &str) -> String {
    match repr {
        Repr::Bool => format!("({value} ? 1ull : 0ull)"),
        Repr::F32 => format!("(u64)__float_as_uint({value} == 0.0f ? 0.0f : {value})"),
        Repr::F64 => format!("(u64)__double_as_longlong({value} == 0.0 ? 0.0 : {value})"),
        Repr::U8 | Repr::U16 | Repr::U32 | Repr::U64 => format!("(u64)({value})"),
        _ => format!("(u64)(i64)({value})"),
    }
}
